/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "udf/stats_impl.h"

#define BUCKET        QD_STR("udf_stats")
#define ROW_VERSION   2 /* 1 had no stack of the last error, and is read too */
#define MAX_ROW_BYTES (128u << 10)

/* ---- bytes ---- */

static void put(qd_buf *out, uint64_t v)
{
    while (v >= 0x80) {
        qd_buf_add_char(out, (char)(v | 0x80));
        v >>= 7;
    }
    qd_buf_add_char(out, (char)v);
}

static void put_text(qd_buf *out, const char *z)
{
    qd_str s = qd_str_of(z);
    put(out, s.n);
    qd_buf_add_str(out, s);
}

static void put_histogram(qd_buf *out, const qd_histogram *h)
{
    size_t n = 0, bucket = 0;
    uint64_t middle, count, before = 0;
    while (qd_histogram_next(h, &bucket, &middle, &count))
        n++;
    put(out, h->min);
    put(out, h->max);
    put(out, n);
    for (bucket = 0; qd_histogram_next(h, &bucket, &middle, &count); before = middle) {
        put(out, middle - before);
        put(out, count);
    }
}

void qd_stats_row_write(const qd_stats_kept *k, qd_buf *out)
{
    const qd_stats_totals *t = &k->totals;
    const uint64_t numbers[] = {(uint64_t)k->last_used_ms, k->instances_peak, t->calls, t->documents, t->host_calls,
                                t->string_bytes,           t->total_ns};
    qd_buf_add_char(out, ROW_VERSION);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        put(out, numbers[i]);
    put(out, QD_STATS_ERROR_KINDS);
    for (size_t i = 0; i < QD_STATS_ERROR_KINDS; i++) {
        put(out, (uint64_t)-qd_stats_error_kind(i));
        put(out, k->errors[i]);
    }
    put(out, k->error ? (uint64_t)-k->error->code : 0);
    if (k->error) {
        put(out, (uint64_t)k->error->at_ms);
        put_text(out, k->error->message);
        put_text(out, k->error->document);
        put_text(out, k->error->stack);
    }
    put_histogram(out, &k->latency);
}

typedef struct reader {
    const unsigned char *p, *end;
    bool failed;
} reader;

static uint64_t get(reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (r->p == r->end)
            break;
        unsigned char byte = *r->p++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return v;
    }
    r->failed = true;
    return 0;
}

static void get_text(reader *r, char *out, size_t size)
{
    uint64_t n = get(r);
    if (r->failed || n > (size_t)(r->end - r->p) || n >= size) {
        r->failed = true;
        return;
    }
    memcpy(out, r->p, (size_t)n);
    out[n] = '\0';
    r->p += n;
}

static void get_errors(reader *r, qd_stats_kept *out)
{
    for (uint64_t n = get(r); n > 0 && !r->failed; n--) {
        uint64_t code = get(r), count = get(r);
        for (size_t i = 0; i < QD_STATS_ERROR_KINDS; i++)
            if ((uint64_t)-qd_stats_error_kind(i) == code)
                out->errors[i] += count;
    }
}

static void get_last_error(reader *r, char version, qd_stats_kept *out)
{
    uint64_t code = get(r);
    if (code == 0 || code > 1000)
        return;
    out->error = calloc(1, sizeof *out->error);
    if (!out->error) {
        r->failed = true;
        return;
    }
    out->error->code = (qd_status) - (int)code;
    out->error->at_ms = (int64_t)get(r);
    get_text(r, out->error->message, sizeof out->error->message);
    get_text(r, out->error->document, sizeof out->error->document);
    if (version > 1)
        get_text(r, out->error->stack, sizeof out->error->stack);
}

static void get_histogram(reader *r, qd_histogram *h)
{
    uint64_t min = get(r), max = get(r), middle = 0;
    for (uint64_t n = get(r); n > 0 && !r->failed; n--) {
        uint64_t step = get(r), count = get(r);
        middle += step;
        r->failed |= step > QD_HISTOGRAM_MAX || middle > QD_HISTOGRAM_MAX || !qd_histogram_record(h, middle, count);
    }
    r->failed |= min > max || max > QD_HISTOGRAM_MAX;
    if (r->failed || h->count == 0)
        return;
    h->min = min; /* exact, where the buckets have middles */
    h->max = max;
}

bool qd_stats_row_read(qd_str row, qd_stats_kept *out)
{
    reader r = {(const unsigned char *)row.p + 1, (const unsigned char *)row.p + row.n, false};
    if (row.n < 2 || row.p[0] < 1 || row.p[0] > ROW_VERSION)
        return false;
    out->last_used_ms = (int64_t)get(&r);
    out->instances_peak = (uint32_t)get(&r);
    out->totals.calls = get(&r);
    out->totals.documents = get(&r);
    out->totals.host_calls = get(&r);
    out->totals.string_bytes = get(&r);
    out->totals.total_ns = get(&r);
    get_errors(&r, out);
    get_last_error(&r, row.p[0], out);
    get_histogram(&r, &out->latency);
    return !r.failed && r.p == r.end && out->last_used_ms >= 0;
}

/* ---- the store ---- */

/* The row's content into an empty `out`; nothing when there is none or it cannot be read: it is written anew then. */
static qd_status fetch(qd_udf_stats *s, qd_stats_kept *out, qd_error *err)
{
    qd_buf row;
    qd_error why = QD_ERROR_INIT;
    qd_buf_init(&row, MAX_ROW_BYTES);
    qd_status st = qd_kv_get(s->kv, BUCKET, qd_str_of(s->label), &row, NULL, &why);
    if (st == QD_OK && !qd_stats_row_read(qd_buf_str(&row), out)) {
        qd_stats_kept_deinit(out);
        *out = (qd_stats_kept){0};
    }
    qd_buf_deinit(&row);
    if (st == QD_OK || st == QD_ENOTFOUND)
        return QD_OK;
    if (err)
        *err = why;
    return st;
}

static qd_status name_error(const qd_udf_stats *s, qd_status st, qd_error *err)
{
    qd_error_prefix(err, "the statistics of function '%s': ", s->label);
    return st;
}

qd_status qd_stats_row_peek(qd_udf_stats *s, qd_error *err)
{
    qd_stats_kept row = {0};
    qd_status st = fetch(s, &row, err);
    if (st != QD_OK)
        name_error(s, st, err);
    else
        atomic_store_explicit(&s->last_used_ms, row.last_used_ms, memory_order_relaxed);
    qd_stats_kept_deinit(&row);
    return st;
}

/* Called with row_mutex, so that nobody else loads or writes. */
static qd_status load(qd_udf_stats *s, qd_error *err)
{
    qd_stats_kept row = {0};
    pthread_mutex_lock(&s->mutex);
    bool is_loaded = s->is_loaded;
    pthread_mutex_unlock(&s->mutex);
    if (is_loaded || !s->kv)
        return QD_OK;
    qd_status st = fetch(s, &row, err);
    if (st == QD_OK) {
        pthread_mutex_lock(&s->mutex);
        /* A reset may have come between: then what the row has does not count any more. */
        s->is_loaded = s->is_loaded || qd_stats_kept_merge(&s->kept, &row);
        if (!s->is_loaded)
            st = qd_fail_nomem(err);
        pthread_mutex_unlock(&s->mutex);
    }
    qd_stats_kept_deinit(&row);
    return st;
}

qd_status qd_stats_row_load(qd_udf_stats *s, qd_error *err)
{
    pthread_mutex_lock(&s->row_mutex);
    qd_status st = load(s, err);
    pthread_mutex_unlock(&s->row_mutex);
    return st == QD_OK ? st : name_error(s, st, err);
}

static void encode(qd_udf_stats *s, qd_buf *row)
{
    int64_t last_used_ms = qd_udf_stats_last_used_ms(s);
    unsigned peak = atomic_load_explicit(&s->instances_peak, memory_order_relaxed);
    qd_stats_gather(s);
    pthread_mutex_lock(&s->mutex);
    s->kept.last_used_ms = last_used_ms;
    if (peak > s->kept.instances_peak)
        s->kept.instances_peak = peak;
    qd_stats_row_write(&s->kept, row);
    pthread_mutex_unlock(&s->mutex);
}

qd_status qd_stats_row_flush(qd_udf_stats *s, qd_error *err)
{
    qd_buf row;
    qd_status st = QD_OK;
    qd_buf_init(&row, MAX_ROW_BYTES);
    pthread_mutex_lock(&s->row_mutex);
    if (s->kv && atomic_exchange(&s->is_dirty, false)) {
        st = load(s, err);
        if (st == QD_OK)
            encode(s, &row);
        if (st == QD_OK && row.failed)
            st = qd_fail_nomem(err);
        if (st == QD_OK)
            st = qd_kv_put(s->kv, BUCKET, qd_str_of(s->label), qd_buf_str(&row), QD_KV_ANY, NULL, err);
        if (st != QD_OK) {
            qd_stats_mark_dirty(s);
            name_error(s, st, err);
        }
    }
    pthread_mutex_unlock(&s->row_mutex);
    qd_buf_deinit(&row);
    return st;
}

qd_status qd_stats_row_remove(qd_udf_stats *s, qd_error *err)
{
    qd_status st = QD_OK;
    pthread_mutex_lock(&s->row_mutex);
    if (s->kv)
        st = qd_kv_remove(s->kv, BUCKET, qd_str_of(s->label), QD_KV_ANY, err);
    if (st == QD_OK || st == QD_ENOTFOUND) {
        s->kv = NULL;
        st = QD_OK;
    }
    pthread_mutex_unlock(&s->row_mutex);
    return st;
}
