/* SPDX-License-Identifier: Apache-2.0
 *
 * The benchmark's scorer in the row shape: two reads of fields and one of the score, by host functions. */
#include <math.h>
#include <stdint.h>

#define IMPORT(f) __attribute__((import_module("env"), import_name(#f)))

IMPORT(get_field_f64) int32_t get_field_f64(int64_t ctx, const char *name, int32_t name_len, double *out);
IMPORT(get_score) double get_score(int64_t ctx);

double score(int64_t ctx);

double score(int64_t ctx)
{
    double price = 0, rating = 0;
    get_field_f64(ctx, "price", 5, &price);
    get_field_f64(ctx, "rating", 6, &rating);
    return get_score(ctx) * log(1 + price) * rating;
}
