/* SPDX-License-Identifier: Apache-2.0
 *
 * One request while it is answered: what came in, and the answer that grows. Handlers see nothing of libmicrohttpd.
 * A handler writes its answer through `json` (or `out`) and returns QD_OK; on any other status what it wrote is thrown
 * away and the error is written instead, in the shape of the request's API (error_answer.h).
 * Owner: the HTTP thread until it is handed to a pool, then that worker until it is handed back; never both. */
#ifndef QD_HTTP_REQUEST_H
#define QD_HTTP_REQUEST_H

#include "base/json.h"
#include "http/rate_limit.h"
#include "http/uri.h"

struct qd_api;
struct qd_route;

typedef enum qd_method { QD_GET = 1, QD_HEAD = 2, QD_POST = 4, QD_PUT = 8, QD_DELETE = 16 } qd_method;

#define QD_REQUEST_MAX_HEADERS 4

typedef struct qd_header {
    const char *name;  /* static */
    const char *value; /* lives as long as the request's arena */
} qd_header;

typedef struct qd_request {
    struct qd_api *api;
    qd_arena *arena; /* dies with the request */
    qd_method method;
    const char *method_name;
    qd_str target; /* as sent: path and query */
    qd_uri uri;
    const struct qd_route *route;
    const qd_str *args[QD_URI_MAX_SEGMENTS]; /* what the route's {…} matched, in order */
    size_t n_args;
    qd_remote remote;    /* who asks: the socket's other end, whatever a proxy may say */
    qd_str content_type; /* "" when absent, as the next one */
    qd_str if_none_match;
    qd_str body;
    int64_t start_ns;       /* monotonic: when the request was complete */
    volatile bool canceled; /* the client went away, or the daemon stops; read by whoever works long. Set atomically */
    bool is_pretty;

    int http_status;         /* 200 unless the handler says otherwise */
    const char *answer_type; /* Content-Type of the answer */
    qd_header headers[QD_REQUEST_MAX_HEADERS];
    size_t n_headers;
    qd_buf out;
    qd_json json; /* writes to `out` */
} qd_request;

#define QD_TYPE_JSON "application/json; charset=UTF-8"
#define QD_TYPE_TEXT "text/plain; charset=UTF-8"

/* False when out of memory. */
bool qd_request_init(qd_request *rq, struct qd_api *api);
void qd_request_deinit(qd_request *rq);
/* Throws away what was written so far. */
void qd_request_restart_answer(qd_request *rq);
/* Name static, value kept. Past QD_REQUEST_MAX_HEADERS it is dropped. */
void qd_request_add_header(qd_request *rq, const char *name, const char *value);

/* The remote address as text: "10.0.0.1", "2001:db8::1". */
#define QD_REMOTE_SIZE 48
const char *qd_remote_text(const qd_remote *remote, char out[QD_REMOTE_SIZE]);

/* The version that a call of the functions API asks for: of the path, else ?version=; "" for none. */
qd_str qd_request_version(const qd_request *rq);
/* ?page and ?size, as all lists of the functions API have them. Errors: QD_EINVAL. */
qd_status qd_request_page(const qd_request *rq, uint32_t *page, uint32_t *size, qd_error *err);

/* The i-th {…} of the route; "" when the route has fewer. */
qd_str qd_request_arg(const qd_request *rq, size_t i);

/* Parameters of the query. Absent: QD_OK and *out untouched. Errors: QD_EINVAL naming parameter and value. */
bool qd_request_has(const qd_request *rq, const char *name);
void qd_request_str(const qd_request *rq, const char *name, qd_str *out);
/* "true", "" (as in ?refresh) and "false". */
qd_status qd_request_bool(const qd_request *rq, const char *name, bool *out, qd_error *err);
qd_status qd_request_i64(const qd_request *rq, const char *name, int64_t min, int64_t max, int64_t *out, qd_error *err);
/* "10s", "500ms", "1m" …; -1 means none: *out becomes INT64_MAX. */
qd_status qd_request_duration_ns(const qd_request *rq, const char *name, int64_t *out, qd_error *err);
/* ?refresh=true|false|wait_for. */
qd_status qd_request_refresh(const qd_request *rq, bool *out, qd_error *err);

/* The body as JSON. An empty body gives NULL when `is_optional`, else QD_EPARSE "request body is required".
 * *out: owned by caller (json_decref). Errors: QD_EPARSE; also when it is not an object. */
qd_status qd_request_json(const qd_request *rq, bool is_optional, json_t **out, qd_error *err);

#endif
