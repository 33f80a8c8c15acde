/* SPDX-License-Identifier: Apache-2.0
 *
 * The server: libmicrohttpd's threads move bytes, bounded pools work (DESIGN 8). A request is collected, its connection
 * suspended, a pool runs the handler, the connection resumed with the answer.
 *   uri.c, request.c  the request taken apart         router.c, routes.c  which handler
 *   exchange*.c       one request on its connection   server.c            start, stop, pools
 *   coding.c          packed bodies
 *   watch.c           clients that go away            api_*.c             the handlers
 *   rate_limit.c      how often one client may call   openapi*.c          the API's description
 * Bounds: size of one body, bytes of all bodies, connections, queue of each pool, calls of one client; past them 413 or
 * 429, before memory runs out. Lock order: none is held while a handler runs. */
#ifndef QD_HTTP_SERVER_H
#define QD_HTTP_SERVER_H

#include "http/api.h"
#include "http/rate_limit.h"

typedef struct qd_server qd_server;

typedef struct qd_server_options {
    const char *host;
    uint16_t port; /* 0: any free one */
    unsigned threads, max_connections, idle_timeout_s;
    size_t max_body_bytes, max_inflight_bytes;
    size_t max_search_body_bytes; /* of routes that search and take JSON */
    int compression_level;        /* of answers, 1 to 9; 0: none is packed */
    unsigned search_threads, search_queue, write_threads, write_queue, admin_threads;
    qd_rate_limits rate;
} qd_server_options;
#define QD_SERVER_OPTIONS_INIT                                                                                         \
    {                                                                                                                  \
        "127.0.0.1", 9200, 2, 4096, 300, 100u << 20, 1u << 30, 10u << 20, 3, 2, 1000, 8, 1000, 2,                      \
        {                                                                                                              \
            {                                                                                                          \
                0, 10, 10, 1000, 100                                                                                   \
            }                                                                                                          \
        }                                                                                                              \
    }

/* Listens and serves when it returns. `api` is kept until qd_server_stop. Errors: QD_EIO (cannot listen; says where
 * and why), QD_EINVAL (host), QD_ENOMEM. */
qd_status qd_server_start(const qd_server_options *options, qd_api *api, qd_server **out, qd_error *err);
uint16_t qd_server_port(const qd_server *s);
/* Stops accepting, finishes what runs within `grace_ms` (then cancels searches and waits for the rest), frees. NULL is
 * legal. */
void qd_server_stop(qd_server *s, unsigned grace_ms);

#endif
