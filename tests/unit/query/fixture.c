/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "index/document.h"
#include "udf/json_path.h"

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    (void)st;
    (void)flag;
    (void)at;
    return remove(path);
}

static json_t *parse(const char *text)
{
    qd_error err = QD_ERROR_INIT;
    json_t *v = NULL;
    assert_status_ok(qd_json_parse(qd_str_of(text), &v, &err), &err);
    return v;
}

void fixture_open(fixture *f, const char *mapping)
{
    const qd_wasm_engine_options engine_options = QD_WASM_ENGINE_OPTIONS_INIT;
    const qd_registry_options registry_options = QD_REGISTRY_OPTIONS_INIT;
    qd_error err = QD_ERROR_INIT;
    char path[96];
    memset(f, 0, sizeof *f);
    snprintf(f->dir, sizeof f->dir, "/tmp/qd-query-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(path, sizeof path, "%s/meta", f->dir);
    assert_status_ok(qd_wasm_engine_new(&engine_options, &f->engine, &err), &err);
    assert_status_ok(qd_kv_lmdb_open(path, (size_t)64 << 20, &f->kv, &err), &err);
    assert_status_ok(qd_registry_open(f->kv, f->engine, &registry_options, NULL, NULL, &f->registry, &err), &err);
    json_t *body = parse(mapping);
    assert_status_ok(qd_mapping_new(body, 1000, &f->mapping, &err), &err);
    json_decref(body);
    snprintf(path, sizeof path, "%s/data", f->dir);
    assert_status_ok(qd_shard_create(path, f->mapping, &err), &err);
    assert_status_ok(qd_shard_open(path, f->mapping, (size_t)32 << 20, &f->shard, &err), &err);
    f->searcher = qd_shard_searcher(f->shard);
}

void fixture_close(fixture *f)
{
    qd_searcher_unref(f->searcher);
    qd_shard_close(f->shard);
    qd_mapping_unref(f->mapping);
    qd_registry_close(f->registry);
    qd_kv_close(f->kv);
    qd_wasm_engine_free(f->engine);
    nftw(f->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void fixture_add(fixture *f, const char *id, const char *source)
{
    qd_error err = QD_ERROR_INIT;
    qe_doc *doc = NULL;
    json_t *additions = NULL;
    assert_status_ok(qd_document_parse(f->mapping, qd_str_of(source), &doc, &additions, &err), &err);
    assert_null(additions);
    assert_status_ok(qd_shard_add(f->shard, doc, qd_str_of(id), f->seq_no++, 1, qd_str_of(source), false, &err), &err);
}

void fixture_delete(fixture *f, const char *id)
{
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_shard_delete(f->shard, qd_str_of(id), &err), &err);
}

void fixture_commit(fixture *f)
{
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_shard_commit(f->shard, (uint64_t)f->seq_no, &err), &err);
    qd_searcher_unref(f->searcher);
    f->searcher = qd_shard_searcher(f->shard);
}

void fixture_function(fixture *f, const char *manifest, const char *wat)
{
    qd_error err = QD_ERROR_INIT;
    json_t *json = parse(manifest);
    uint8_t *bytes = NULL;
    size_t n = 0;
    qd_udf *u = NULL;
    qd_registered result;
    if (!json_object_get(json, "version"))
        json_object_set_new(json, "version", json_string("1.0.0"));
    assert_status_ok(qd_wasm_from_wat(qd_str_of(wat), &bytes, &n, &err), &err);
    qd_registration reg = {.manifest = json, .wasm = bytes, .wasm_size = n};
    assert_status_ok(qd_registry_register(f->registry, &reg, &u, &result, &err), &err);
    qd_udf_unref(u);
    free(bytes);
    json_decref(json);
}

qd_search_request fixture_request(fixture *f, qd_search_target *target, const char *body)
{
    *target = (qd_search_target){"test", f->searcher};
    return (qd_search_request){
        .registry = f->registry,
        .targets = target,
        .n_targets = 1,
        .body = qd_str_of(body),
        .from = -1,
        .size = -1,
        .track_total_hits = -1,
        .deadline_ns = INT64_MAX,
        .start_ns = qd_clock_mono_ns(),
    };
}

json_t *fixture_run(const qd_search_request *rq)
{
    qd_error err = QD_ERROR_INIT;
    qd_buf out;
    qd_json w;
    qd_buf_init(&out, (size_t)64 << 20);
    qd_json_init(&w, &out, false);
    assert_status_ok(qd_search_run(rq, &w, &err), &err);
    json_t *answer = NULL;
    assert_status_ok(qd_json_parse(qd_buf_str(&out), &answer, &err), &err);
    qd_buf_deinit(&out);
    return answer;
}

json_t *fixture_search(fixture *f, const char *body)
{
    qd_search_target target;
    qd_search_request rq = fixture_request(f, &target, body);
    return fixture_run(&rq);
}

qd_status fixture_search_error(fixture *f, const char *body, qd_error *err)
{
    qd_search_target target;
    qd_search_request rq = fixture_request(f, &target, body);
    qd_buf out;
    qd_json w;
    qd_buf_init(&out, (size_t)64 << 20);
    qd_json_init(&w, &out, false);
    *err = (qd_error)QD_ERROR_INIT;
    qd_status st = qd_search_run(&rq, &w, err);
    if (st == QD_OK)
        fail_msg("%s\nexpected an error, got %.*s", body, (int)out.n, out.p);
    assert_int_equal(out.n, 0);
    qd_buf_deinit(&out);
    return st;
}

const json_t *json_at(const json_t *v, const char *path)
{
    return qd_json_path_get(v, qd_str_of(path));
}

/* One "id:score" against a hit. */
static bool is_hit(const json_t *hit, const char *expected, size_t n)
{
    const char *colon = memchr(expected, ':', n);
    size_t id_n = colon ? (size_t)(colon - expected) : n;
    const json_t *score = json_object_get(hit, "_score");
    if (!qd_str_eq(qd_str_of(json_string_value(json_object_get(hit, "_id"))), (qd_str){expected, id_n}))
        return false;
    if (!colon)
        return true;
    if (colon[1] == '-')
        return json_is_null(score);
    double want = atof(colon + 1);
    return json_is_number(score) && fabs(json_number_value(score) - want) <= 1e-5 * fmax(1, fabs(want));
}

void fixture_expect(fixture *f, const char *body, int64_t total, const char *hits)
{
    json_t *answer = fixture_search(f, body);
    char *shown = json_dumps(json_at(answer, "hits"), 0);
    const json_t *list = json_object_get(json_at(answer, "hits"), "hits");
    size_t i = 0;
    if (total >= 0 && json_integer_value(json_at(answer, "hits.total.value")) != total)
        fail_msg("%s\nexpected a total of %lld, got %s", body, (long long)total, shown);
    for (const char *p = hits; *p; i++) {
        size_t n = strcspn(p, " ");
        if (!is_hit(json_array_get(list, i), p, n))
            fail_msg("%s\nexpected hit %zu to be %.*s, got %s", body, i, (int)n, p, shown);
        p += n + (p[n] == ' ');
    }
    if (json_array_size(list) != i)
        fail_msg("%s\nexpected %zu hits, got %s", body, i, shown);
    free(shown);
    json_decref(answer);
}

void fixture_expect_error(fixture *f, const char *body, qd_status code, const char *part)
{
    qd_error err;
    qd_status st = fixture_search_error(f, body, &err);
    if (st != code || !strstr(err.message, part))
        fail_msg("%.400s\nexpected %s with '%s', got %s: %s", body, qd_status_name(code), part, qd_status_name(st),
                 err.message);
    assert_int_equal(err.code, code);
}
