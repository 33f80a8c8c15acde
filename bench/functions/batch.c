/* SPDX-License-Identifier: Apache-2.0
 *
 * The scorer of two fields, arithmetic alone, in the batch shape. Its loop is also built natively, for the distance to
 * the same C (bench/scorer.c). */
#include <stdint.h>

void score_columns(uint32_t n, const double *relevance, const double *price, const double *rating,
                   double *restrict result);

void score_columns(uint32_t n, const double *relevance, const double *price, const double *rating,
                   double *restrict result)
{
    /* In the sandbox each turn of the loop looks at the clock that stops it: eight documents a turn. */
#ifdef __wasm__
#pragma clang loop interleave_count(4)
#endif
    for (uint32_t i = 0; i < n; i++)
        result[i] = relevance[i] * (1 + 0.001 * price[i]) * rating[i];
}

#ifdef __wasm__
#include "quidditch.h"

QD_EXPORT(score) void score(uint32_t n, const qd_column *columns, qd_column *out)
{
    score_columns(n, columns[0].data, columns[1].data, columns[2].data, out->data);
}
#endif
