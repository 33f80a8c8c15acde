/* SPDX-License-Identifier: Apache-2.0
 *
 * What the URL says about a search that the query room reads from the body. The body's text is left as it is where
 * that is possible, so that errors keep their line and column. */
#ifndef QD_HTTP_SEARCH_BODY_H
#define QD_HTTP_SEARCH_BODY_H

#include "http/request.h"

/* Puts ?sort, ?_source, ?_source_includes and ?_source_excludes into the body. *body: in the request's arena when it
 * changed. Errors: QD_EPARSE, QD_EINVAL. */
qd_status qd_search_body_merge(const qd_request *rq, qd_str *body, qd_error *err);

/* Takes the member "index" out of the body, leaving blanks. *index: in the arena. Errors: QD_EPARSE, QD_EINVAL (absent
 * or no string). */
qd_status qd_search_body_take_index(const qd_request *rq, qd_str *body, qd_str *index, qd_error *err);

#endif
