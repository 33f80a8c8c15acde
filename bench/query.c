/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_query [DOCS [SEGMENTS [THREADS [ROUNDS [CASE]]]]]: searches with functions, from the request's text to the
 * answer's, without a server: an index is made in /tmp, then the questions are asked in turn. Prints the best time of
 * each, in microseconds, per document of the index in nanoseconds, and the total that was found. The functions do next
 * to nothing, so that what is measured is the way around them. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "index/document.h"
#include "index/shard.h"
#include "query/search.h"

static const char MAPPING[] =
    "{\"properties\":{\"body\":{\"type\":\"text\"},\"price\":{\"type\":\"integer\"},\"rating\":{\"type\":\"double\"},"
    "\"small\":{\"type\":\"float\"},\"open\":{\"type\":\"boolean\"},\"at\":{\"type\":\"date\"},"
    "\"sparse\":{\"type\":\"double\"}}}";

#define P(name, type) "{\"name\":\"" name "\",\"type\":\"" type "\",\"from\":\"_source." name "\"}"
#define RELEVANCE     "{\"name\":\"relevance\",\"type\":\"f64\",\"from\":\"_score\"}"
#define T             "{\"name\":\"t\",\"type\":\"f64\",\"default\":2000}"

static const struct {
    const char *name, *kind, *more, *params, *body;
} FUNCTIONS[] = {
    {"cheap_filter", "filter", "", P("price", "f64") "," P("rating", "f64") "," T,
     "(param f64 f64 f64) (result i32) (f64.gt (f64.mul (local.get 0) (local.get 1)) (local.get 2))"},
    {"int_filter", "filter", "", P("price", "i32") "," P("at", "i64"),
     "(param i32 i64) (result i32) (i32.and (i32.gt_s (local.get 0) (i32.const 500))"
     " (i64.gt_s (local.get 1) (i64.const 1400000000000)))"},
    {"float_filter", "filter", "", P("small", "f32") "," P("open", "bool"),
     "(param f32 i32) (result i32) (i32.and (local.get 1) (f32.gt (local.get 0) (f32.const 0.5)))"},
    {"sparse_filter", "filter", "", P("sparse", "f64"),
     "(param f64) (result i32) (f64.gt (local.get 0) (f64.const 0.5))"},
    {"constant_filter", "filter", ",\"deterministic\":true", T,
     "(param f64) (result i32) (f64.gt (local.get 0) (f64.const 0.5))"},
    {"scorer", "score", "", RELEVANCE "," P("price", "f64") "," P("rating", "f64"),
     "(param f64 f64 f64) (result f64) (f64.mul (local.get 0) (f64.add (f64.const 1)"
     " (f64.mul (local.get 1) (local.get 2))))"},
    {"scorer_alone", "score", "", P("price", "f64") "," P("rating", "f64"),
     "(param f64 f64) (result f64) (f64.add (f64.const 1) (f64.mul (local.get 0) (local.get 1)))"},
    {"bounded", "score", ",\"max_score\":1", P("rating", "f64"),
     "(param f64) (result f64) (f64.min (f64.const 1) (local.get 0))"},
};

#define MATCH             "{\"match\":{\"body\":\"w2 w3\"}}"
#define WORD              "{\"match\":{\"body\":\"w2\"}}"
#define F(name)           "{\"wasm_udf\":{\"name\":\"" name "\"}}"
#define EXACT             "\"track_total_hits\":true,"
#define SCORE(fn)         "\"script_score\":{\"script\":{\"lang\":\"wasm\",\"source\":\"" fn "\"}}"
#define SCORED(query, fn) "{\"function_score\":{\"query\":" query "," SCORE(fn) ",\"boost_mode\":\"replace\"}}"
#define FILTER(what)      "{\"bool\":{\"filter\":[" what "]}}"

static const struct {
    const char *label, *body;
} CASES[] = {
    {"match_all", "{" EXACT "\"query\":{\"match_all\":{}}}"},
    {"filter", "{" EXACT "\"query\":" FILTER(F("cheap_filter")) "}"},
    {"filter, size 0", "{" EXACT "\"size\":0,\"query\":" FILTER(F("cheap_filter")) "}"},
    {"filter, sorted by price", "{" EXACT "\"sort\":[{\"price\":\"desc\"}],\"query\":" FILTER(F("cheap_filter")) "}"},
    {"sorted by price", "{" EXACT "\"sort\":[{\"price\":\"desc\"}],\"query\":{\"match_all\":{}}}"},
    {"filter in must", "{" EXACT "\"query\":{\"bool\":{\"must\":[" F("cheap_filter") "]}}}"},
    {"filter of i32 and date", "{" EXACT "\"query\":" FILTER(F("int_filter")) "}"},
    {"filter of f32 and bool", "{" EXACT "\"query\":" FILTER(F("float_filter")) "}"},
    {"filter of a sparse field", "{" EXACT "\"query\":" FILTER(F("sparse_filter")) "}"},
    {"filter of constants", "{" EXACT "\"query\":" FILTER(F("constant_filter")) "}"},
    {"two filters", "{" EXACT "\"query\":" FILTER(F("cheap_filter") "," F("int_filter")) "}"},
    {"match", "{" EXACT "\"query\":" MATCH "}"},
    {"match as filter", "{" EXACT "\"query\":" FILTER(MATCH) "}"},
    {"match as filter + filter", "{" EXACT "\"query\":" FILTER(MATCH "," F("cheap_filter")) "}"},
    {"match + filter", "{" EXACT "\"query\":{\"bool\":{\"must\":" MATCH ",\"filter\":" F("cheap_filter") "}}}"},
    {"match + scorer", "{" EXACT "\"query\":" SCORED(MATCH, "scorer") "}"},
    {"match + scorer without score", "{" EXACT "\"query\":" SCORED(MATCH, "scorer_alone") "}"},
    {"match_all + scorer", "{" EXACT "\"query\":" SCORED("{\"match_all\":{}}", "scorer_alone") "}"},
    {"match_all + scorer with score", "{" EXACT "\"query\":" SCORED("{\"match_all\":{}}", "scorer") "}"},
    {"word, default total", "{\"query\":" WORD "}"},
    {"word + filter, default total", "{\"query\":{\"bool\":{\"must\":" WORD ",\"filter\":" F("cheap_filter") "}}}"},
    {"word * bounded, default total", "{\"query\":{\"function_score\":{\"query\":" WORD "," SCORE("bounded") "}}}"},
    {"match + filter, default total", "{\"query\":{\"bool\":{\"must\":" MATCH ",\"filter\":" F("cheap_filter") "}}}"},
    {"match_all + bounded, default total", "{\"query\":" SCORED("{\"match_all\":{}}", "bounded") "}"},
    {"match_all + bounded, no total",
     "{\"track_total_hits\":false,\"query\":" SCORED("{\"match_all\":{}}", "bounded") "}"},
};
#define N_CASES (sizeof CASES / sizeof *CASES)

typedef struct bench {
    char dir[64];
    qd_wasm_engine *engine;
    qd_kv *kv;
    qd_registry *registry;
    qd_mapping *mapping;
    qd_shard *shard;
    qd_pool *pool;
} bench;

static void require(qd_status st, const qd_error *err)
{
    if (st == QD_OK)
        return;
    fprintf(stderr, "bench_query: %s\n", err->message);
    exit(1);
}

static json_t *parse(const char *text)
{
    qd_error err = QD_ERROR_INIT;
    json_t *v = NULL;
    require(qd_json_parse(qd_str_of(text), &v, &err), &err);
    return v;
}

static void add_function(bench *b, size_t i)
{
    qd_error err = QD_ERROR_INIT;
    char text[2048];
    uint8_t *bytes = NULL;
    size_t n = 0;
    qd_udf *u = NULL;
    qd_registered registered;
    snprintf(text, sizeof text,
             "{\"name\":\"%s\",\"version\":\"1.0.0\",\"function_name\":\"f\",\"kind\":\"%s\",\"abi\":\"typed\","
             "\"parameters\":[%s]%s}",
             FUNCTIONS[i].name, FUNCTIONS[i].kind, FUNCTIONS[i].params, FUNCTIONS[i].more);
    json_t *manifest = parse(text);
    snprintf(text, sizeof text, "(module (func (export \"f\") %s))", FUNCTIONS[i].body);
    require(qd_wasm_from_wat(qd_str_of(text), &bytes, &n, &err), &err);
    qd_registration reg = {.manifest = manifest, .wasm = bytes, .wasm_size = n};
    require(qd_registry_register(b->registry, &reg, &u, &registered, &err), &err);
    qd_udf_unref(u);
    free(bytes);
    json_decref(manifest);
}

static uint32_t random_below(uint64_t *state, uint32_t n)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((*state >> 33) % n);
}

/* Words as texts have them: the word w<i> in one document of i or so. */
static void add_doc(bench *b, uint64_t *state, size_t i)
{
    qd_error err = QD_ERROR_INIT;
    char text[1024], id[24], sparse[40] = "";
    char words[512];
    size_t used = 0;
    qe_doc *doc = NULL;
    json_t *additions = NULL;
    for (uint32_t w = 1; w < 40; w++)
        if (random_below(state, w) == 0)
            used += (size_t)snprintf(words + used, sizeof words - used, " w%u", w);
    if (random_below(state, 2) == 0)
        snprintf(sparse, sizeof sparse, ",\"sparse\":%.3f", random_below(state, 1000) / 1000.0);
    snprintf(text, sizeof text,
             "{\"body\":\"%s\",\"price\":%u,\"rating\":%.2f,\"small\":%.3f,\"open\":%s,\"at\":%lld%s}", words,
             1 + random_below(state, 1000), 1 + random_below(state, 400) / 100.0, random_below(state, 1000) / 1000.0,
             random_below(state, 2) ? "true" : "false",
             1300000000000 + (long long)random_below(state, 400000000) * 1000, sparse);
    snprintf(id, sizeof id, "%zu", i);
    require(qd_document_parse(b->mapping, qd_str_of(text), &doc, &additions, &err), &err);
    require(qd_shard_add(b->shard, doc, qd_str_of(id), (int64_t)i, 1, qd_str_of(text), false, &err), &err);
}

static void open_all(bench *b, size_t n_docs, size_t n_segments, size_t n_threads)
{
    const qd_wasm_engine_options engine_options = QD_WASM_ENGINE_OPTIONS_INIT;
    const qd_registry_options registry_options = QD_REGISTRY_OPTIONS_INIT;
    qd_error err = QD_ERROR_INIT;
    char path[96];
    snprintf(b->dir, sizeof b->dir, "/tmp/qd-bench-XXXXXX");
    if (!mkdtemp(b->dir)) {
        perror(b->dir);
        exit(1);
    }
    snprintf(path, sizeof path, "%s/meta", b->dir);
    require(qd_wasm_engine_new(&engine_options, &b->engine, &err), &err);
    require(qd_kv_lmdb_open(path, (size_t)64 << 20, &b->kv, &err), &err);
    require(qd_registry_open(b->kv, b->engine, &registry_options, NULL, NULL, &b->registry, &err), &err);
    for (size_t i = 0; i < sizeof FUNCTIONS / sizeof *FUNCTIONS; i++)
        add_function(b, i);
    json_t *mapping = parse(MAPPING);
    require(qd_mapping_new(mapping, 1000, &b->mapping, &err), &err);
    json_decref(mapping);
    snprintf(path, sizeof path, "%s/data", b->dir);
    require(qd_shard_create(path, b->mapping, &err), &err);
    require(qd_shard_open(path, b->mapping, (size_t)256 << 20, &b->shard, &err), &err);
    uint64_t state = 42;
    for (size_t i = 0; i < n_docs; i++) {
        add_doc(b, &state, i);
        if ((i + 1) % (n_docs / n_segments + 1) == 0 || i + 1 == n_docs)
            require(qd_shard_commit(b->shard, i, &err), &err);
    }
    if (n_threads > 1)
        require(qd_pool_new("bench", (unsigned)n_threads, 64, &b->pool, &err), &err);
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    (void)st, (void)flag, (void)at;
    return remove(path);
}

static void close_all(bench *b)
{
    qd_shard_close(b->shard);
    qd_mapping_unref(b->mapping);
    qd_registry_close(b->registry);
    qd_kv_close(b->kv);
    qd_wasm_engine_free(b->engine);
    qd_pool_free(b->pool);
    nftw(b->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Nanoseconds of one search; its total, where it counts. */
static int64_t ask(bench *b, qd_searcher *searcher, const char *body, qd_buf *out)
{
    qd_error err = QD_ERROR_INIT;
    qd_search_target target = {"bench", searcher};
    qd_search_request rq = {
        .registry = b->registry,
        .pool = b->pool,
        .targets = &target,
        .n_targets = 1,
        .body = qd_str_of(body),
        .from = -1,
        .size = -1,
        .track_total_hits = -1,
        .deadline_ns = INT64_MAX,
    };
    qd_json w;
    qd_buf_clear(out);
    qd_json_init(&w, out, false);
    int64_t start = qd_clock_mono_ns();
    require(qd_search_run(&rq, &w, &err), &err);
    return qd_clock_mono_ns() - start;
}

static long total_of(const qd_buf *answer)
{
    char text[256] = "";
    memcpy(text, answer->p, answer->n < sizeof text - 1 ? answer->n : sizeof text - 1);
    const char *value = strstr(text, "\"value\":");
    return value ? strtol(value + 8, NULL, 10) : -1;
}

int main(int argc, char **argv)
{
    size_t given[4] = {100000, 1, 1, 60};
    for (int i = 1; i < argc && i <= 4; i++)
        given[i - 1] = strtoul(argv[i], NULL, 10);
    if (argc > 6 || given[0] == 0 || given[0] > 10000000 || given[1] == 0 || given[1] > 64 || given[2] > 64 ||
        given[3] == 0) {
        fputs("usage: bench_query [DOCS [SEGMENTS [THREADS [ROUNDS [CASE]]]]]\n", stderr);
        return 2;
    }
    const char *only = argc > 5 ? argv[5] : NULL;
    bench b = {0};
    int64_t best[N_CASES] = {0};
    long totals[N_CASES];
    qd_buf out;
    qd_buf_init(&out, (size_t)64 << 20);
    open_all(&b, given[0], given[1], given[2]);
    qd_searcher *searcher = qd_shard_searcher(b.shard);
    for (size_t round = 0; round < given[3]; round++) {
        for (size_t i = 0; i < N_CASES; i++) {
            if (only && strcmp(only, CASES[i].label) != 0)
                continue;
            int64_t ns = ask(&b, searcher, CASES[i].body, &out);
            best[i] = best[i] == 0 || ns < best[i] ? ns : best[i];
            totals[i] = total_of(&out);
        }
    }
    printf("%zu documents, %zu segments, %zu threads\n", given[0], qd_searcher_segments(searcher), given[2]);
    for (size_t i = 0; i < N_CASES; i++)
        if (best[i])
            printf("%-36s %9.1f us %7.2f ns/doc  %ld\n", CASES[i].label, (double)best[i] / 1e3,
                   (double)best[i] / (double)given[0], totals[i]);
    qd_searcher_unref(searcher);
    close_all(&b);
    qd_buf_deinit(&out);
    return 0;
}
