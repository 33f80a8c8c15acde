/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUIDDITCH_QUERY_H
#define QUIDDITCH_QUERY_H

#include "quidditch/error.h"
#include "quidditch/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Runs a search. `indices`: "a", "a,b", "logs-*", "_all". `body`: the JSON of POST /{indices}/_search; empty means {}.
 * `timeout_ms` 0: none (the body's own "timeout" holds).
 * Errors: QD_EPARSE and QD_EQUERY (the clause, with line and column), QD_EINDEX_NOTFOUND, QD_EUDF_NOTFOUND,
 * QD_EUDF_PARAMS, QD_EUDF_FAILED (function, version, document and reason). */
qd_status qd_database_search(qd_database *db, const char *indices, const char *body, size_t body_len,
                             int64_t timeout_ms, char **answer, qd_error *err);

#ifdef __cplusplus
}
#endif
#endif
