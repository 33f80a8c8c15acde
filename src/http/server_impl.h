/* SPDX-License-Identifier: Apache-2.0
 *
 * What server.c, exchange.c and exchange_check.c share; for these files only. */
#ifndef QD_HTTP_SERVER_IMPL_H
#define QD_HTTP_SERVER_IMPL_H

#include <microhttpd.h>
#include <stdatomic.h>

#include "http/rate_limit.h"
#include "http/router.h"
#include "http/server.h"
#include "http/watch.h"

struct qd_server {
    qd_server_options options;
    qd_api *api;
    struct MHD_Daemon *daemon;
    qd_router *router;
    qd_metrics *metrics;
    qd_watch *watch;
    qd_rate_limiter *limiter;
    qd_pool *pools[QD_WORK_KINDS]; /* NULL for QD_WORK_INLINE */
    uint16_t port;
    bool is_loopback, has_processors; /* has_processors: more than one */
    atomic_bool is_stopping;
    atomic_size_t inflight_bytes; /* capacity of all bodies being collected or worked on */
    atomic_uint active;           /* requests that are complete and not yet answered to the last byte */
};

/* libmicrohttpd's callbacks; `cls` is the qd_server. */
void *qd_exchange_open(void *cls, const char *uri, struct MHD_Connection *connection);
enum MHD_Result qd_exchange_handle(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                   const char *version, const char *upload, size_t *upload_size, void **exchange);
void qd_exchange_close(void *cls, struct MHD_Connection *connection, void **exchange,
                       enum MHD_RequestTerminationCode why);

/* routes.c */
extern const qd_route QD_ROUTES[];
extern const size_t QD_ROUTES_COUNT;

#endif
