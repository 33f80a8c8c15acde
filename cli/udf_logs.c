/* SPDX-License-Identifier: Apache-2.0
 *
 * `udf logs`: the last lines of a function, and with --follow those that come after, until qctl is interrupted. The
 * server keeps the last lines of each version only, numbered; what was lost between two questions is counted. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "answer.h"
#include "text.h"

#define POLL_NS 500000000L

typedef struct follower {
    char version[128]; /* whose lines were shown; "": none yet */
    int64_t seq;       /* of the last of them */
    int64_t dropped;
} follower;

static void print_line(const qctl *q, const json_t *line)
{
    if (q->is_json) {
        json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
        return;
    }
    const char *document = json_text_at(line, "document");
    printf("%s  %-5s ", json_text_at(line, "at"), json_text_at(line, "level"));
    const char *message = json_text_at(line, "message");
    text_print(stdout, message, strlen(message));
    fputs(*document ? "  (document " : "", stdout);
    text_print(stdout, document, strlen(document));
    puts(*document ? ")" : "");
}

/* The lines behind f->seq. */
static void print_logs(const qctl *q, const json_t *v, follower *f)
{
    size_t i;
    json_t *line;
    bool is_told = !q->is_json && !q->is_quiet;
    json_array_foreach (json_at(v, "logs"), i, line) {
        int64_t seq = json_i64_at(line, "seq");
        if (seq <= f->seq)
            continue;
        if (is_told && f->seq > 0 && seq > f->seq + 1)
            printf("%" PRId64 " lines came too fast to be kept\n", seq - f->seq - 1);
        print_line(q, line);
        f->seq = seq;
    }
    int64_t dropped = json_i64_at(v, "dropped");
    if (is_told && dropped > f->dropped)
        printf("%" PRId64 " more were dropped\n", dropped - f->dropped);
    f->dropped = dropped;
}

/* Another version has become the active one, or the server has begun anew and counts from 1. */
static void turn_to(const qctl *q, const json_t *v, follower *f)
{
    const char *version = json_text_at(v, "version");
    const json_t *lines = json_at(v, "logs");
    size_t n = json_array_size(lines);
    int64_t newest = n > 0 ? json_i64_at(json_array_get(lines, n - 1), "seq") : 0;
    bool is_other = strcmp(version, f->version) != 0;
    if (!is_other && newest >= f->seq && json_i64_at(v, "dropped") >= f->dropped)
        return;
    if (is_other && *f->version && !q->is_json && !q->is_quiet)
        printf("from here on version %s\n", version);
    f->seq = f->dropped = 0;
    snprintf(f->version, sizeof f->version, "%s", version);
}

static qd_status ask(qctl *q, const char *spec, answer *reply, json_t **v, qd_error *err)
{
    qd_buf path;
    qd_buf_init(&path, 4096);
    path_add_function(&path, spec);
    qd_buf_add_z(&path, "/logs");
    return call_get(q, &path, reply, v, err);
}

static qd_status show_once(qctl *q, const char *spec, qd_error *err)
{
    answer reply;
    follower f = {{0}, 0, 0};
    json_t *v = NULL;
    qd_status rc = ask(q, spec, &reply, &v, err);
    if (rc)
        return rc;
    if (!print_raw(q, &reply))
        print_logs(q, v, &f);
    json_decref(v);
    answer_deinit(&reply);
    return QD_OK;
}

/* Ends with an error only; a person ends it with an interrupt. */
static qd_status follow(qctl *q, const char *spec, qd_error *err)
{
    const struct timespec pause = {.tv_nsec = POLL_NS};
    follower f = {{0}, 0, 0};
    for (;;) {
        answer reply;
        json_t *v = NULL;
        qd_status rc = ask(q, spec, &reply, &v, err);
        if (rc)
            return rc;
        turn_to(q, v, &f);
        print_logs(q, v, &f);
        json_decref(v);
        answer_deinit(&reply);
        if (fflush(stdout))
            return qd_fail(err, QD_EIO, "writing the lines failed");
        nanosleep(&pause, NULL);
    }
}

qd_status udf_logs(qctl *q, const args *a, qd_error *err)
{
    return args_has(a, "follow") ? follow(q, a->words[0], err) : show_once(q, a->words[0], err);
}
