/* SPDX-License-Identifier: Apache-2.0
 *
 * Dates as documents and queries write them: strict_date_optional_time, yyyy/MM/dd with an optional time, milliseconds.
 */
#ifndef QD_INDEX_DATES_H
#define QD_INDEX_DATES_H

#include "base/str.h"

/* Does a string of an unmapped field read as a date? Numbers do not: they are too often something else. */
bool qd_date_detect(qd_str s);
/* A JSON number on a date field is read as its text would be: four digits are a year. */
int64_t qd_date_of_number(int64_t n);
/* As qd_date_parse, but what the text leaves out of the time of day is its end and not its start: upper bounds of
 * ranges. */
bool qd_date_parse_up(qd_str s, int64_t *out_ms);

#endif
