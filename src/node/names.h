/* SPDX-License-Identifier: Apache-2.0
 *
 * What an index may be called, and matching names against patterns. */
#ifndef QD_NODE_NAMES_H
#define QD_NODE_NAMES_H

#include "base/error.h"
#include "base/str.h"

/* OpenSearch's rules. Errors: QD_EINDEX_NAME. */
qd_status qd_index_name_check(qd_str name, qd_error *err);
/* '*' stands for any bytes. */
bool qd_index_name_matches(qd_str pattern, qd_str name);

#endif
