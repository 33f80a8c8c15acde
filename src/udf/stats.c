/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "udf/stats_impl.h"

#define PS_PER_NS 1000

const double QD_STATS_BOUNDS_NS[QD_STATS_BOUNDS] = {5,   10,   25,    50,     100,     250,
                                                    1e3, 10e3, 100e3, 1000e3, 10000e3, 100000e3};

/* What is not among them counts as the last. */
static const qd_status KINDS[QD_STATS_ERROR_KINDS] = {QD_EUDF_FAILED, QD_EUDF_TIMEOUT, QD_EUDF_MEMORY, QD_EUDF_PARAMS,
                                                      QD_EBUSY,       QD_ENOMEM,       QD_EINTERNAL};

qd_status qd_stats_error_kind(size_t i)
{
    return KINDS[i];
}

/* ---- life ---- */

qd_udf_stats *qd_udf_stats_new(qd_str name, qd_str version)
{
    qd_udf_stats *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    atomic_init(&s->refs, 1);
    qd_recent_logs_init(&s->logs);
    pthread_mutex_init(&s->mutex, NULL);
    pthread_mutex_init(&s->row_mutex, NULL);
    s->is_loaded = true;
    snprintf(s->label, sizeof s->label, "%.*s", (int)(name.n > 64 ? 64 : name.n), name.p ? name.p : "");
    s->name_n = (uint32_t)strlen(s->label);
    snprintf(s->label + s->name_n, sizeof s->label - s->name_n, "@%.*s", (int)(version.n > 64 ? 64 : version.n),
             version.p ? version.p : "");
    return s;
}

void qd_stats_kept_deinit(qd_stats_kept *k)
{
    qd_histogram_deinit(&k->latency);
    free(k->error);
    k->error = NULL;
}

void qd_udf_stats_ref(qd_udf_stats *s)
{
    if (s)
        atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
}

void qd_udf_stats_unref(qd_udf_stats *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < QD_STATS_SHARDS; i++) {
        qd_stats_shard *shard = atomic_load_explicit(&s->shards[i], memory_order_relaxed);
        if (shard)
            pthread_mutex_destroy(&shard->mutex);
        free(shard);
    }
    qd_stats_kept_deinit(&s->kept);
    qd_recent_logs_deinit(&s->logs);
    pthread_mutex_destroy(&s->row_mutex);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

/* ---- adding ---- */

static size_t own_slot(void)
{
    static atomic_uint given;
    static _Thread_local unsigned slot; /* from 1; 0: none yet */
    if (slot == 0)
        slot = 1 + atomic_fetch_add_explicit(&given, 1, memory_order_relaxed) % QD_STATS_SHARDS;
    return slot - 1;
}

static qd_stats_shard *make_shard(_Atomic(qd_stats_shard *) *place)
{
    qd_stats_shard *existing = NULL, *made = aligned_alloc(_Alignof(qd_stats_shard), sizeof *made);
    if (!made)
        return NULL;
    memset(made, 0, sizeof *made);
    pthread_mutex_init(&made->mutex, NULL);
    if (atomic_compare_exchange_strong(place, &existing, made))
        return made;
    pthread_mutex_destroy(&made->mutex);
    free(made);
    return existing;
}

static qd_stats_shard *own_shard(qd_udf_stats *s)
{
    _Atomic(qd_stats_shard *) *place = &s->shards[own_slot()];
    qd_stats_shard *shard = atomic_load_explicit(place, memory_order_acquire);
    return shard ? shard : make_shard(place);
}

static int64_t coarse_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME_COARSE, &t); /* some ms late, a quarter of the other's price */
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Shared cache lines are written only when something changes. */
void qd_stats_mark_dirty(qd_udf_stats *s)
{
    if (!atomic_load_explicit(&s->is_dirty, memory_order_relaxed))
        atomic_store_explicit(&s->is_dirty, true, memory_order_relaxed);
}

static void mark_used(qd_udf_stats *s, int64_t now_ms)
{
    if (atomic_load_explicit(&s->last_used_ms, memory_order_relaxed) < now_ms)
        atomic_store_explicit(&s->last_used_ms, now_ms, memory_order_relaxed);
    qd_stats_mark_dirty(s);
}

static void add_totals(qd_stats_totals *to, const qd_stats_totals *from)
{
    to->calls += from->calls;
    to->documents += from->documents;
    to->host_calls += from->host_calls;
    to->string_bytes += from->string_bytes;
    to->total_ns += from->total_ns;
}

/* Out of memory for a group of buckets: these blocks are in the totals, and missing in the percentiles. */
static void add_pending(qd_histogram *h, const qd_stats_pending *p)
{
    for (uint32_t i = 0; i < p->n; i++)
        (void)qd_histogram_record(h, p->blocks[i].call_ps, p->blocks[i].calls);
}

static void add_gathered(qd_udf_stats *s, const qd_stats_totals *totals, const qd_stats_pending *pending)
{
    pthread_mutex_lock(&s->mutex);
    add_totals(&s->kept.totals, totals);
    add_pending(&s->kept.latency, pending);
    const qd_stats_totals *all = &s->kept.totals;
    double rough = all->calls ? (double)all->total_ns * PS_PER_NS / (double)all->calls : 0;
    atomic_store_explicit(&s->rough_ps, rough < 1e18 ? (uint64_t)rough : 0, memory_order_relaxed);
    pthread_mutex_unlock(&s->mutex);
}

/* Empties a shard into copies. Called with its mutex. */
static void take_shard(qd_stats_shard *shard, qd_stats_totals *totals, qd_stats_pending *pending)
{
    *totals = shard->totals;
    *pending = shard->pending;
    shard->totals = (qd_stats_totals){0};
    shard->pending.n = 0;
}

void qd_udf_stats_add(qd_udf_stats *s, const qd_stats_block *b)
{
    qd_stats_shard *shard = s ? own_shard(s) : NULL;
    qd_stats_totals totals;
    qd_stats_pending pending;
    bool is_full = false;
    if (!shard)
        return;
    uint64_t ns = b->ns > 0 ? (uint64_t)b->ns : 0;
    pthread_mutex_lock(&shard->mutex);
    add_totals(&shard->totals, &(qd_stats_totals){b->calls, b->documents, b->host_calls, b->string_bytes, ns});
    if (b->calls > 0) {
        qd_stats_pending *p = &shard->pending;
        p->blocks[p->n].call_ps = ns * PS_PER_NS / b->calls;
        p->blocks[p->n].calls = b->calls;
        is_full = ++p->n == QD_STATS_PENDING;
    }
    if (is_full)
        take_shard(shard, &totals, &pending);
    pthread_mutex_unlock(&shard->mutex);
    if (is_full)
        add_gathered(s, &totals, &pending);
    mark_used(s, coarse_ms());
}

void qd_stats_gather(qd_udf_stats *s)
{
    qd_stats_totals totals;
    qd_stats_pending pending;
    for (size_t i = 0; i < QD_STATS_SHARDS; i++) {
        qd_stats_shard *shard = atomic_load_explicit(&s->shards[i], memory_order_acquire);
        if (!shard)
            continue;
        pthread_mutex_lock(&shard->mutex);
        take_shard(shard, &totals, &pending);
        pthread_mutex_unlock(&shard->mutex);
        add_gathered(s, &totals, &pending);
    }
}

static size_t kind_of(qd_status code)
{
    size_t i = 0;
    while (i < QD_STATS_ERROR_KINDS - 1 && KINDS[i] != code)
        i++;
    return i;
}

void qd_udf_stats_error(qd_udf_stats *s, const qd_error *why, const qd_str *document)
{
    if (!s || why->code == QD_ECANCELED)
        return;
    int64_t now_ms = coarse_ms();
    pthread_mutex_lock(&s->mutex);
    s->kept.errors[kind_of(why->code)]++;
    if (!s->kept.error)
        s->kept.error = calloc(1, sizeof *s->kept.error);
    if (s->kept.error) {
        qd_stats_last_error *e = s->kept.error;
        e->code = why->code;
        e->at_ms = now_ms;
        snprintf(e->message, sizeof e->message, "%s", why->message);
        snprintf(e->document, sizeof e->document, "%.*s", document ? (int)(document->n > 128 ? 128 : document->n) : 0,
                 document && document->p ? document->p : "");
        memcpy(e->stack, why->stack, strlen(why->stack) + 1);
    }
    pthread_mutex_unlock(&s->mutex);
    mark_used(s, now_ms);
    if (qd_recent_logs_wants(&s->logs, QD_RECENT_ERROR, now_ms))
        qd_recent_logs_add(&s->logs, now_ms, QD_RECENT_ERROR, qd_str_of(why->message), document);
}

void qd_udf_stats_more_errors(qd_udf_stats *s, qd_status code, uint64_t n)
{
    if (!s || n == 0 || code == QD_ECANCELED)
        return;
    pthread_mutex_lock(&s->mutex);
    s->kept.errors[kind_of(code)] += n;
    pthread_mutex_unlock(&s->mutex);
    mark_used(s, coarse_ms());
}

void qd_udf_stats_instance_up(qd_udf_stats *s)
{
    if (!s)
        return;
    unsigned now = atomic_fetch_add_explicit(&s->instances, 1, memory_order_relaxed) + 1;
    unsigned peak = atomic_load_explicit(&s->instances_peak, memory_order_relaxed);
    while (now > peak && !atomic_compare_exchange_weak_explicit(&s->instances_peak, &peak, now, memory_order_relaxed,
                                                                memory_order_relaxed)) {
    }
}

void qd_udf_stats_instance_down(qd_udf_stats *s, uint64_t linear_bytes)
{
    if (!s)
        return;
    atomic_fetch_sub_explicit(&s->instances, 1, memory_order_relaxed);
    uint_fast64_t peak = atomic_load_explicit(&s->linear_peak_bytes, memory_order_relaxed);
    while (linear_bytes > peak && !atomic_compare_exchange_weak_explicit(&s->linear_peak_bytes, &peak, linear_bytes,
                                                                         memory_order_relaxed, memory_order_relaxed)) {
    }
}

/* ---- reading ---- */

int64_t qd_udf_stats_last_used_ms(const qd_udf_stats *s)
{
    return s ? atomic_load_explicit((atomic_int_fast64_t *)&s->last_used_ms, memory_order_relaxed) : 0;
}

double qd_udf_stats_rough_ns(qd_udf_stats *s)
{
    return s ? (double)atomic_load_explicit(&s->rough_ps, memory_order_relaxed) / PS_PER_NS : 0;
}

qd_recent_logs *qd_udf_stats_logs(qd_udf_stats *s)
{
    return s ? &s->logs : NULL;
}

bool qd_stats_kept_merge(qd_stats_kept *into, qd_stats_kept *from)
{
    if (!qd_histogram_merge(&into->latency, &from->latency))
        return false;
    add_totals(&into->totals, &from->totals);
    for (size_t i = 0; i < QD_STATS_ERROR_KINDS; i++)
        into->errors[i] += from->errors[i];
    if (from->instances_peak > into->instances_peak)
        into->instances_peak = from->instances_peak;
    if (from->last_used_ms > into->last_used_ms)
        into->last_used_ms = from->last_used_ms;
    if (!into->error)
        into->error = QD_TAKE(from->error);
    return true;
}

static double percentile_ns(const qd_histogram *h, double percent)
{
    return (double)qd_histogram_percentile(h, percent) / PS_PER_NS;
}

static void summarize(const qd_stats_kept *k, qd_stats_summary *out)
{
    const qd_histogram *h = &k->latency;
    out->calls = k->totals.calls;
    out->documents = k->totals.documents;
    out->host_calls = k->totals.host_calls;
    out->string_bytes = k->totals.string_bytes;
    out->total_ns = k->totals.total_ns;
    for (size_t i = 0; i < QD_STATS_ERROR_KINDS; i++) {
        out->errors_by_kind[i] = k->errors[i];
        out->errors += k->errors[i];
    }
    out->latency_count = h->count;
    if (h->count > 0) {
        out->min_ns = (double)h->min / PS_PER_NS;
        out->max_ns = (double)h->max / PS_PER_NS;
    }
    if (out->calls > 0)
        out->avg_ns = (double)out->total_ns / (double)out->calls;
    out->p50_ns = percentile_ns(h, 50);
    out->p95_ns = percentile_ns(h, 95);
    out->p99_ns = percentile_ns(h, 99);
    out->p999_ns = percentile_ns(h, 99.9);
    for (size_t i = 0; i < QD_STATS_BOUNDS; i++)
        out->calls_to[i] = qd_histogram_count_to(h, (uint64_t)(QD_STATS_BOUNDS_NS[i] * PS_PER_NS));
    if (k->error) {
        out->last_error_code = k->error->code;
        out->last_error_ms = k->error->at_ms;
        memcpy(out->last_error, k->error->message, sizeof out->last_error);
        memcpy(out->last_error_document, k->error->document, sizeof out->last_error_document);
    }
}

/* `stack` may be NULL. */
static qd_status read_all(qd_udf_stats *s, qd_stats_summary *out, char *stack, qd_error *err)
{
    qd_stats_summary got = {0};
    qd_status st = s ? qd_stats_row_load(s, err) : QD_OK;
    if (st != QD_OK)
        return st;
    if (s) {
        qd_stats_gather(s);
        snprintf(got.name, sizeof got.name, "%.*s", (int)s->name_n, s->label);
        snprintf(got.version, sizeof got.version, "%s", s->label + s->name_n + 1);
        got.last_used_ms = qd_udf_stats_last_used_ms(s);
        got.instances = atomic_load_explicit(&s->instances, memory_order_relaxed);
        got.linear_peak_bytes = atomic_load_explicit(&s->linear_peak_bytes, memory_order_relaxed);
        pthread_mutex_lock(&s->mutex);
        summarize(&s->kept, &got);
        got.instances_peak = s->kept.instances_peak;
        if (stack && s->kept.error)
            memcpy(stack, s->kept.error->stack, sizeof s->kept.error->stack);
        pthread_mutex_unlock(&s->mutex);
        unsigned peak = atomic_load_explicit(&s->instances_peak, memory_order_relaxed);
        if (peak > got.instances_peak)
            got.instances_peak = peak;
    }
    *out = got;
    return QD_OK;
}

qd_status qd_udf_stats_read(qd_udf_stats *s, qd_stats_summary *out, qd_error *err)
{
    return read_all(s, out, NULL, err);
}

qd_status qd_stats_read_with_stack(qd_udf_stats *s, qd_stats_summary *out, char stack[QD_ERROR_STACK_BYTES],
                                   qd_error *err)
{
    stack[0] = '\0';
    return read_all(s, out, stack, err);
}

qd_status qd_udf_stats_reset(qd_udf_stats *s, qd_error *err)
{
    if (!s)
        return QD_OK;
    qd_stats_gather(s);
    pthread_mutex_lock(&s->mutex);
    qd_histogram latency = s->kept.latency;
    qd_histogram_clear(&latency);
    free(s->kept.error);
    s->kept = (qd_stats_kept){.latency = latency};
    s->is_loaded = true; /* what the row has is to be forgotten */
    pthread_mutex_unlock(&s->mutex);
    atomic_store_explicit(&s->instances_peak, atomic_load_explicit(&s->instances, memory_order_relaxed),
                          memory_order_relaxed);
    atomic_store_explicit(&s->linear_peak_bytes, 0, memory_order_relaxed);
    atomic_store_explicit(&s->last_used_ms, 0, memory_order_relaxed);
    atomic_store_explicit(&s->rough_ps, 0, memory_order_relaxed);
    qd_stats_mark_dirty(s);
    return qd_stats_row_flush(s, err);
}
