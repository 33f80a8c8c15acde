/* SPDX-License-Identifier: Apache-2.0
 *
 * Entries that change nothing come as often as somebody likes to send them. The first is written at once, by a thread;
 * what follows is gathered until a window after it has passed, like ones with a count, those beyond QD_AUDIT_NOTES
 * different ones as a bare number. While a flood fills that room the window doubles up to MAX_WINDOWS times its length,
 * so that it pushes what matters out of the log but slowly. */
#include <stdio.h>
#include <stdlib.h>

#include "udf/audit_impl.h"

#define MAX_WINDOWS 60

/* What makes two notes the same one: all but the time. The encoded record has no number, time or digest yet. */
static struct qd_audit_note *find(qd_audit_notes *notes, uint64_t hash, const char *bytes, size_t n)
{
    for (size_t i = 0; i < notes->n; i++) {
        struct qd_audit_note *item = &notes->items[i];
        if (item->hash == hash && item->n == n && memcmp(item->bytes, bytes, n) == 0)
            return item;
    }
    return NULL;
}

void qd_audit_notes_add(qd_audit *a, const qd_audit_record *r)
{
    qd_audit_notes *notes = &a->notes;
    char bytes[QD_AUDIT_RECORD_MAX];
    size_t n = qd_audit_record_bytes(r);
    qd_audit_record_encode(r, bytes);
    uint64_t hash = qd_hash64(bytes, n, 0); /* flooding a list of 32 gains nothing */
    pthread_mutex_lock(&notes->mutex);
    struct qd_audit_note *item = find(notes, hash, bytes, n);
    if (item && item->count < UINT32_MAX) {
        item->count++;
    } else if (!item && notes->n < QD_AUDIT_NOTES) {
        item = &notes->items[notes->n++];
        item->hash = hash;
        item->count = 1;
        item->n = n;
        memcpy(item->bytes, bytes, n);
    } else if (notes->others < UINT32_MAX) {
        notes->others++;
    }
    pthread_cond_signal(&notes->wake);
    pthread_mutex_unlock(&notes->mutex);
}

/* A copy of what is gathered, to be written without the mutex. */
typedef struct gathered {
    struct qd_audit_note items[QD_AUDIT_NOTES];
    size_t n;
    uint32_t others;
} gathered;

/* Takes everything out. Called with the mutex. */
static void take(qd_audit *a, gathered *g)
{
    qd_audit_notes *notes = &a->notes;
    uint32_t most = a->options.window_ms * MAX_WINDOWS;
    memcpy(g->items, notes->items, notes->n * sizeof *notes->items);
    g->n = notes->n;
    g->others = notes->others;
    if (notes->others > 0)
        notes->window_ms = notes->window_ms < most / 2 ? notes->window_ms * 2 : most;
    else
        notes->window_ms = notes->window_ms / 2 > a->options.window_ms ? notes->window_ms / 2 : a->options.window_ms;
    notes->next_ns = qd_clock_mono_ns() + (int64_t)notes->window_ms * 1000000;
    notes->n = 0;
    notes->others = 0;
}

static qd_status write_gathered(qd_audit *a, const gathered *g, qd_error *err)
{
    qd_audit_record records[QD_AUDIT_NOTES + 1];
    size_t n = 0;
    char detail[128];
    for (size_t i = 0; i < g->n; i++) {
        if (!qd_audit_record_decode(0, (qd_str){g->items[i].bytes, g->items[i].n}, &records[n]))
            continue;
        records[n++].count = g->items[i].count;
    }
    if (g->others > 0) {
        int length = snprintf(detail, sizeof detail, "more of them, each different, than are kept apart (%d at a time)",
                              QD_AUDIT_NOTES);
        const qd_audit_entry e = {
            .action = QD_AUDIT_REQUEST, .outcome = QD_AUDIT_DENIED, .detail = {detail, (size_t)length}};
        qd_audit_record_from(&e, &records[n]);
        records[n++].count = g->others;
    }
    return n ? qd_audit_write(a, &(qd_audit_batch){.records = records, .n = n}, err) : QD_OK;
}

/* They are gone when writing fails: keeping them would keep the flood. */
static qd_status flush(qd_audit *a, gathered *g, qd_error *err)
{
    char line[640];
    qd_error why = QD_ERROR_INIT;
    qd_status st = write_gathered(a, g, &why);
    if (st != QD_OK && a->options.log) {
        snprintf(line, sizeof line, "error: %zu audit entries of refused requests are lost: %s", g->n, why.message);
        a->options.log(a->options.log_arg, line);
    }
    if (st != QD_OK && err)
        *err = why;
    return st;
}

qd_status qd_audit_flush(qd_audit *a, qd_error *err)
{
    gathered *g = a ? malloc(sizeof *g) : NULL;
    if (!a)
        return QD_OK;
    if (!g)
        return qd_fail_nomem(err);
    pthread_mutex_lock(&a->notes.mutex);
    take(a, g);
    pthread_mutex_unlock(&a->notes.mutex);
    qd_status st = flush(a, g, err);
    free(g);
    return st;
}

static void *run(void *arg)
{
    qd_audit *a = arg;
    qd_audit_notes *notes = &a->notes;
    gathered g;
    pthread_mutex_lock(&notes->mutex);
    while (!notes->is_stopping) {
        bool is_due = qd_clock_mono_ns() >= notes->next_ns;
        if (notes->n == 0) {
            pthread_cond_wait(&notes->wake, &notes->mutex);
        } else if (!is_due) {
            struct timespec until = {notes->next_ns / 1000000000, notes->next_ns % 1000000000};
            pthread_cond_timedwait(&notes->wake, &notes->mutex, &until);
        } else {
            take(a, &g);
            pthread_mutex_unlock(&notes->mutex);
            flush(a, &g, NULL);
            pthread_mutex_lock(&notes->mutex);
        }
    }
    pthread_mutex_unlock(&notes->mutex);
    return NULL;
}

qd_status qd_audit_notes_init(qd_audit *a, qd_error *err)
{
    qd_audit_notes *notes = &a->notes;
    pthread_condattr_t attributes;
    notes->window_ms = a->options.window_ms;
    pthread_mutex_init(&notes->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&notes->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    notes->is_running = pthread_create(&notes->thread, NULL, run, a) == 0;
    if (notes->is_running)
        return QD_OK;
    pthread_cond_destroy(&notes->wake);
    pthread_mutex_destroy(&notes->mutex);
    return qd_fail(err, QD_ENOMEM, "the audit log: its thread could not be started");
}

void qd_audit_notes_deinit(qd_audit *a)
{
    qd_audit_notes *notes = &a->notes;
    if (!notes->is_running)
        return;
    pthread_mutex_lock(&notes->mutex);
    notes->is_stopping = true;
    pthread_cond_signal(&notes->wake);
    pthread_mutex_unlock(&notes->mutex);
    pthread_join(notes->thread, NULL);
    qd_audit_flush(a, NULL);
    pthread_cond_destroy(&notes->wake);
    pthread_mutex_destroy(&notes->mutex);
}
