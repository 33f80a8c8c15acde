/* SPDX-License-Identifier: Apache-2.0
 *
 * The typed shape: the arguments are the parameters of manifest.json, in their order, filled by the engine from the
 * query and from the documents' columns. */
#include "quidditch.h"

QD_EXPORT(score) double score(double relevance, double popularity, double boost)
{
    return relevance * (1 + boost * popularity);
}
