/* SPDX-License-Identifier: Apache-2.0
 *
 * One request on its connection. The states and who owns the exchange in each:
 *   RECEIVING  HTTP thread; the body is collected
 *   REFUSED    HTTP thread; something is wrong already: the rest of the body is thrown away, then comes the error
 *   WORKING    the pool's worker, and the HTTP thread waits a moment for it: short work is then answered without the
 *              price of a suspended connection (two system calls, a wake-up)
 *   SUSPENDED  the pool's worker; the connection is suspended, so libmicrohttpd touches neither it nor the exchange
 *   ANSWERED   HTTP thread; the answer is in the request's buffer
 * A worker's last act is to say ANSWERED, or to resume the connection: after that the exchange may be gone. */
#include "http/server_impl.h"

#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"
#include "http/error_answer.h"

typedef enum state { RECEIVING, REFUSED, WORKING, SUSPENDED, ANSWERED } state;

typedef struct exchange {
    qd_request rq;
    qd_server *server;
    struct MHD_Connection *connection;
    _Atomic state state;
    bool has_begun, is_active;
    qd_buf body;
    size_t accounted_bytes; /* of the server's inflight_bytes */
    size_t discarded_bytes;
    qd_error refusal;
    int refusal_http_status; /* 0: the error's own */
    const char *opaque_id;
    qd_watched watched;        /* as work */
    qd_watched *of_connection; /* NULL only when memory ran out */
} exchange;

/* First bytes of a body whose length was announced: grown from there, so that an announcement alone costs nothing. */
#define FIRST_BODY_BYTES ((size_t)64 << 10)
/* How long an HTTP thread waits for short work before it suspends the connection. */
#define SOON_NS ((int64_t)50 * 1000)

/* We read the parameters ourselves, from a copy. libmicrohttpd would take them apart too, into the little memory that
 * the connection has, and when they are too many for it 0.9.75 neither answers nor closes nor completes the request.
 * The text lies in its own writable buffer and is looked at after this callback: it sees an empty query there. */
static void hide_parameters(const char *uri)
{
    char *query = strchr(uri, '?');
    if (query)
        query[1] = '\0';
}

void *qd_exchange_open(void *cls, const char *uri, struct MHD_Connection *connection)
{
    exchange *x = calloc(1, sizeof *x);
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
    return x;
}

static void account(exchange *x, size_t bytes)
{
    atomic_fetch_sub(&x->server->inflight_bytes, x->accounted_bytes);
    atomic_fetch_add(&x->server->inflight_bytes, bytes);
    x->accounted_bytes = bytes;
}

void qd_exchange_close(void *cls, struct MHD_Connection *connection, void **context,
                       enum MHD_RequestTerminationCode why)
{
    (void)cls, (void)connection, (void)why;
    exchange *x = *context;
    *context = NULL;
    if (!x)
        return;
    account(x, 0);
    if (x->is_active)
        atomic_fetch_sub(&x->server->active, 1);
    if (x->of_connection)
        atomic_store(&x->of_connection->is_busy, false);
    qd_buf_deinit(&x->body);
    qd_request_deinit(&x->rq);
    free(x);
}

/* ---- taking the request apart ------------------------------------------------------------------------------------ */

static qd_method parse_method(const char *name)
{
    static const struct {
        const char *name;
        qd_method method;
    } METHODS[] = {
        {"GET", QD_GET}, {"POST", QD_POST}, {"PUT", QD_PUT}, {"DELETE", QD_DELETE}, {"HEAD", QD_HEAD},
    };
    for (size_t i = 0; i < sizeof METHODS / sizeof *METHODS; i++) {
        if (strcmp(METHODS[i].name, name) == 0)
            return METHODS[i].method;
    }
    return 0;
}

static const char *header(const exchange *x, const char *name)
{
    return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

static qd_status refuse(exchange *x, qd_status status, int http_status)
{
    x->state = REFUSED;
    x->refusal_http_status = http_status;
    return status;
}

/* A page of another site must not drive a server on its visitor's machine: browsers say in Origin where a page came
 * from. */
static qd_status check_origin(exchange *x)
{
    const char *origin = header(x, "Origin"), *host = header(x, "Host");
    if (!origin)
        return QD_OK;
    const char *authority = strstr(origin, "://");
    if (authority && host && strcasecmp(authority + 3, host) == 0)
        return QD_OK;
    qd_fail(&x->refusal, QD_EUDF_PERMISSION, "requests from pages of other origins are refused: origin [%s], host [%s]",
            origin, host ? host : "");
    return refuse(x, QD_EUDF_PERMISSION, 403);
}

static bool is_media_type(qd_str value, const char *type)
{
    size_t n = strlen(type);
    if (value.n < n || strncasecmp(value.p, type, n) != 0)
        return false;
    return value.n == n || value.p[n] == ';' || value.p[n] == ' ';
}

/* Like OpenSearch: a body comes with a type that we read. (It also keeps simple cross-site forms out.) */
static qd_status check_content_type(exchange *x)
{
    static const char *const JSON_TYPES[] = {"application/json", "application/x-ndjson",
                                             "application/vnd.opensearch+json", "application/vnd.opensearch+x-ndjson"};
    qd_str type = x->rq.content_type;
    for (size_t i = 0; i < sizeof JSON_TYPES / sizeof *JSON_TYPES; i++) {
        if (is_media_type(type, JSON_TYPES[i]))
            return QD_OK;
    }
    if (x->rq.route->body == QD_BODY_UPLOAD && is_media_type(type, "multipart/form-data"))
        return QD_OK;
    if (type.n == 0)
        qd_fail(&x->refusal, QD_EINVAL, "Content-Type header is missing: a body needs one, such as [application/json]");
    else
        qd_fail(&x->refusal, QD_EINVAL, "Content-Type header [%.*s] is not supported: send [application/json]",
                QD_STR_FMT(type));
    return refuse(x, QD_EINVAL, 406);
}

/* *length: what Content-Length says; 0 also when the body is chunked or absent. */
static qd_status check_length(exchange *x, size_t *length, bool *has_body)
{
    const char *text = header(x, "Content-Length");
    int64_t announced = 0;
    if (text && (!qd_str_to_i64(qd_str_of(text), &announced) || announced < 0)) {
        qd_fail(&x->refusal, QD_EINVAL, "Content-Length [%s] is not a number of bytes", text);
        return refuse(x, QD_EINVAL, 0);
    }
    *length = (size_t)announced;
    *has_body = announced > 0 || header(x, "Transfer-Encoding");
    if (*length <= x->server->options.max_body_bytes)
        return QD_OK;
    qd_fail(&x->refusal, QD_ETOOLARGE, "the request body has %zu bytes; the limit is %zu (http.max_body_bytes)",
            *length, x->server->options.max_body_bytes);
    return refuse(x, QD_ETOOLARGE, 0);
}

static qd_status begin_request(exchange *x, size_t *length)
{
    qd_request *rq = &x->rq;
    bool has_body = false;
    if (!rq->target.p) {
        qd_fail_nomem(&x->refusal);
        return refuse(x, QD_ENOMEM, 0);
    }
    qd_status status = qd_uri_parse(rq->target, rq->arena, &rq->uri, &x->refusal);
    if (status == QD_OK)
        status = qd_request_bool(rq, "pretty", &rq->is_pretty, &x->refusal);
    if (status == QD_OK)
        status = qd_router_match(x->server->router, rq, &x->refusal);
    if (status == QD_OK)
        status = qd_router_check_params(rq, &x->refusal);
    if (status != QD_OK)
        return refuse(x, status, 0);
    if ((status = check_origin(x)) != QD_OK || (status = check_length(x, length, &has_body)) != QD_OK)
        return status;
    return has_body ? check_content_type(x) : QD_OK;
}

static void copy_headers(exchange *x)
{
    const char *type = header(x, "Content-Type"), *opaque = header(x, "X-Opaque-Id");
    x->rq.content_type = type ? qd_arena_str(x->rq.arena, qd_str_of(type)) : QD_STR("");
    if (!x->rq.content_type.p)
        x->rq.content_type = QD_STR("");
    x->opaque_id = opaque ? qd_arena_strndup(x->rq.arena, opaque, strlen(opaque)) : NULL;
}

/* ---- answering --------------------------------------------------------------------------------------------------- */

static void add_headers(const exchange *x, struct MHD_Response *response)
{
    MHD_add_response_header(response, "Content-Type", x->rq.answer_type);
    for (size_t i = 0; i < x->rq.n_headers; i++)
        MHD_add_response_header(response, x->rq.headers[i].name, x->rq.headers[i].value);
    if (x->opaque_id)
        MHD_add_response_header(response, "X-Opaque-Id", x->opaque_id);
    if (atomic_load_explicit(&x->server->is_stopping, memory_order_relaxed))
        MHD_add_response_header(response, "Connection", "close");
}

static enum MHD_Result send_answer(exchange *x)
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

static enum MHD_Result send_refusal(exchange *x)
{
    if (!x->rq.start_ns)
        x->rq.start_ns = qd_clock_mono_ns();
    qd_error_answer(&x->rq, &x->refusal, x->refusal_http_status);
    return send_answer(x);
}

/* ---- working ----------------------------------------------------------------------------------------------------- */

static void log_failure(const exchange *x, const qd_error *err)
{
    if (!x->rq.api->log || (err->code != QD_EINTERNAL && err->code != QD_EIO && err->code != QD_ENOMEM))
        return;
    char line[1024];
    snprintf(line, sizeof line, "%s %.*s: %s: %s", x->rq.method_name, QD_STR_FMT(x->rq.target),
             qd_status_name(err->code), err->message);
    x->rq.api->log(x->rq.api->log_arg, line);
}

static void run_handler(exchange *x)
{
    qd_error err = QD_ERROR_INIT;
    qd_status status = QD_OK;
    if (__atomic_load_n(&x->rq.canceled, __ATOMIC_RELAXED))
        status = qd_fail(&err, QD_ECANCELED, "the client closed its connection before the request was worked on");
    else
        status = x->rq.route->handler(&x->rq, &err);
    if (status == QD_OK && x->rq.out.failed)
        status = qd_fail(&err, QD_ELIMIT, "the answer would be larger than %zu bytes, or memory ran out: ask for less",
                         x->rq.out.max);
    if (status != QD_OK) {
        err.code = status;
        log_failure(x, &err);
        qd_error_answer(&x->rq, &err, 0);
    }
}

static void work(void *arg)
{
    exchange *x = arg;
    struct MHD_Connection *connection = x->connection;
    run_handler(x);
    qd_watch_remove(x->server->watch, &x->watched);
    if (atomic_exchange(&x->state, ANSWERED) == SUSPENDED)
        MHD_resume_connection(connection);
}

/* The pool has no room: the answer says so. */
static void reject(exchange *x)
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
static bool is_done_soon(const exchange *x)
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
static enum MHD_Result work_and_wait(exchange *x)
{
    x->state = WORKING;
    if (qd_pool_submit(x->server->pools[x->rq.route->work], work, x) != QD_OK) {
        reject(x);
        return send_answer(x);
    }
    if (is_done_soon(x))
        return send_answer(x);
    MHD_suspend_connection(x->connection);
    state expected = WORKING;
    if (!atomic_compare_exchange_strong(&x->state, &expected, SUSPENDED))
        MHD_resume_connection(x->connection);
    return MHD_YES;
}

static enum MHD_Result work_suspended(exchange *x)
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

static enum MHD_Result hand_to_pool(exchange *x, bool is_alone)
{
    const union MHD_ConnectionInfo *info = NULL;
    if (x->rq.route->work == QD_WORK_SEARCH)
        info = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info)
        qd_watch_add_work(x->server->watch, &x->watched, info->connect_fd, &x->rq.canceled);
    return is_alone && x->server->has_processors ? work_and_wait(x) : work_suspended(x);
}

static enum MHD_Result finish_receiving(exchange *x)
{
    x->rq.body = qd_buf_str(&x->body);
    x->rq.start_ns = qd_clock_mono_ns();
    x->is_active = true;
    if (x->of_connection)
        atomic_store(&x->of_connection->is_busy, true);
    bool is_alone = atomic_fetch_add(&x->server->active, 1) == 0;
    if (x->state == RECEIVING && atomic_load(&x->server->is_stopping)) {
        qd_fail(&x->refusal, QD_EBUSY, "the node is shutting down");
        refuse(x, QD_EBUSY, 503);
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

static enum MHD_Result begin(exchange *x, const char *method)
{
    size_t length = 0;
    x->has_begun = true;
    x->rq.method = parse_method(method);
    x->rq.method_name = x->rq.method ? method : "?";
    if (!x->rq.method && strlen(method) < 32)
        x->rq.method_name = qd_arena_strndup(x->rq.arena, method, strlen(method));
    copy_headers(x);
    if (begin_request(x, &length) != QD_OK) {
        /* Small bodies are read to their end first: a client that is still writing would see its connection
         * break and never the answer. One that asks first, or is out of all proportion, is told at once. */
        bool asks = header(x, "Expect") != NULL;
        return asks || length / 2 > x->server->options.max_body_bytes ? send_refusal(x) : MHD_YES;
    }
    if (length)
        qd_buf_reserve(&x->body, length < FIRST_BODY_BYTES ? length : FIRST_BODY_BYTES);
    account(x, x->body.cap);
    return MHD_YES;
}

static void collect(exchange *x, const char *bytes, size_t n)
{
    const qd_server_options *o = &x->server->options;
    size_t before = x->body.cap;
    qd_buf_add(&x->body, bytes, n);
    if (x->body.failed && x->body.n + n > o->max_body_bytes) {
        qd_fail(&x->refusal, QD_ETOOLARGE, "the request body has more than %zu bytes, the limit (http.max_body_bytes)",
                o->max_body_bytes);
    } else if (x->body.failed) {
        qd_fail_nomem(&x->refusal);
    } else {
        if (x->body.cap == before)
            return;
        account(x, x->body.cap);
        if (atomic_load(&x->server->inflight_bytes) <= o->max_inflight_bytes)
            return;
        qd_fail(&x->refusal, QD_EBUSY,
                "the bodies of all requests in progress exceed %zu bytes (http.max_inflight_bytes); try again later",
                o->max_inflight_bytes);
    }
    refuse(x, x->refusal.code, 0);
    qd_buf_deinit(&x->body);
    account(x, 0);
}

static enum MHD_Result receive(exchange *x, const char *bytes, size_t n)
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
    exchange *x = *context;
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
