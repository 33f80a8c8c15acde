/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/registry_history.h"

#include <stdlib.h>

#include "udf/packed.h"

#define FIRST_BYTES    "QH\1"
#define LEAST_LINE     11  /* bytes */
#define MAX_BYTES      64  /* of a version */
#define MAX_NAME_BYTES 128 /* of who */

const char *qd_history_action_name(qd_history_action a)
{
    static const char *const NAMES[] = {
        [QD_HISTORY_REGISTER] = "register", [QD_HISTORY_REGISTER_INACTIVE] = "register",
        [QD_HISTORY_ACTIVATE] = "activate", [QD_HISTORY_ROLLBACK] = "rollback",
        [QD_HISTORY_DELETE] = "delete",
    };
    return NAMES[a];
}

bool qd_history_read_active(qd_str bytes, qd_str *out)
{
    qd_unpacker u = {bytes, false};
    if (!qd_str_is(qd_unpack_bytes(&u, 3), FIRST_BYTES))
        return false;
    qd_str active = qd_unpack_str(&u, 1);
    if (!u.failed)
        *out = active;
    return !u.failed;
}

qd_status qd_history_unpack(qd_str bytes, qd_history *out)
{
    qd_unpacker u = {bytes, false};
    *out = (qd_history){.lines = calloc(bytes.n / LEAST_LINE + 2, sizeof *out->lines)};
    if (!out->lines || bytes.n == 0)
        return out->lines ? QD_OK : QD_ENOMEM;
    if (!qd_str_is(qd_unpack_bytes(&u, 3), FIRST_BYTES))
        return QD_EPARSE;
    out->active = qd_unpack_str(&u, 1);
    while (!u.failed && u.rest.n > 0) {
        qd_history_line *line = &out->lines[out->n];
        uint64_t action = qd_unpack_u64(&u, 1);
        line->action = (qd_history_action)action;
        line->at_ms = (int64_t)qd_unpack_u64(&u, 8);
        line->version = qd_unpack_str(&u, 1);
        line->by = qd_unpack_str(&u, 1);
        if (u.failed || action < QD_HISTORY_REGISTER || action > QD_HISTORY_DELETE)
            return QD_EPARSE;
        out->n++;
    }
    return u.failed ? QD_EPARSE : QD_OK;
}

void qd_history_deinit(qd_history *h)
{
    free(h->lines);
    h->lines = NULL;
}

void qd_history_add(qd_history *h, qd_history_action action, qd_str version, qd_str by, int64_t at_ms)
{
    h->lines[h->n++] = (qd_history_line){action, at_ms, version, by};
}

/* Cut between two characters. */
static qd_str cut(qd_str s, size_t most)
{
    if (s.n <= most)
        return s;
    while (most > 0 && ((uint8_t)s.p[most] & 0xc0) == 0x80)
        most--;
    return (qd_str){s.p, most};
}

void qd_history_pack(const qd_history *h, qd_buf *out)
{
    qd_buf_add_z(out, FIRST_BYTES);
    qd_pack_str(out, cut(h->active, MAX_BYTES), 1);
    for (size_t i = h->n > QD_HISTORY_MAX_LINES ? h->n - QD_HISTORY_MAX_LINES : 0; i < h->n; i++) {
        const qd_history_line *line = &h->lines[i];
        qd_pack_u64(out, (uint64_t)line->action, 1);
        qd_pack_u64(out, (uint64_t)line->at_ms, 8);
        qd_pack_str(out, cut(line->version, MAX_BYTES), 1);
        qd_pack_str(out, cut(line->by, MAX_NAME_BYTES), 1);
    }
}

void qd_history_settle(qd_history *h, qd_history_exists_fn *exists, const void *arg)
{
    while (h->n > 0) {
        const qd_history_line *last = &h->lines[h->n - 1];
        bool is_registering = last->action == QD_HISTORY_REGISTER || last->action == QD_HISTORY_REGISTER_INACTIVE;
        if (!is_registering || exists(arg, last->version))
            return;
        h->n--;
    }
}

/* ---- the stack of active versions ---- */

static size_t find_down(const qd_str *stack, size_t n, qd_str version)
{
    while (n > 0 && !qd_str_eq(stack[n - 1], version))
        n--;
    return n;
}

static size_t push(qd_str *stack, size_t n, qd_str version)
{
    if (n > 0 && qd_str_eq(stack[n - 1], version))
        return n;
    stack[n] = version;
    return n + 1;
}

/* What is left may have neighbours that are the same: A B A without B is A. */
static size_t take_out(qd_str *stack, size_t n, qd_str version)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!qd_str_eq(stack[i], version))
            kept = push(stack, kept, stack[i]);
    return kept;
}

static size_t replay(const qd_history *h, qd_str *stack)
{
    size_t n = 0, found;
    for (size_t i = 0; i < h->n; i++) {
        const qd_history_line *line = &h->lines[i];
        switch (line->action) {
        case QD_HISTORY_REGISTER:
        case QD_HISTORY_ACTIVATE:
            n = push(stack, n, line->version);
            break;
        case QD_HISTORY_ROLLBACK:
            found = find_down(stack, n, line->version);
            n = found > 0 ? found : push(stack, n, line->version);
            break;
        case QD_HISTORY_DELETE:
            n = take_out(stack, n, line->version);
            break;
        case QD_HISTORY_REGISTER_INACTIVE:
            break;
        }
    }
    return n;
}

qd_status qd_history_previous(const qd_history *h, qd_history_exists_fn *exists, const void *arg, qd_str *out,
                              qd_error *err)
{
    qd_str *stack = calloc(h->n + 1, sizeof *stack);
    if (!stack)
        return qd_fail_nomem(err);
    size_t n = replay(h, stack);
    *out = (qd_str){"", 0};
    while (n > 0 && (qd_str_eq(stack[n - 1], h->active) || !exists(arg, stack[n - 1])))
        n--;
    if (n > 0)
        *out = stack[n - 1];
    free(stack);
    return QD_OK;
}
