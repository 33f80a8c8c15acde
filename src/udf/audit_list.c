/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/audit_impl.h"

#define BLOCK 1024 /* entries looked at in one reading transaction */

/* What a listing looks for, and where it is. */
typedef struct lister {
    const qd_audit_filter *f;
    qd_log *log;
    qd_json *w;
    uint64_t low, high;    /* the numbers to look at, inclusive; low > high: none */
    qd_str name, version;  /* of f->udf */
    uint64_t n_matches;    /* so far, from the newest */
    uint64_t skip, end;    /* the page: matches [skip, end) */
    uint64_t block_end;    /* of the block at work */
    uint64_t found[BLOCK]; /* the block's matches, ascending */
    size_t n_found;
} lister;

/* ---- times ------------------------------------------------------------------------------------------------------- */

static bool take_time(void *arg, uint64_t seq, qd_str data)
{
    qd_audit_record r;
    int64_t *at_ms = arg;
    *at_ms = qd_audit_record_decode(seq, data, &r) ? r.at_ms : INT64_MIN;
    return true;
}

/* The first number in [low, high + 1] from which on entries are later than `ms`, or, with `or_equal`, not earlier.
 * Times never run backwards. */
static qd_status find_time(const lister *l, int64_t ms, bool or_equal, uint64_t *out, qd_error *err)
{
    uint64_t low = l->low, high = l->high + 1;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        int64_t at_ms = INT64_MIN;
        qd_status st = qd_log_read_one(l->log, middle, take_time, &at_ms, err);
        if (st != QD_OK && st != QD_ENOTFOUND) /* trimmed meanwhile: long ago */
            return st;
        if (at_ms > ms || (or_equal && at_ms == ms))
            high = middle;
        else
            low = middle + 1;
    }
    *out = low;
    return QD_OK;
}

static qd_status narrow(lister *l, qd_error *err)
{
    uint64_t at;
    qd_status st = QD_OK;
    if (l->f->since_ms != INT64_MIN && l->low <= l->high) {
        st = find_time(l, l->f->since_ms, true, &at, err);
        if (st == QD_OK)
            l->low = at;
    }
    if (st == QD_OK && l->f->until_ms != INT64_MAX && l->low <= l->high) {
        st = find_time(l, l->f->until_ms, false, &at, err);
        if (st == QD_OK)
            l->high = at - 1; /* numbers begin at 1 */
    }
    return st;
}

/* ---- entries ----------------------------------------------------------------------------------------------------- */

/* A damaged entry may be any: it is never hidden. */
static bool is_match(const lister *l, const qd_audit_record *r)
{
    if (l->f->action != QD_AUDIT_ANY && r->action != l->f->action)
        return false;
    if (l->name.n && !qd_str_eq(r->text[QD_AUDIT_NAME], l->name))
        return false;
    if (l->version.n && !qd_str_eq(r->text[QD_AUDIT_VERSION], l->version))
        return false;
    return !l->f->actor.n || qd_str_eq(r->text[QD_AUDIT_ACTOR], l->f->actor);
}

static bool look(void *arg, uint64_t seq, qd_str data)
{
    lister *l = arg;
    qd_audit_record r;
    if (seq >= l->block_end)
        return false;
    if (!qd_audit_record_decode(seq, data, &r) || is_match(l, &r))
        l->found[l->n_found++] = seq;
    return true;
}

static bool write_entry(void *arg, uint64_t seq, qd_str data)
{
    qd_json *w = arg;
    qd_audit_record r;
    if (qd_audit_record_decode(seq, data, &r)) {
        qd_audit_record_write(&r, w);
        return true;
    }
    qd_json_begin_object(w);
    qd_json_kv_i64(w, "seq", (int64_t)seq);
    qd_json_kv_z(w, "detail", "this entry cannot be read");
    qd_json_kv_bool(w, "damaged", true);
    qd_json_end_object(w);
    return true;
}

/* One that was trimmed since it was found is left out. */
static qd_status write_one(const lister *l, uint64_t seq, qd_error *err)
{
    qd_status st = qd_log_read_one(l->log, seq, write_entry, l->w, err);
    return st == QD_ENOTFOUND ? QD_OK : st;
}

/* Every entry in the range matches. */
static qd_status write_all(lister *l, qd_error *err)
{
    qd_status st = QD_OK;
    l->n_matches = l->low <= l->high ? l->high - l->low + 1 : 0;
    uint64_t end = l->end < l->n_matches ? l->end : l->n_matches;
    for (uint64_t i = l->skip; st == QD_OK && i < end; i++)
        st = write_one(l, l->high - i, err);
    return st;
}

/* From the newest block to the oldest: a block is read upwards, its matches are taken downwards. */
static qd_status write_matches(lister *l, qd_error *err)
{
    qd_status st = QD_OK;
    uint64_t end = l->high + 1;
    while (st == QD_OK && l->low < end) {
        uint64_t start = end - l->low > BLOCK ? end - BLOCK : l->low;
        l->block_end = end;
        l->n_found = 0;
        st = qd_log_read_from(l->log, start, look, l, err);
        for (size_t i = l->n_found; st == QD_OK && i-- > 0; l->n_matches++) {
            if (l->n_matches >= l->skip && l->n_matches < l->end)
                st = write_one(l, l->found[i], err);
        }
        end = start;
    }
    return st;
}

static qd_status list(lister *l, qd_error *err)
{
    const qd_audit_filter *f = l->f;
    uint64_t first, last;
    qd_status st = qd_log_bounds(l->log, &first, &last, err);
    if (st != QD_OK)
        return st;
    l->low = last == UINT64_MAX ? 1 : first;
    l->high = last == UINT64_MAX ? 0 : last;
    st = narrow(l, err);
    if (st != QD_OK)
        return st;
    bool wants_all = !f->udf.n && f->action == QD_AUDIT_ANY && !f->actor.n;
    return wants_all ? write_all(l, err) : write_matches(l, err);
}

qd_status qd_audit_list(qd_audit *a, const qd_audit_filter *f, qd_json *w, qd_error *err)
{
    lister l = {.f = f, .w = w, .name = f->udf};
    if (f->page < 1 || f->size < 1 || f->size > QD_AUDIT_MAX_SIZE)
        return qd_fail(err, QD_EINVAL, "page: expected 1 or more, and size 1 to %d", QD_AUDIT_MAX_SIZE);
    const char *at = f->udf.n ? memchr(f->udf.p, '@', f->udf.n) : NULL;
    if (at) {
        l.name.n = (size_t)(at - f->udf.p);
        l.version = (qd_str){at + 1, f->udf.n - l.name.n - 1};
    }
    l.skip = (uint64_t)(f->page - 1) * f->size;
    l.end = l.skip + f->size;
    qd_status st = qd_audit_begin_read(a, &l.log, err);
    if (st != QD_OK)
        return st;
    qd_json_begin_object(w);
    qd_json_key(w, "entries");
    qd_json_begin_array(w);
    st = list(&l, err);
    qd_audit_end_read(a);
    qd_json_end_array(w);
    qd_json_kv_i64(w, "total", (int64_t)l.n_matches);
    qd_json_kv_i64(w, "page", f->page);
    qd_json_kv_i64(w, "size", f->size);
    qd_json_end_object(w);
    return st;
}
