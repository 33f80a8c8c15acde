/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/quarantine.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/map.h"

#define BUCKET     QD_STR("udf_quarantine")
#define LABEL_SIZE 132
#define WHY_SIZE   512
#define WHY_SHOWN  200 /* of it in messages */

/* A version that failed lately, or is quarantined. */
typedef struct record {
    bool is_quarantined;
    int64_t since_ms;
    uint32_t failures; /* in a row; with a quarantine: when it began */
    char why[WHY_SIZE];
    int64_t failed_ns[]; /* a ring of the last `failures` times of the policy; none in records from the store */
} record;

struct qd_quarantine {
    qd_kv *kv;
    qd_quarantine_options options;
    pthread_mutex_t store_mutex;
    pthread_mutex_t mutex;
    qd_map *records;         /* label -> record; under mutex */
    atomic_size_t n_records; /* as the map has them, for a look without the lock */
    atomic_size_t n_quarantined;
};

bool qd_quarantine_is_failure(qd_status status)
{
    return status == QD_EUDF_FAILED || status == QD_EUDF_TIMEOUT || status == QD_EUDF_MEMORY;
}

static void tell(const qd_quarantine *q, const char *fmt, const char *label, const char *text)
{
    char line[1024];
    if (!q->options.log)
        return;
    snprintf(line, sizeof line, fmt, label, text);
    q->options.log(q->options.log_arg, line);
}

/* ---- records. Called with the mutex ---- */

static record *put_record(qd_quarantine *q, qd_str label, size_t times)
{
    record *r = calloc(1, sizeof *r + times * sizeof r->failed_ns[0]);
    if (r && !qd_map_put(q->records, label, r, NULL)) {
        free(r);
        return NULL;
    }
    if (r)
        atomic_fetch_add(&q->n_records, 1);
    return r;
}

/* Was it quarantined? */
static bool drop_record(qd_quarantine *q, qd_str label)
{
    record *r = qd_map_remove(q->records, label);
    bool was = r && r->is_quarantined;
    if (r)
        atomic_fetch_sub(&q->n_records, 1);
    if (was)
        atomic_fetch_sub(&q->n_quarantined, 1);
    free(r);
    return was;
}

/* ---- opening ---- */

typedef struct loader {
    qd_quarantine *q;
    bool is_out_of_memory;
} loader;

static bool load_row(void *arg, qd_str label, qd_str value, uint64_t revision)
{
    loader *l = arg;
    qd_quarantine *q = l->q;
    json_t *row = NULL;
    json_int_t since = 0, failures = 0;
    const char *why = "";
    (void)revision;
    record *r = put_record(q, label, 0);
    l->is_out_of_memory = !r;
    if (!r)
        return false;
    if (qd_json_parse(value, &row, NULL) == QD_OK)
        (void)json_unpack(row, "{s?I, s?I, s?s}", "since", &since, "failures", &failures, "why", &why);
    /* A row that cannot be read still says that somebody must look at the function. */
    r->is_quarantined = true;
    r->since_ms = since;
    r->failures = (uint32_t)failures;
    snprintf(r->why, sizeof r->why, "%s", why);
    atomic_fetch_add(&q->n_quarantined, 1);
    json_decref(row);
    return true;
}

qd_status qd_quarantine_open(qd_kv *kv, const qd_quarantine_options *options, qd_quarantine **out, qd_error *err)
{
    qd_quarantine *q = calloc(1, sizeof *q);
    if (!q || !(q->records = qd_map_new())) {
        free(q);
        return qd_fail_nomem(err);
    }
    q->kv = kv;
    q->options = *options;
    if (q->options.failures > QD_QUARANTINE_MAX_FAILURES)
        q->options.failures = QD_QUARANTINE_MAX_FAILURES;
    pthread_mutex_init(&q->store_mutex, NULL);
    pthread_mutex_init(&q->mutex, NULL);
    loader l = {.q = q};
    qd_status st = qd_kv_visit(kv, BUCKET, QD_STR(""), load_row, &l, err);
    if (st == QD_OK && l.is_out_of_memory)
        st = qd_fail_nomem(err);
    if (st == QD_OK)
        *out = QD_TAKE(q);
    qd_quarantine_close(q);
    return st;
}

void qd_quarantine_close(qd_quarantine *q)
{
    if (!q)
        return;
    qd_map_free(q->records, free);
    pthread_mutex_destroy(&q->mutex);
    pthread_mutex_destroy(&q->store_mutex);
    free(q);
}

/* ---- asking ---- */

static qd_status refuse(const char *label, const record *r, qd_error *err)
{
    char since[QD_ISO8601_SIZE];
    const char *at = strchr(label, '@');
    int name_n = at ? (int)(at - label) : (int)strlen(label);
    qd_status st = qd_fail(err, QD_EUDF_QUARANTINED,
                           "function '%s' is quarantined since %s: %u quer%s in a row failed because of it, the last "
                           "with \"%.*s\"; lift it by POST /api/v1/udfs/%.*s/%s/reinstate",
                           label, qd_clock_iso8601(r->since_ms, since), r->failures, r->failures == 1 ? "y" : "ies",
                           WHY_SHOWN, r->why, name_n, label, at ? at + 1 : "");
    if (err)
        qd_error_mark_function(err, qd_str_of(label));
    return st;
}

qd_status qd_quarantine_check(qd_quarantine *q, const char *label, qd_error *err)
{
    if (!q || atomic_load_explicit(&q->n_quarantined, memory_order_acquire) == 0)
        return QD_OK;
    pthread_mutex_lock(&q->mutex);
    const record *r = qd_map_get(q->records, qd_str_of(label));
    qd_status st = r && r->is_quarantined ? refuse(label, r, err) : QD_OK;
    pthread_mutex_unlock(&q->mutex);
    return st;
}

bool qd_quarantine_is_on(qd_quarantine *q, const char *label)
{
    return qd_quarantine_check(q, label, NULL) != QD_OK;
}

size_t qd_quarantine_count(qd_quarantine *q)
{
    return q ? atomic_load(&q->n_quarantined) : 0;
}

/* ---- failing and succeeding ---- */

/* Counts one more failure; true when it is one too many. Called with the mutex. */
static bool count_failure(const qd_quarantine *q, record *r, const qd_error *why)
{
    uint32_t most = q->options.failures;
    int64_t now_ns = qd_clock_mono_ns();
    r->failed_ns[r->failures % most] = now_ns;
    r->failures++;
    snprintf(r->why, sizeof r->why, "%s", why->message);
    /* The ring's next place holds the time of `most` failures ago, this one counted. */
    return r->failures >= most && now_ns - r->failed_ns[r->failures % most] <= q->options.window_ms * 1000000;
}

/* Writes a quarantine that has begun, unless it was lifted meanwhile. */
static void store(qd_quarantine *q, const char *label)
{
    qd_error err = QD_ERROR_INIT;
    json_t *row = NULL;
    pthread_mutex_lock(&q->store_mutex);
    pthread_mutex_lock(&q->mutex);
    const record *r = qd_map_get(q->records, qd_str_of(label));
    bool is_on = r && r->is_quarantined;
    if (is_on)
        row = json_pack("{s:I, s:I, s:s}", "since", (json_int_t)r->since_ms, "failures", (json_int_t)r->failures, "why",
                        r->why);
    pthread_mutex_unlock(&q->mutex);
    if (is_on) {
        char *text = row ? qd_json_text(row, false) : NULL;
        qd_status st = text ? qd_kv_put(q->kv, BUCKET, qd_str_of(label), qd_str_of(text), QD_KV_ANY, NULL, &err)
                            : qd_fail_nomem(&err);
        if (st != QD_OK)
            tell(q, "error: the quarantine of function '%s' holds, but is not stored: %s", label, err.message);
        free(text);
    }
    pthread_mutex_unlock(&q->store_mutex);
    json_decref(row);
}

void qd_quarantine_failed(qd_quarantine *q, const char *label, const char *hash, const qd_error *why)
{
    qd_quarantine_event event;
    char text[WHY_SIZE];
    if (!q || q->options.failures == 0 || !qd_quarantine_is_failure(why->code))
        return;
    pthread_mutex_lock(&q->mutex);
    record *r = qd_map_get(q->records, qd_str_of(label));
    if (!r)
        r = put_record(q, qd_str_of(label), q->options.failures);
    /* Out of memory the failure is not counted; of a quarantined one it is a query that had begun before. */
    bool begins = r && !r->is_quarantined && count_failure(q, r, why);
    if (begins) {
        r->is_quarantined = true;
        r->since_ms = qd_clock_wall_ms();
        memcpy(text, r->why, sizeof text);
        event = (qd_quarantine_event){qd_str_of(label), qd_str_of(hash), r->since_ms, r->failures, text};
        atomic_fetch_add(&q->n_quarantined, 1);
    }
    pthread_mutex_unlock(&q->mutex);
    if (!begins)
        return;
    store(q, label);
    tell(q, "warning: function '%s' is quarantined: %s", label, text);
    if (q->options.on_quarantine)
        q->options.on_quarantine(q->options.on_quarantine_arg, &event);
}

void qd_quarantine_succeeded(qd_quarantine *q, const char *label)
{
    if (!q || atomic_load_explicit(&q->n_records, memory_order_relaxed) == 0)
        return;
    pthread_mutex_lock(&q->mutex);
    const record *r = qd_map_get(q->records, qd_str_of(label));
    if (r && !r->is_quarantined)
        (void)drop_record(q, qd_str_of(label));
    pthread_mutex_unlock(&q->mutex);
}

/* The row first: a crash between the two leaves a function that works. */
qd_status qd_quarantine_reinstate(qd_quarantine *q, qd_str name, qd_str version, bool *was, qd_error *err)
{
    char text[LABEL_SIZE];
    bool was_on = false;
    if (q) {
        int n = snprintf(text, sizeof text, "%.*s@%.*s", QD_STR_FMT(name), QD_STR_FMT(version));
        qd_str label = {text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1};
        pthread_mutex_lock(&q->store_mutex);
        qd_status st = qd_kv_remove(q->kv, BUCKET, label, QD_KV_ANY, err);
        if (st == QD_OK || st == QD_ENOTFOUND) {
            pthread_mutex_lock(&q->mutex);
            was_on = drop_record(q, label);
            pthread_mutex_unlock(&q->mutex);
            st = QD_OK;
        }
        pthread_mutex_unlock(&q->store_mutex);
        if (st != QD_OK)
            return st;
    }
    if (was)
        *was = was_on;
    return QD_OK;
}
