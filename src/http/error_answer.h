/* SPDX-License-Identifier: Apache-2.0
 *
 * Errors on the wire (DESIGN 9): the functions API's shape for paths under /api/v1, OpenSearch's for all others. Codes,
 * types and HTTP statuses come from the one table in base/error.c. */
#ifndef QD_HTTP_ERROR_ANSWER_H
#define QD_HTTP_ERROR_ANSWER_H

#include "http/request.h"

/* Replaces what was written by the error's answer. `http_status` 0: the table's. */
void qd_error_answer(qd_request *rq, const qd_error *err, int http_status);

/* Does this path belong to the functions API? */
bool qd_error_answer_is_api(qd_str path);

#endif
