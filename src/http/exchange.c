/* SPDX-License-Identifier: Apache-2.0 */
#include "http/exchange.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "base/clock.h"
#include "http/error_answer.h"

/* First bytes of a body whose length was announced: grown from there, so that an announcement alone costs nothing. */
#define FIRST_BODY_BYTES ((size_t)64 << 10)
/* How long an HTTP thread waits for short work before it suspends the connection. */
#define SOON_NS ((int64_t)100 * 1000)

/* We read the parameters ourselves, from a copy. libmicrohttpd would take them apart too, into the little memory that
 * the connection has, and when they are too many for it 0.9.75 neither answers nor closes nor completes the request.
 * The text lies in its own writable buffer and is looked at after this callback: it sees an empty query there. */
static void hide_parameters(const char *uri)
{
    char *query = strchr(uri, '?');
    if (query)
        query[1] = '\0';
}

/* IPv4 as ::ffff:a.b.c.d. */
static void find_remote(qd_exchange *x)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;
    uint8_t *bytes = x->rq.remote.bytes;
    if (address && address->sa_family == AF_INET6) {
        memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    } else if (address && address->sa_family == AF_INET) {
        bytes[10] = bytes[11] = 0xFF;
        memcpy(bytes + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    }
}

void *qd_exchange_open(void *cls, const char *uri, struct MHD_Connection *connection)
{
    qd_exchange *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->server = cls;
    x->connection = connection;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    x->of_connection = info ? info->socket_context : NULL;
    qd_buf_init(&x->body, x->server->options.max_body_bytes);
    if (!qd_request_init(&x->rq, x->server->api)) {
        free(x);
        return NULL;
    }
    x->rq.target = qd_arena_str(x->rq.arena, qd_str_of(uri));
    hide_parameters(uri);
    find_remote(x);
    return x;
}

qd_status qd_exchange_account(qd_exchange *x, size_t bytes, qd_error *err)
{
    const size_t most = x->server->options.max_inflight_bytes;
    if (bytes == x->accounted_bytes)
        return QD_OK;
    atomic_fetch_sub(&x->server->inflight_bytes, x->accounted_bytes);
    size_t all = atomic_fetch_add(&x->server->inflight_bytes, bytes) + bytes;
    x->accounted_bytes = bytes;
    if (all <= most)
        return QD_OK;
    return qd_fail(err, QD_EBUSY,
                   "the bodies of all requests in progress exceed %zu bytes (http.max_inflight_bytes); try again later",
                   most);
}

void qd_exchange_close(void *cls, struct MHD_Connection *connection, void **context,
                       enum MHD_RequestTerminationCode why)
{
    (void)cls, (void)connection, (void)why;
    qd_exchange *x = *context;
    *context = NULL;
    if (!x)
        return;
    (void)qd_exchange_account(x, 0, NULL);
    if (x->is_active)
        atomic_fetch_sub(&x->server->active, 1);
    if (x->of_connection)
        atomic_store(&x->of_connection->is_busy, false);
    qd_buf_deinit(&x->body);
    qd_request_deinit(&x->rq);
    free(x);
}

/* ---- answering --------------------------------------------------------------------------------------------------- */

static void add_number(struct MHD_Response *response, const char *name, uint32_t value)
{
    char text[16];
    snprintf(text, sizeof text, "%u", value);
    MHD_add_response_header(response, name, text);
}

static void add_rate_headers(const qd_rate_answer *a, struct MHD_Response *response)
{
    if (!a->is_limited)
        return;
    add_number(response, "X-RateLimit-Limit", a->limit);
    add_number(response, "X-RateLimit-Remaining", a->remaining);
    add_number(response, "X-RateLimit-Reset", a->reset_s);
    if (a->is_refused)
        add_number(response, "Retry-After", a->retry_after_s);
}

static void add_headers(const qd_exchange *x, struct MHD_Response *response)
{
    MHD_add_response_header(response, "Content-Type", x->rq.answer_type);
    for (size_t i = 0; i < x->rq.n_headers; i++)
        MHD_add_response_header(response, x->rq.headers[i].name, x->rq.headers[i].value);
    add_rate_headers(&x->rate, response);
    if (x->is_packed)
        MHD_add_response_header(response, "Content-Encoding", "gzip");
    if (x->varies)
        MHD_add_response_header(response, "Vary", "Accept-Encoding");
    if (x->rq.http_status == 415)
        MHD_add_response_header(response, "Accept-Encoding", "gzip, deflate");
    if (x->opaque_id)
        MHD_add_response_header(response, "X-Opaque-Id", x->opaque_id);
    if (atomic_load_explicit(&x->server->is_stopping, memory_order_relaxed))
        MHD_add_response_header(response, "Connection", "close");
}

static enum MHD_Result send_answer(qd_exchange *x)
{
    size_t n = 0;
    char *bytes = qd_buf_take(&x->rq.out, &n);
    if (!bytes)
        return MHD_NO;
    struct MHD_Response *response = MHD_create_response_from_buffer(n, bytes, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        free(bytes);
        return MHD_NO;
    }
    add_headers(x, response);
    if (x->rq.route)
        qd_metrics_count(x->server->metrics, x->rq.route, x->rq.http_status, qd_clock_mono_ns() - x->rq.start_ns);
    enum MHD_Result result = MHD_queue_response(x->connection, (unsigned)x->rq.http_status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result send_refusal(qd_exchange *x)
{
    if (!x->rq.start_ns)
        x->rq.start_ns = qd_clock_mono_ns();
    qd_api_audit_refusal(&x->rq, &x->refusal);
    qd_error_answer(&x->rq, &x->refusal, x->refusal_http_status);
    return send_answer(x);
}

/* ---- working ----------------------------------------------------------------------------------------------------- */

static void log_failure(const qd_exchange *x, const qd_error *err)
{
    if (!x->rq.api->log || (err->code != QD_EINTERNAL && err->code != QD_EIO && err->code != QD_ENOMEM))
        return;
    char line[1024];
    snprintf(line, sizeof line, "%s %.*s: %s: %s", x->rq.method_name, QD_STR_FMT(x->rq.target),
             qd_status_name(err->code), err->message);
    x->rq.api->log(x->rq.api->log_arg, line);
}

static void run_handler(qd_exchange *x)
{
    qd_error err = QD_ERROR_INIT;
    qd_status status = QD_OK;
    if (__atomic_load_n(&x->rq.canceled, __ATOMIC_RELAXED))
        status = qd_fail(&err, QD_ECANCELED, "the client closed its connection before the request was worked on");
    else
        status = qd_exchange_unpack(x, &err);
    if (status == QD_OK)
        status = x->rq.route->handler(&x->rq, &err);
    if (status == QD_OK && x->rq.out.failed)
        status = qd_fail(&err, QD_ELIMIT, "the answer would be larger than %zu bytes, or memory ran out: ask for less",
                         x->rq.out.max);
    if (status != QD_OK) {
        err.code = status;
        log_failure(x, &err);
        qd_api_audit_refusal(&x->rq, &err);
        qd_error_answer(&x->rq, &err, 0);
    }
}

static void work(void *arg)
{
    qd_exchange *x = arg;
    struct MHD_Connection *connection = x->connection;
    run_handler(x);
    qd_exchange_pack(x);
    qd_watch_remove(x->server->watch, &x->watched);
    if (atomic_exchange(&x->state, ANSWERED) == SUSPENDED)
        MHD_resume_connection(connection);
}

/* The pool has no room: the answer says so. */
static void reject(qd_exchange *x)
{
    static const char *const POOL_NAMES[QD_WORK_KINDS] = {"http", "search", "write", "admin"};
    qd_work kind = x->rq.route->work;
    qd_error err = QD_ERROR_INIT;
    qd_watch_remove(x->server->watch, &x->watched);
    qd_fail(&err, QD_EBUSY, "rejected execution: the queue of the %s pool is full (%u requests wait); try again later",
            POOL_NAMES[kind], qd_pool_queued(x->server->pools[kind]));
    qd_error_answer(&x->rq, &err, 0);
}

static void pause_a_moment(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Waits for short work; true when it is done. */
static bool is_done_soon(const qd_exchange *x)
{
    int64_t until_ns = qd_clock_mono_ns() + SOON_NS;
    do {
        for (int i = 0; i < 16; i++) {
            if (atomic_load_explicit(&x->state, memory_order_acquire) == ANSWERED)
                return true;
            pause_a_moment();
        }
    } while (qd_clock_mono_ns() < until_ns);
    return false;
}

/* Only for the one request in progress, and with a processor to spare: others must not wait for this thread. */
static enum MHD_Result work_and_wait(qd_exchange *x)
{
    x->state = WORKING;
    if (qd_pool_submit(x->server->pools[x->rq.route->work], work, x) != QD_OK) {
        reject(x);
        return send_answer(x);
    }
    if (is_done_soon(x))
        return send_answer(x);
    MHD_suspend_connection(x->connection);
    qd_exchange_state expected = WORKING;
    if (!atomic_compare_exchange_strong(&x->state, &expected, SUSPENDED))
        MHD_resume_connection(x->connection);
    return MHD_YES;
}

static enum MHD_Result work_suspended(qd_exchange *x)
{
    x->state = SUSPENDED;
    MHD_suspend_connection(x->connection);
    if (qd_pool_submit(x->server->pools[x->rq.route->work], work, x) == QD_OK)
        return MHD_YES;
    reject(x);
    x->state = ANSWERED;
    MHD_resume_connection(x->connection);
    return MHD_YES;
}

/* Does the work stop when its client leaves? What changes something goes on, but for a registration: nobody has seen it
 * before it is stored. */
static bool stops_with_client(const qd_route *route)
{
    return route->work == QD_WORK_SEARCH || route->audit == QD_AUDIT_REGISTER;
}

static enum MHD_Result hand_to_pool(qd_exchange *x, bool is_alone)
{
    const union MHD_ConnectionInfo *info = NULL;
    if (stops_with_client(x->rq.route))
        info = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info)
        qd_watch_add_work(x->server->watch, &x->watched, info->connect_fd, &x->rq.canceled);
    return is_alone && x->server->has_processors ? work_and_wait(x) : work_suspended(x);
}

static enum MHD_Result finish_receiving(qd_exchange *x)
{
    x->rq.body = qd_buf_str(&x->body);
    x->rq.start_ns = qd_clock_mono_ns();
    x->is_active = true;
    if (x->of_connection)
        atomic_store(&x->of_connection->is_busy, true);
    bool is_alone = atomic_fetch_add(&x->server->active, 1) == 0;
    if (x->state == RECEIVING && atomic_load(&x->server->is_stopping)) {
        qd_fail(&x->refusal, QD_EBUSY, "the node is shutting down");
        qd_exchange_refuse(x, QD_EBUSY, 503);
    }
    if (x->state == REFUSED)
        return send_refusal(x);
    qd_request_restart_answer(&x->rq);
    if (x->rq.route->work != QD_WORK_INLINE)
        return hand_to_pool(x, is_alone);
    run_handler(x);
    return send_answer(x);
}

/* ---- collecting the body ----------------------------------------------------------------------------------------- */

static enum MHD_Result begin(qd_exchange *x, const char *method)
{
    size_t length = 0;
    x->has_begun = true;
    if (qd_exchange_check(x, method, &length) != QD_OK) {
        /* Small bodies are read to their end first: a client that is still writing would see its connection
         * break and never the answer. One that asks first, or is out of all proportion, is told at once. */
        bool asks = qd_exchange_header(x, "Expect") != NULL;
        return asks || length / 2 > x->server->options.max_body_bytes ? send_refusal(x) : MHD_YES;
    }
    if (length)
        qd_buf_reserve(&x->body, length < FIRST_BODY_BYTES ? length : FIRST_BODY_BYTES);
    (void)qd_exchange_account(x, x->body.cap, NULL); /* collecting asks */
    return MHD_YES;
}

static void collect(qd_exchange *x, const char *bytes, size_t n)
{
    qd_buf_add(&x->body, bytes, n);
    if (x->body.failed && x->body.n + n > x->body.max) {
        qd_fail(&x->refusal, QD_ETOOLARGE, "the request body has more than %zu bytes, the limit (%s)", x->body.max,
                qd_exchange_limit_key(x));
    } else if (x->body.failed) {
        qd_fail_nomem(&x->refusal);
    } else if (qd_exchange_account(x, x->body.cap, &x->refusal) == QD_OK) {
        return;
    }
    qd_exchange_refuse(x, x->refusal.code, 0);
    qd_buf_deinit(&x->body);
    (void)qd_exchange_account(x, 0, NULL);
}

static enum MHD_Result receive(qd_exchange *x, const char *bytes, size_t n)
{
    if (x->state == RECEIVING) {
        collect(x, bytes, n);
        return MHD_YES;
    }
    x->discarded_bytes += n;
    return x->discarded_bytes / 2 > x->server->options.max_body_bytes ? MHD_NO : MHD_YES;
}

enum MHD_Result qd_exchange_handle(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                   const char *version, const char *upload, size_t *upload_size, void **context)
{
    (void)cls, (void)connection, (void)url, (void)version;
    qd_exchange *x = *context;
    if (!x)
        return MHD_NO;
    if (!x->has_begun)
        return begin(x, method);
    if (*upload_size) {
        enum MHD_Result result = receive(x, upload, *upload_size);
        *upload_size = 0;
        return result;
    }
    switch (atomic_load(&x->state)) {
    case RECEIVING:
    case REFUSED:
        return finish_receiving(x);
    case WORKING:
    case SUSPENDED: /* a wake-up that was not for us */
        return MHD_YES;
    case ANSWERED:
        return send_answer(x);
    }
    return MHD_NO;
}
