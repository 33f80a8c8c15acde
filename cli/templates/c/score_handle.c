/* SPDX-License-Identifier: Apache-2.0
 *
 * The handle shape: fields are looked up once, and their numbers then read without leaving the sandbox. */
#include "quidditch.h"

static qd_handle popularity = -1;
static double boost;

/* At the first document. An instance serves one query, so a parameter that is the same for all its documents may be
 * kept as well. */
static void prepare(void)
{
    popularity = qd_field("popularity");
    if (qd_param_f64("boost", &boost) != QD_OK)
        boost = 0;
}

QD_EXPORT(score) double score(qd_context ctx)
{
    (void)ctx;
    if (popularity < 0)
        prepare();
    return qd_score() * (1 + boost * qd_field_f64(popularity)); /* no popularity reads as 0 */
}
