/* SPDX-License-Identifier: Apache-2.0
 *
 * One request on its connection; for exchange.c and exchange_check.c only. The states and who owns the exchange in
 * each: RECEIVING  HTTP thread; the body is collected REFUSED    HTTP thread; something is wrong already: the rest of
 * the body is thrown away, then comes the error WORKING    the pool's worker, and the HTTP thread waits a moment for
 * it: short work is then answered without the price of a suspended connection (two system calls, a wake-up) SUSPENDED
 * the pool's worker; the connection is suspended, so libmicrohttpd touches neither it nor the exchange ANSWERED   HTTP
 * thread; the answer is in the request's buffer A worker's last act is to say ANSWERED, or to resume the connection:
 * after that the exchange may be gone. */
#ifndef QD_HTTP_EXCHANGE_H
#define QD_HTTP_EXCHANGE_H

#include "http/coding.h"
#include "http/server_impl.h"

typedef enum qd_exchange_state { RECEIVING, REFUSED, WORKING, SUSPENDED, ANSWERED } qd_exchange_state;

typedef struct qd_exchange {
    qd_request rq;
    qd_server *server;
    struct MHD_Connection *connection;
    _Atomic qd_exchange_state state;
    bool has_begun, is_active;
    qd_buf body;
    size_t accounted_bytes; /* of the server's inflight_bytes */
    size_t discarded_bytes;
    qd_error refusal;
    int refusal_http_status; /* 0: the error's own */
    const char *opaque_id;
    qd_coding coding;       /* of the body as it comes */
    bool wants_gzip;        /* the client takes it */
    bool is_packed, varies; /* the answer; with what the client takes */
    qd_rate_answer rate;
    qd_watched watched;        /* as work */
    qd_watched *of_connection; /* NULL only when memory ran out */
} qd_exchange;

/* Method, target, route, parameters, origin, length and type of the body, from line and headers alone. *length: what
 * Content-Length says, 0 when it says nothing. On failure the exchange is REFUSED and `refusal` says why. */
qd_status qd_exchange_check(qd_exchange *x, const char *method, size_t *length);
/* Makes it REFUSED, with the error in `refusal`; returns `status`. `http_status` 0: the error's own. */
qd_status qd_exchange_refuse(qd_exchange *x, qd_status status, int http_status);
/* The configuration key that bounds the body of this request. */
const char *qd_exchange_limit_key(const qd_exchange *x);
/* exchange.c: of the bodies of all requests this one holds so many bytes now. Errors: QD_EBUSY when all together are
 * too many; they are counted all the same. */
qd_status qd_exchange_account(qd_exchange *x, size_t bytes, qd_error *err);
/* exchange_coding.c. Of the headers: a Content-Encoding that is not known makes it REFUSED. */
qd_status qd_exchange_check_coding(qd_exchange *x);
/* Puts what a packed body holds in its place; never more than its limit. Errors: QD_ETOOLARGE, QD_EINVAL (corrupt),
 * QD_EBUSY (all bodies together), QD_ECANCELED, QD_ENOMEM. */
qd_status qd_exchange_unpack(qd_exchange *x, qd_error *err);
/* Packs the answer, where it is text that is long enough and the client takes it. */
void qd_exchange_pack(qd_exchange *x);
/* NULL when absent. */
const char *qd_exchange_header(const qd_exchange *x, const char *name);

#endif
