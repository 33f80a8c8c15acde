/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_engine DOCS.ndjson: what the seam alone costs, on the documents that gen.py makes: indexing, and the ways of
 * running a query. Best of several runs, one thread. */
#include <float.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "engine.h"

enum { BODY, TITLE, CATEGORY, PRICE, RATING, FIELDS, RUNS = 400 };

static const char *const NAMES[FIELDS] = {"body", "title", "category", "price", "rating"};
static const qe_kind KINDS[FIELDS] = {QE_TEXT, QE_TEXT, QE_KEYWORD, QE_F64, QE_F64};

static void check(int code, const qe_error *err)
{
    if (code != QE_OK) {
        fprintf(stderr, "bench_engine: %s\n", err->message);
        exit(1);
    }
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* ---- documents ---- */

typedef struct reading {
    qe_doc *doc;
    int field;
} reading;

static bool read_event(void *arg, qe_event event, const qe_json_value *v)
{
    reading *r = arg;

    if (event == QE_KEY) {
        r->field = FIELDS;
        for (int i = 0; i < FIELDS; i++)
            if (strlen(NAMES[i]) == v->n && memcmp(NAMES[i], v->s, v->n) == 0)
                r->field = i;
    } else if (r->field < PRICE && event == QE_STRING) {
        qe_doc_add_str(r->doc, (uint32_t)r->field, v->s, v->n);
    } else if (r->field == PRICE || r->field == RATING) {
        qe_doc_add_f64(r->doc, (uint32_t)r->field, event == QE_NUMBER_I64 ? (double)v->i : v->f);
    }
    return true;
}

static size_t load(qe_index *index, const char *path)
{
    qe_error err;
    char *line = NULL;
    size_t room = 0, n = 0;
    FILE *file = fopen(path, "r");

    if (!file) {
        perror(path);
        exit(1);
    }
    for (ssize_t len; (len = getline(&line, &room, file)) > 0; n++) {
        reading r = {.doc = qe_doc_new(), .field = FIELDS};
        char id[32];
        int id_len = snprintf(id, sizeof id, "%zu", n);
        check(qe_json_read(line, (size_t)len, 20, read_event, &r, &err), &err);
        check(qe_index_add(index, r.doc, id, (size_t)id_len, (int64_t)n, 1, line, (size_t)len, &err), &err);
    }
    check(qe_index_commit(index, n, &err), &err);
    fclose(file);
    free(line);
    return n;
}

/* ---- functions ---- */

typedef struct columns {
    qe_column *price, *rating;
} columns;

static void *open_columns(void *arg, const qe_searcher *s, size_t segment, bool wants_scores)
{
    columns *c = calloc(1, sizeof *c);
    qe_error err;
    (void)arg;
    (void)wants_scores;
    check(qe_column_open(s, segment, PRICE, &c->price, &err), &err);
    check(qe_column_open(s, segment, RATING, &c->rating, &err), &err);
    return c;
}

static void close_columns(void *state)
{
    columns *c = state;
    qe_column_free(c->price);
    qe_column_free(c->rating);
    free(c);
}

static size_t keep_all(void *state, size_t n, uint32_t *docs, float *scores)
{
    (void)state;
    (void)docs;
    (void)scores;
    return n;
}

static size_t score_all(void *state, size_t n, uint32_t *docs, float *scores)
{
    static double price[QE_BLOCK_DOCS], rating[QE_BLOCK_DOCS];
    static uint8_t valid[QE_BLOCK_DOCS];
    columns *c = state;
    bool all = false;

    qe_column_f64(c->price, n, docs, price, valid, &all);
    qe_column_f64(c->rating, n, docs, rating, valid, &all);
    for (size_t i = 0; i < n; i++)
        scores[i] = (float)((double)scores[i] * (1 + price[i] * rating[i]));
    return n;
}

static const qe_block_fns KEEP = {.open = open_columns, .block = keep_all, .close = close_columns};
static const qe_block_fns SCORE = {.open = open_columns, .block = score_all, .close = close_columns};

/* ---- queries ---- */

static qe_query *words(const qe_searcher *s, const char *text)
{
    qe_query *queries[8];
    qe_occur occurs[8];
    size_t n = 0;

    for (const char *p = text; *p && n < 8; n++) {
        size_t len = strcspn(p, " ");
        const qe_term term = {.kind = QE_TEXT, .s = p, .n = len};
        queries[n] = qe_query_term(s, BODY, &term);
        occurs[n] = QE_SHOULD;
        p += len + strspn(p + len, " ");
    }
    return n ? qe_query_bool(n, occurs, queries, 1) : qe_query_all();
}

static bool count(void *arg, size_t n, const uint32_t *docs, const float *scores)
{
    (void)docs;
    (void)scores;
    *(size_t *)arg += n;
    return true;
}

enum { K = 10 };

typedef struct top {
    size_t n;
    float scores[K];
} top;

static float keep_best(void *arg, uint32_t doc, float score)
{
    top *t = arg;
    size_t i = t->n < K ? t->n++ : K - 1;
    (void)doc;
    for (; i > 0 && t->scores[i - 1] < score; i--)
        t->scores[i] = t->scores[i - 1];
    t->scores[i] = score;
    return t->n < K ? -FLT_MAX : t->scores[K - 1];
}

typedef enum way { COLLECT, COLLECT_UNSCORED, COUNT, TOP } way;

static double run(const qe_searcher *s, qe_query *(*make)(const qe_searcher *, const char *), const char *text, way how,
                  size_t *hits)
{
    double best = DBL_MAX;
    qe_error err;

    for (int i = 0; i < RUNS; i++) {
        qe_weight *weight = NULL;
        top t = {0};
        double start = now_ms();
        size_t n = 0;
        check(qe_weight_new(s, make(s, text), how != COLLECT_UNSCORED, &weight, &err), &err);
        for (size_t segment = 0; segment < qe_searcher_segments(s); segment++) {
            uint64_t counted = 0;
            if (how == COUNT)
                check(qe_weight_count(weight, segment, false, NULL, &counted, &err), &err);
            else if (how == TOP)
                check(qe_weight_top(weight, segment, keep_best, &t, &err), &err);
            else
                check(qe_weight_run(weight, segment, count, &n, &err), &err);
            n += counted;
        }
        qe_weight_free(weight);
        if (now_ms() - start < best)
            best = now_ms() - start;
        if (how != TOP)
            *hits = n;
    }
    return best;
}

static qe_query *kept(const qe_searcher *s, const char *text)
{
    return qe_query_blocks(words(s, text), true, &KEEP, NULL);
}

static qe_query *scored(const qe_searcher *s, const char *text)
{
    return qe_query_blocks(words(s, text), true, &SCORE, NULL);
}

static void measure(const qe_searcher *s, const char *text)
{
    size_t hits = 1, ignored = 0;
    double collect = run(s, words, text, COLLECT, &hits);
    double per = 1e6 / (double)(hits ? hits : 1);

    printf("%-24s %8zu hits", *text ? text : "(match all)", hits);
    printf("  collect %.3f ms (%.1f ns)", collect, collect * per);
    printf("  unscored %.3f", run(s, words, text, COLLECT_UNSCORED, &ignored));
    printf("  count %.3f", run(s, words, text, COUNT, &ignored));
    printf("  top10 %.3f", run(s, words, text, TOP, &ignored));
    printf("  blocks %.3f", run(s, kept, text, COLLECT, &ignored));
    double udf = run(s, scored, text, COLLECT, &ignored);
    printf("  C scorer %.3f (+%.1f ns)\n", udf, (udf - collect) * per);
}

int main(int argc, char **argv)
{
    char dir[] = "/tmp/qd-bench-XXXXXX", command[64];
    const qe_index_options options = {.writer_memory_bytes = 256 << 20};
    qe_field_def fields[FIELDS];
    qe_index *index = NULL;
    qe_searcher *searcher = NULL;
    qe_error err;

    if (argc < 2 || !mkdtemp(dir)) {
        fprintf(stderr, "usage: bench_engine DOCS.ndjson [WORDS]...\n");
        return 2;
    }
    for (int i = 0; i < FIELDS; i++)
        fields[i] = (qe_field_def){NAMES[i], strlen(NAMES[i]), KINDS[i], true, true};
    check(qe_index_create(dir, strlen(dir), fields, FIELDS, &err), &err);
    check(qe_index_open(dir, strlen(dir), &options, &index, NULL, &err), &err);
    double start = now_ms();
    size_t n = load(index, argv[1]);
    double loaded = now_ms() - start;
    check(qe_searcher_new(index, &searcher, &err), &err);
    printf("%zu documents in %.0f ms (%.0f/s), %zu segments, %.1f MB\n", n, loaded, (double)n / loaded * 1e3,
           qe_searcher_segments(searcher), (double)qe_searcher_size_bytes(searcher) / 1e6);
    for (int i = 2; i < argc; i++)
        measure(searcher, argv[i]);
    measure(searcher, "");
    qe_searcher_free(searcher);
    qe_index_close(index);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}
