/* SPDX-License-Identifier: Apache-2.0 */
#include "http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/server_impl.h"

#define BACKLOG 1024
/* Per connection, for headers and for what is read at once of a body. */
#define CONNECTION_MEMORY_BYTES ((size_t)32 << 10)
#define STOP_POLL_NS            ((long)2 * 1000 * 1000)

/* Paths are decoded by uri.c, segment by segment. */
static size_t leave_encoded(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls, (void)connection;
    return strlen(text);
}

/* Each connection is watched from its start to its end; what it is watched with is its context. */
static void connection_changed(void *cls, struct MHD_Connection *connection, void **context,
                               enum MHD_ConnectionNotificationCode code)
{
    qd_server *s = cls;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*context)
            qd_watch_remove(s->watch, *context);
        free(*context);
        *context = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    int on = 1;
    if (!info)
        return;
    setsockopt(info->connect_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    *context = calloc(1, sizeof(qd_watched));
    if (*context)
        qd_watch_add_connection(s->watch, *context, info->connect_fd);
}

/* ---- listening --------------------------------------------------------------------------------------------------- */

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24) == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

static void describe_address(qd_server *s, int fd)
{
    struct sockaddr_storage bound;
    socklen_t n = sizeof bound;
    char host[INET6_ADDRSTRLEN] = "?", port[8] = "0";
    if (getsockname(fd, (struct sockaddr *)&bound, &n) != 0)
        return;
    getnameinfo((struct sockaddr *)&bound, n, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    s->port = (uint16_t)strtoul(port, NULL, 10);
    s->is_loopback = is_loopback((struct sockaddr *)&bound);
    snprintf(s->api->address, sizeof s->api->address, bound.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

static qd_status listen_on(qd_server *s, int *out, qd_error *err)
{
    const qd_server_options *o = &s->options;
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found = NULL;
    char port[8];
    snprintf(port, sizeof port, "%u", o->port);
    int failed = getaddrinfo(o->host, port, &hints, &found);
    if (failed)
        return qd_fail_field(err, QD_EINVAL, "http.host", "http.host: '%s' is no address to listen on: %s", o->host,
                             gai_strerror(failed));
    int on = 1, fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        qd_fail(err, QD_EIO, "http: cannot listen on %s port %u: %s", o->host, o->port, strerror(errno));
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    if (fd < 0)
        return QD_EIO;
    describe_address(s, fd);
    *out = fd;
    return QD_OK;
}

static qd_status start_daemon(qd_server *s, qd_error *err)
{
    int fd = -1;
    qd_status status = listen_on(s, &fd, err);
    if (status != QD_OK)
        return status;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC;
    /* A pool of one is refused: the one internal thread is meant then. */
    unsigned pool = s->options.threads > 1 ? s->options.threads : 0;
    s->daemon =
        MHD_start_daemon(flags, 0, NULL, NULL, qd_exchange_handle, s, MHD_OPTION_LISTEN_SOCKET, fd,
                         MHD_OPTION_THREAD_POOL_SIZE, pool, MHD_OPTION_CONNECTION_LIMIT, s->options.max_connections,
                         MHD_OPTION_CONNECTION_TIMEOUT, s->options.idle_timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                         CONNECTION_MEMORY_BYTES, MHD_OPTION_NOTIFY_COMPLETED, qd_exchange_close, s,
                         MHD_OPTION_NOTIFY_CONNECTION, connection_changed, s, MHD_OPTION_URI_LOG_CALLBACK,
                         qd_exchange_open, s, MHD_OPTION_UNESCAPE_CALLBACK, leave_encoded, NULL, MHD_OPTION_END);
    if (s->daemon)
        return QD_OK;
    close(fd);
    return qd_fail(err, QD_EIO, "http: cannot start the server: %s", errno ? strerror(errno) : "no reason given");
}

/* ---- start and stop ---------------------------------------------------------------------------------------------- */

static void free_parts(qd_server *s)
{
    for (size_t i = 0; i < QD_WORK_KINDS; i++)
        qd_pool_free(s->pools[i]);
    qd_watch_free(s->watch);
    qd_rate_limiter_free(s->limiter);
    qd_router_free(s->router);
    qd_metrics_free(s->metrics);
    free(s);
}

static qd_status start_parts(qd_server *s, qd_error *err)
{
    const qd_server_options *o = &s->options;
    qd_status status = qd_router_new(QD_ROUTES, QD_ROUTES_COUNT, &s->router, err);
    if (status == QD_OK && !(s->metrics = qd_metrics_new(QD_ROUTES, QD_ROUTES_COUNT)))
        status = qd_fail_nomem(err);
    if (status == QD_OK && !(s->limiter = qd_rate_limiter_new(&o->rate)))
        status = qd_fail_nomem(err);
    if (status == QD_OK)
        status = qd_watch_new(&s->watch, err);
    if (status == QD_OK)
        status = qd_pool_new("search", o->search_threads, o->search_queue, &s->pools[QD_WORK_SEARCH], err);
    if (status == QD_OK)
        status = qd_pool_new("write", o->write_threads, o->write_queue, &s->pools[QD_WORK_WRITE], err);
    if (status == QD_OK)
        status = qd_pool_new("admin", o->admin_threads, o->write_queue, &s->pools[QD_WORK_ADMIN], err);
    s->api->search_pool = s->pools[QD_WORK_SEARCH];
    s->api->metrics = s->metrics;
    s->api->inflight_bytes = &s->inflight_bytes;
    return status;
}

qd_status qd_server_start(const qd_server_options *options, qd_api *api, qd_server **out, qd_error *err)
{
    qd_server *s = calloc(1, sizeof *s);
    if (!s)
        return qd_fail_nomem(err);
    s->options = *options;
    s->api = api;
    s->has_processors = sysconf(_SC_NPROCESSORS_ONLN) > 1;
    qd_status status = start_parts(s, err);
    if (status == QD_OK)
        status = start_daemon(s, err);
    if (status != QD_OK) {
        free_parts(s);
        return status;
    }
    if (!s->is_loopback && api->log)
        api->log(api->log_arg, "warning: listening beyond loopback, and there is no authentication yet: whoever "
                               "reaches the port can do everything");
    *out = s;
    return QD_OK;
}

uint16_t qd_server_port(const qd_server *s)
{
    return s->port;
}

static void wait_until_idle(qd_server *s, int64_t deadline_ns)
{
    struct timespec pause = {0, STOP_POLL_NS};
    while (atomic_load(&s->active) > 0 && qd_clock_mono_ns() < deadline_ns)
        nanosleep(&pause, NULL);
}

void qd_server_stop(qd_server *s, unsigned grace_ms)
{
    if (!s)
        return;
    int64_t grace_ns = (int64_t)grace_ms * 1000000;
    atomic_store(&s->is_stopping, true);
    MHD_socket listening = MHD_quiesce_daemon(s->daemon);
    wait_until_idle(s, qd_clock_mono_ns() + grace_ns);
    if (atomic_load(&s->active) > 0) {
        qd_watch_cancel_all(s->watch);
        /* No connection may be suspended when the daemon stops: pools end first, each task resumes its own. */
        for (size_t i = 0; i < QD_WORK_KINDS; i++) {
            qd_pool_free(s->pools[i]);
            s->pools[i] = NULL;
        }
        wait_until_idle(s, qd_clock_mono_ns() + grace_ns / 10);
    }
    MHD_stop_daemon(s->daemon);
    if (listening != MHD_INVALID_SOCKET)
        close(listening);
    free_parts(s);
}
