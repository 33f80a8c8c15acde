/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "node/bulk.h"
#include "node/database.h"
#include "query/search.h"
#include "udf/binding.h"

#define MAX_ANSWER_BYTES ((size_t)1 << 30)

/* An answer under construction: a writer on a bounded buffer, handed over as NUL-terminated text. */
typedef struct answer {
    qd_buf buf;
    qd_json json;
} answer;

static void answer_init(answer *a)
{
    qd_buf_init(&a->buf, MAX_ANSWER_BYTES);
    qd_json_init(&a->json, &a->buf, false);
}

static qd_status answer_take(answer *a, qd_status st, char **out, qd_error *err)
{
    char *text = NULL;
    if (st == QD_OK && !(text = qd_buf_take(&a->buf, NULL)))
        st = qd_fail_nomem(err);
    qd_buf_deinit(&a->buf);
    if (st == QD_OK)
        *out = text;
    return st;
}

static qd_status parse_optional(const char *body, size_t n, json_t **out, qd_error *err)
{
    return n == 0 ? QD_OK : qd_json_parse((qd_str){body, n}, out, err);
}

qd_status qd_database_create_index(qd_database *db, const char *name, const char *body, size_t body_len, qd_error *err)
{
    json_t *json = NULL;
    qd_status st = parse_optional(body, body_len, &json, err);
    if (st == QD_OK)
        st = qd_node_create_index(db->node, qd_str_of(name), json, err);
    json_decref(json);
    return st;
}

qd_status qd_database_delete_index(qd_database *db, const char *name, qd_error *err)
{
    return qd_node_delete_index(db->node, qd_str_of(name), err);
}

qd_status qd_database_bulk(qd_database *db, const char *index, const char *body, size_t body_len, char **out,
                           qd_error *err)
{
    qd_bulk_request rq = {.body = {body, body_len}, .default_index = qd_str_of(index)};
    answer a;
    answer_init(&a);
    return answer_take(&a, qd_bulk_run(db->node, &rq, &a.json, err), out, err);
}

qd_status qd_database_get(qd_database *db, const char *index, const char *id, size_t id_len, char **source,
                          qd_error *err)
{
    qd_index *ix = NULL;
    qd_get_result got = {0};
    qd_status st = qd_node_index(db->node, qd_str_of(index), &ix, err);
    if (st == QD_OK)
        st = qd_index_get(ix, (qd_str){id, id_len}, &got, err);
    if (st == QD_OK && !got.found)
        st = qd_fail(err, QD_ENOTFOUND, "index '%s' has no document '%.*s'", index, QD_STR_FMT(((qd_str){id, id_len})));
    if (st == QD_OK && !(*source = qd_str_dup((qd_str){got.source, got.source_len})))
        st = qd_fail_nomem(err);
    free(got.source);
    qd_index_unref(ix);
    return st;
}

qd_status qd_database_refresh(qd_database *db, const char *index, qd_error *err)
{
    qd_index *ix = NULL;
    qd_status st = qd_node_index(db->node, qd_str_of(index), &ix, err);
    if (st == QD_OK)
        st = qd_index_refresh(ix, err);
    qd_index_unref(ix);
    return st;
}

/* Takes a searcher of each index; `targets` has room for all. */
static void open_targets(qd_index **indices, size_t n, qd_search_target *targets)
{
    for (size_t i = 0; i < n; i++)
        targets[i] = (qd_search_target){qd_index_name(indices[i]), qd_index_searcher(indices[i])};
}

qd_status qd_database_search(qd_database *db, const char *indices, const char *body, size_t body_len,
                             int64_t timeout_ms, char **out, qd_error *err)
{
    int64_t start = qd_clock_mono_ns();
    qd_index **found = NULL;
    size_t n = 0;
    qd_status st = qd_node_resolve(db->node, qd_str_of(indices), &found, &n, err);
    if (st != QD_OK)
        return st;
    qd_search_target *targets = calloc(n + 1, sizeof *targets);
    if (!targets) {
        qd_node_release(found, n);
        return qd_fail_nomem(err);
    }
    open_targets(found, n, targets);
    qd_search_request rq = {
        .registry = db->registry,
        .pool = db->pool,
        .targets = targets,
        .n_targets = n,
        .body = {body, body_len},
        .from = -1,
        .size = -1,
        .track_total_hits = -1,
        .start_ns = start,
        .deadline_ns = timeout_ms > 0 ? start + timeout_ms * 1000000 : INT64_MAX,
    };
    answer a;
    answer_init(&a);
    st = answer_take(&a, qd_search_run(&rq, &a.json, err), out, err);
    for (size_t i = 0; i < n; i++)
        qd_searcher_unref(targets[i].searcher);
    free(targets);
    qd_node_release(found, n);
    return st;
}

/* Modules come as binary (magic "\\0asm") or as text. */
static bool is_binary(const void *module, size_t n)
{
    return n >= 4 && memcmp(module, "\0asm", 4) == 0;
}

qd_status qd_database_register_udf(qd_database *db, const char *manifest, size_t manifest_len, const void *module,
                                   size_t module_len, qd_error *err)
{
    json_t *json = NULL;
    uint8_t *binary = NULL;
    qd_udf *udf = NULL;
    qd_registered result;
    qd_status st = qd_json_parse((qd_str){manifest, manifest_len}, &json, err);
    qd_registration reg = {.wasm = module, .wasm_size = module_len};
    if (st == QD_OK && !is_binary(module, module_len)) {
        st = qd_wasm_from_wat((qd_str){module, module_len}, &binary, &reg.wasm_size, err);
        reg.wasm = binary;
    }
    if (st == QD_OK) {
        reg.manifest = json;
        st = qd_registry_register(db->registry, &reg, &udf, &result, err);
    }
    qd_udf_unref(udf);
    free(binary);
    json_decref(json);
    return st;
}

qd_status qd_database_test_udf(qd_database *db, const char *name, const char *version, const char *body,
                               size_t body_len, char **out, qd_error *err)
{
    json_t *json = NULL;
    qd_udf *udf = NULL;
    qd_run_control control = {.deadline_ns = INT64_MAX};
    answer a;
    answer_init(&a);
    qd_status st = qd_json_parse((qd_str){body, body_len}, &json, err);
    if (st == QD_OK)
        st = qd_registry_get(db->registry, qd_str_of(name), qd_str_of(version), &udf, err);
    if (st == QD_OK)
        st = qd_udf_test(udf, json, &control, &a.json, err);
    st = answer_take(&a, st, out, err);
    qd_udf_unref(udf);
    json_decref(json);
    return st;
}

qd_status qd_database_remove_udf(qd_database *db, const char *name, const char *version, qd_error *err)
{
    return qd_registry_remove(db->registry, qd_str_of(name), qd_str_of(version), NULL, NULL, err);
}
