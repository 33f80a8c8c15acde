/* SPDX-License-Identifier: Apache-2.0
 *
 * minimum_should_match: "2", "-1", "75%", "-25%", "3<90%", "2<-25% 9<-3", as OpenSearch reckons them. */
#ifndef QD_QUERY_MINIMUM_MATCH_H
#define QD_QUERY_MINIMUM_MATCH_H

#include "base/str.h"

/* How many of `optional` clauses must match; 0 when the specification asks for none. False when it is malformed. */
bool qd_minimum_match(qd_str spec, size_t optional, size_t *out);

#endif
