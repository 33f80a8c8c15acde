/* SPDX-License-Identifier: Apache-2.0
 *
 * The batch shape: a block of documents at once. The columns are the parameters of manifest.json, in their order, each
 * with a default: so all their values are valid. */
#include "quidditch.h"

QD_EXPORT(score) void score(uint32_t n, const qd_column *columns, qd_column *out)
{
    const double *relevance = columns[0].data, *popularity = columns[1].data, *boost = columns[2].data;
    double *result = out->data;
    for (uint32_t i = 0; i < n; i++)
        result[i] = relevance[i] * (1 + boost[i] * popularity[i]);
}
