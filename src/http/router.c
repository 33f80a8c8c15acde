/* SPDX-License-Identifier: Apache-2.0 */
#include "http/router.h"

#include <stdio.h>

#define MAX_ROUTER_BYTES ((size_t)4 << 20)
#define METHODS          5

typedef struct node {
    struct node *sibling, *first_child, *wildcard;
    qd_str literal;
    const qd_route *routes[METHODS]; /* by the number of the method's bit */
} node;

struct qd_router {
    qd_arena *arena;
    node root;
};

static const char *const METHOD_NAMES[METHODS] = {"GET", "HEAD", "POST", "PUT", "DELETE"};
/* Allowed everywhere. `human` and `error_trace` change nothing here. */
static const char COMMON_PARAMS[] = QD_COMMON_PARAMS;

static node *find_child(const node *parent, qd_str literal)
{
    for (node *c = parent->first_child; c; c = c->sibling) {
        if (qd_str_eq(c->literal, literal))
            return c;
    }
    return NULL;
}

static node *child_for(qd_router *r, node *parent, qd_str segment)
{
    bool is_wildcard = segment.p[0] == '{';
    node *c = is_wildcard ? parent->wildcard : find_child(parent, segment);
    if (c)
        return c;
    c = QD_NEW(r->arena, node);
    if (!c)
        return NULL;
    c->literal = segment;
    if (is_wildcard) {
        parent->wildcard = c;
    } else {
        c->sibling = parent->first_child;
        parent->first_child = c;
    }
    return c;
}

static qd_status add_route(qd_router *r, const qd_route *route, qd_error *err)
{
    node *at = &r->root;
    const char *p = route->path;
    while (*p == '/' && p[1]) {
        size_t n = strcspn(++p, "/");
        at = child_for(r, at, (qd_str){p, n});
        if (!at)
            return qd_fail_nomem(err);
        p += n;
    }
    for (size_t m = 0; m < METHODS; m++) {
        if (!(route->methods & (1u << m)))
            continue;
        if (at->routes[m])
            return qd_fail(err, QD_EINTERNAL, "routes table: two rows for %s %s", METHOD_NAMES[m], route->path);
        at->routes[m] = route;
    }
    return QD_OK;
}

qd_status qd_router_new(const qd_route *table, size_t n, qd_router **out, qd_error *err)
{
    qd_arena *arena = qd_arena_new(MAX_ROUTER_BYTES);
    qd_router *r = arena ? QD_NEW(arena, qd_router) : NULL;
    if (!r) {
        qd_arena_free(arena);
        return qd_fail_nomem(err);
    }
    r->arena = arena;
    for (size_t i = 0; i < n; i++) {
        qd_status status = add_route(r, &table[i], err);
        if (status != QD_OK) {
            qd_router_free(r);
            return status;
        }
    }
    *out = r;
    return QD_OK;
}

void qd_router_free(qd_router *r)
{
    if (r)
        qd_arena_free(r->arena);
}

static const qd_route *route_for(const node *at, qd_method method)
{
    size_t bit = (size_t)__builtin_ctz(method);
    if (at->routes[bit] || method != QD_HEAD)
        return at->routes[bit];
    return at->routes[0];
}

static unsigned methods_of(const node *at)
{
    unsigned methods = 0;
    for (size_t m = 0; m < METHODS; m++)
        methods |= at->routes[m] ? 1u << m : 0;
    return methods & QD_GET ? methods | QD_HEAD : methods;
}

/* Depth first from segment `i`; no deeper than the URI's bound on segments. `*allowed` gathers the methods of
 * the paths that fit. */
static const qd_route *match(const node *at, qd_request *rq, size_t i, size_t n_args, unsigned *allowed)
{
    if (i == rq->uri.n_segments) {
        const qd_route *found = route_for(at, rq->method);
        *allowed |= methods_of(at);
        if (found)
            rq->n_args = n_args;
        return found;
    }
    const node *literal = find_child(at, rq->uri.segments[i]);
    const qd_route *found = literal ? match(literal, rq, i + 1, n_args, allowed) : NULL;
    if (!found && at->wildcard) {
        rq->args[n_args] = &rq->uri.segments[i];
        found = match(at->wildcard, rq, i + 1, n_args + 1, allowed);
    }
    return found;
}

static const char *list_methods(unsigned methods, qd_arena *arena)
{
    char text[64] = "";
    size_t n = 0;
    for (size_t m = 0; m < METHODS; m++) {
        if (methods & (1u << m))
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? ", " : "", METHOD_NAMES[m]);
    }
    return qd_arena_strndup(arena, text, n);
}

qd_status qd_router_match(const qd_router *r, qd_request *rq, qd_error *err)
{
    unsigned allowed = 0;
    rq->route = rq->method ? match(&r->root, rq, 0, 0, &allowed) : NULL;
    if (rq->route)
        return QD_OK;
    if (!rq->method) {
        /* PATCH and the like: look what the path would allow. */
        rq->method = QD_HEAD;
        match(&r->root, rq, 0, 0, &allowed);
        rq->method = 0;
    }
    rq->n_args = 0;
    if (!allowed)
        return qd_fail(err, QD_EINVAL, "no handler found for uri [%.*s] and method [%s]", QD_STR_FMT(rq->target),
                       rq->method_name);
    const char *list = list_methods(allowed, rq->arena);
    qd_request_add_header(rq, "Allow", list);
    return qd_fail(err, QD_EMETHOD, "Incorrect HTTP method for uri [%.*s] and method [%s], allowed: [%s]",
                   QD_STR_FMT(rq->target), rq->method_name, list ? list : "");
}

/* Is `name` one of the words of `list`? */
static bool is_listed(const char *list, qd_str name)
{
    while (*list) {
        size_t n = strcspn(list, " ");
        if (n == name.n && memcmp(list, name.p, n) == 0)
            return true;
        list += n;
        list += *list == ' ';
    }
    return false;
}

qd_status qd_router_check_params(const qd_request *rq, qd_error *err)
{
    char names[256] = "", first[64] = "";
    size_t n = 0, unknown = 0;
    for (size_t i = 0; i < rq->uri.n_params; i++) {
        qd_str name = rq->uri.params[i].name;
        if (is_listed(COMMON_PARAMS, name) || is_listed(rq->route->params, name))
            continue;
        if (unknown++ == 0)
            snprintf(first, sizeof first, "%.*s", QD_STR_FMT(name));
        if (n < sizeof names)
            n += (size_t)snprintf(names + n, sizeof names - n, "%s[%.*s]", unknown > 1 ? ", " : "", QD_STR_FMT(name));
    }
    if (!unknown)
        return QD_OK;
    return qd_fail_field(err, QD_EINVAL, first, "request [%.*s] contains unrecognized parameter%s: %s",
                         QD_STR_FMT(rq->uri.path), unknown > 1 ? "s" : "", names);
}
