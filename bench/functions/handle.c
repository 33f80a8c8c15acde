/* SPDX-License-Identifier: Apache-2.0
 *
 * The scorer of two fields, arithmetic alone, in the handle shape. */
#include "quidditch.h"

static qd_handle price, rating;

QD_EXPORT(_initialize) void initialize(void)
{
    price = qd_field("price");
    rating = qd_field("rating");
}

QD_EXPORT(score) double score(qd_context ctx)
{
    (void)ctx;
    return qd_score() * (1 + 0.001 * qd_field_f64(price)) * qd_field_f64(rating);
}
