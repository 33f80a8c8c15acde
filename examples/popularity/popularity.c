/* SPDX-License-Identifier: Apache-2.0
 *
 * A scorer: relevance x popularity x freshness x tier.
 *
 * The typed shape: the arguments are the parameters of manifest.json, in order. The manifest says where each comes
 * from (the score, a field, the request's context) and what stands in where a document has none, so that no host
 * function is called. */
#include <math.h>

#include "quidditch.h"

QD_EXPORT(score)
double score(double relevance, double popularity, double age_days, double half_life_days, int tier)
{
    /* A logarithm: ten times as popular is a step up, not ten times as good. */
    double popular = 1 + log1p(fmax(popularity, 0));
    double fresh = half_life_days > 0 ? exp2(-fmax(age_days, 0) / half_life_days) : 1;
    double tiered = 1 + 0.25 * fmin(fmax(tier, 0), 4);
    return relevance * popular * fresh * tiered;
}
