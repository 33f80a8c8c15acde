/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/recent_logs.h"

#include <stdlib.h>

#include "base/clock.h"

#define LINES_PER_SECOND 100

void qd_recent_logs_init(qd_recent_logs *l)
{
    memset(l, 0, sizeof *l);
    pthread_mutex_init(&l->mutex, NULL);
}

static void free_lines(qd_recent_logs *l)
{
    for (size_t i = 0; l->lines && i < QD_RECENT_LOG_LINES; i++)
        free(l->lines[i].text);
    free(l->lines);
    l->lines = NULL;
    l->first = l->n = l->bytes = 0;
}

void qd_recent_logs_deinit(qd_recent_logs *l)
{
    free_lines(l);
    pthread_mutex_destroy(&l->mutex);
}

void qd_recent_logs_clear(qd_recent_logs *l)
{
    pthread_mutex_lock(&l->mutex);
    free_lines(l);
    pthread_mutex_unlock(&l->mutex);
    atomic_store_explicit(&l->dropped, 0, memory_order_relaxed);
}

static void drop(qd_recent_logs *l)
{
    atomic_fetch_add_explicit(&l->dropped, 1, memory_order_relaxed);
}

/* Two threads at the turn of a second may each let a few lines more through: it is a brake, not a count. */
bool qd_recent_logs_wants(qd_recent_logs *l, int level, int64_t now_ms)
{
    int64_t second = now_ms / 1000;
    if (level < QD_RECENT_INFO)
        return false;
    if (atomic_load_explicit(&l->second, memory_order_relaxed) != second) {
        atomic_store_explicit(&l->second, second, memory_order_relaxed);
        atomic_store_explicit(&l->in_second, 0, memory_order_relaxed);
    }
    if (atomic_load_explicit(&l->in_second, memory_order_relaxed) >= LINES_PER_SECOND ||
        atomic_fetch_add_explicit(&l->in_second, 1, memory_order_relaxed) >= LINES_PER_SECOND) {
        drop(l);
        return false;
    }
    return true;
}

/* At most `most` bytes of `s`, ending with a whole character. */
static qd_str cut(qd_str s, size_t most)
{
    if (s.n <= most)
        return s;
    while (most > 0 && ((unsigned char)s.p[most] & 0xC0) == 0x80)
        most--;
    return (qd_str){s.p, most};
}

static uint32_t bytes_of(const qd_recent_line *line)
{
    return line->message_n + line->document_n;
}

static void drop_oldest(qd_recent_logs *l)
{
    qd_recent_line *line = &l->lines[l->first];
    l->bytes -= bytes_of(line);
    free(line->text); /* a small one must not keep the room of a great one */
    *line = (qd_recent_line){0};
    l->first = (l->first + 1) % QD_RECENT_LOG_LINES;
    l->n--;
}

static bool append(qd_recent_logs *l, const qd_recent_line *line)
{
    if (!l->lines && !(l->lines = calloc(QD_RECENT_LOG_LINES, sizeof *l->lines)))
        return false;
    while (l->n == QD_RECENT_LOG_LINES || (l->n > 0 && l->bytes + bytes_of(line) > QD_RECENT_LOG_BYTES))
        drop_oldest(l);
    l->lines[(l->first + l->n) % QD_RECENT_LOG_LINES] = *line;
    l->bytes += bytes_of(line);
    l->n++;
    l->added++;
    return true;
}

void qd_recent_logs_add(qd_recent_logs *l, int64_t now_ms, int level, qd_str message, const qd_str *document)
{
    qd_str text = cut(message, QD_RECENT_LOG_LINE_BYTES);
    qd_str id = document ? cut(*document, QD_RECENT_LOG_ID_BYTES) : (qd_str){0};
    qd_recent_line line = {.at_ms = now_ms,
                           .level = level,
                           .message_n = (uint32_t)text.n,
                           .document_n = (uint32_t)id.n,
                           .has_document = document != NULL,
                           .text = malloc(text.n + id.n + 1)};
    bool is_kept = false;
    if (line.text && pthread_mutex_trylock(&l->mutex) == 0) {
        if (text.n > 0)
            memcpy(line.text, text.p, text.n);
        if (id.n > 0)
            memcpy(line.text + text.n, id.p, id.n);
        is_kept = append(l, &line);
        pthread_mutex_unlock(&l->mutex);
    }
    if (!is_kept) {
        free(line.text);
        drop(l);
    }
}

static void write_line(const qd_recent_line *line, uint64_t seq, qd_json *w)
{
    static const char *const LEVELS[] = {"debug", "info", "warn", "error"};
    char at[QD_ISO8601_SIZE];
    qd_json_begin_object(w);
    qd_json_key(w, "seq");
    qd_json_u64(w, seq);
    qd_json_kv_z(w, "at", qd_clock_iso8601(line->at_ms, at));
    qd_json_kv_z(w, "level", LEVELS[line->level & 3]);
    qd_json_key(w, "message");
    qd_json_str(w, (qd_str){line->text, line->message_n});
    qd_json_key(w, "document");
    if (line->has_document)
        qd_json_str(w, (qd_str){line->text + line->message_n, line->document_n});
    else
        qd_json_null(w);
    qd_json_end_object(w);
}

void qd_recent_logs_write_json(qd_recent_logs *l, const char *version, qd_json *w)
{
    qd_json_begin_object(w);
    qd_json_kv_z(w, "version", version);
    qd_json_key(w, "logs");
    qd_json_begin_array(w);
    pthread_mutex_lock(&l->mutex);
    for (size_t i = 0; i < l->n; i++)
        write_line(&l->lines[(l->first + i) % QD_RECENT_LOG_LINES], l->added - l->n + 1 + i, w);
    pthread_mutex_unlock(&l->mutex);
    qd_json_end_array(w);
    qd_json_key(w, "dropped");
    qd_json_u64(w, atomic_load_explicit(&l->dropped, memory_order_relaxed));
    qd_json_end_object(w);
}
