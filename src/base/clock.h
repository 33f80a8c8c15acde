/* SPDX-License-Identifier: Apache-2.0
 *
 * Time: a monotonic clock for durations and deadlines, the wall clock for people, and ISO-8601 both ways. */
#ifndef QD_BASE_CLOCK_H
#define QD_BASE_CLOCK_H

#include "base/str.h"

int64_t qd_clock_mono_ns(void);
int64_t qd_clock_wall_ms(void); /* milliseconds since the epoch, UTC */

#define QD_ISO8601_SIZE 32
/* "2026-11-21T08:41:03.123Z"; returns `out`. */
char *qd_clock_iso8601(int64_t wall_ms, char out[QD_ISO8601_SIZE]);
/* `strict_date_optional_time`: "2026", "2026-11", "2026-11-21", with "THH[:MM[:SS[.fraction]]]" and "Z" or "+HH:MM".
 * No zone means UTC. False when it is not such a date; out of range days are refused. */
bool qd_clock_parse_iso8601(qd_str s, int64_t *out_ms);

#endif
