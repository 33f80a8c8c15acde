/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers as decimal text, the same in every locale. Answers are full of scores, so the common ones (integers and
 * short decimals) take a path without printf. Threads: any. */
#ifndef QD_BASE_NUMBER_H
#define QD_BASE_NUMBER_H

#include "base/str.h"

#define QD_NUMBER_SIZE 32

/* Each writes at most QD_NUMBER_SIZE bytes, the text without NUL, and returns its length. */
size_t qd_number_i64(int64_t value, char *out);
size_t qd_number_u64(uint64_t value, char *out);
/* Shortest decimal that reads back as the same value, always with a point or an exponent ("1.0", "0.1", "1e+20").
 * `value` must be finite. */
size_t qd_number_f64(double value, char *out);
size_t qd_number_f32(float value, char *out);

#endif
