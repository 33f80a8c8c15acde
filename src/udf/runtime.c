/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "udf/rating.h"

#define STORE_MAX_BYTES  ((size_t)16 << 30)
#define MAX_ANSWER_BYTES ((size_t)16 << 20)

/* ---- opening ---- */

static qd_status check_options(const qd_runtime_options *o, qd_error *err)
{
    if (o->size != sizeof *o)
        return qd_fail(err, QD_EINVAL, "options: expected size %zu, got %zu; start from QD_RUNTIME_OPTIONS_INIT",
                       sizeof *o, o->size);
    return QD_OK;
}

static qd_status open_store(const char *dir, qd_kv **out, qd_error *err)
{
    if (!dir)
        return qd_kv_memory_open(out, err);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return qd_fail(err, QD_EIO, "directory '%s': cannot be created: %s", dir, strerror(errno));
    return qd_kv_lmdb_open(dir, STORE_MAX_BYTES, out, err);
}

static qd_status open_engine(const char *dir, const qd_runtime_options *o, qd_wasm_engine **out, qd_error *err)
{
    qd_wasm_engine_options options = QD_WASM_ENGINE_OPTIONS_INIT;
    char cache[4096];
    options.max_stack_bytes = o->max_stack_bytes;
    options.max_live_instances = o->max_instances;
    options.compile_threads = o->compile_threads;
    options.cache_bytes = o->cache_bytes;
    options.log = o->log;
    options.log_arg = o->log_arg;
    if (dir && o->cache_bytes > 0) {
        int n = snprintf(cache, sizeof cache, "%s/native", dir);
        if (n < 0 || (size_t)n >= sizeof cache)
            return qd_fail(err, QD_EINVAL, "directory '%.100s…': the path is too long", dir);
        options.cache_dir = cache;
    }
    return qd_wasm_engine_new(&options, out, err);
}

static qd_status open_registry(qd_runtime *rt, const qd_runtime_options *o, qd_error *err)
{
    qd_registry_options options = QD_REGISTRY_OPTIONS_INIT;
    options.max_module_bytes = o->max_module_bytes;
    options.max_functions = o->max_functions;
    options.stats = rt->stats;
    return qd_registry_open(rt->kv, rt->engine, &options, NULL, NULL, &rt->registry, err);
}

qd_status qd_runtime_open(const char *dir, const qd_runtime_options *options, qd_runtime **out, qd_error *err)
{
    const qd_runtime_options defaults = QD_RUNTIME_OPTIONS_INIT;
    const qd_runtime_options *o = options ? options : &defaults;
    qd_stats_keeper_options keeper = QD_STATS_KEEPER_OPTIONS_INIT;
    qd_status st = check_options(o, err);
    if (st != QD_OK)
        return st;
    qd_runtime *rt = calloc(1, sizeof *rt);
    if (!rt)
        return qd_fail_nomem(err);
    keeper.log = o->log;
    keeper.log_arg = o->log_arg;
    if (!dir)
        keeper.flush_interval_ms = 0;
    st = open_store(dir, &rt->kv, err);
    if (st == QD_OK)
        st = qd_stats_keeper_open(rt->kv, &keeper, &rt->stats, err);
    if (st == QD_OK)
        st = open_engine(dir, o, &rt->engine, err);
    if (st == QD_OK)
        st = open_registry(rt, o, err);
    if (st == QD_OK)
        *out = QD_TAKE(rt);
    qd_runtime_close(rt);
    return st;
}

void qd_runtime_close(qd_runtime *rt)
{
    if (!rt)
        return;
    qd_registry_close(rt->registry);
    qd_stats_keeper_close(rt->stats);
    qd_wasm_engine_free(rt->engine);
    qd_kv_close(rt->kv);
    free(rt);
}

/* ---- functions ---- */

static qd_str text_or_empty(const char *z)
{
    return z ? qd_str_of(z) : (qd_str){0};
}

qd_status qd_runtime_register(qd_runtime *rt, const char *manifest, size_t manifest_len, const void *module,
                              size_t module_len, qd_error *err)
{
    qd_udf *u = NULL;
    qd_registered result;
    uint8_t *from_text = NULL;
    json_t *json = NULL;
    qd_registration reg = {.wasm = module, .wasm_size = module_len};
    qd_status st = qd_json_parse((qd_str){manifest, manifest_len}, &json, err);
    if (st == QD_OK && (module_len < 4 || memcmp(module, "\0asm", 4) != 0)) {
        st = qd_wasm_from_wat((qd_str){module, module_len}, &from_text, &reg.wasm_size, err);
        reg.wasm = from_text;
    }
    reg.manifest = json;
    if (st == QD_OK)
        st = qd_registry_register(rt->registry, &reg, &u, &result, err);
    if (st == QD_OK)
        qd_udf_unref(u);
    free(from_text);
    json_decref(json);
    return st;
}

qd_status qd_runtime_activate(qd_runtime *rt, const char *name, const char *version, qd_error *err)
{
    const qd_actor nobody = {0};
    qd_alias_move move;
    return qd_registry_activate(rt->registry, qd_str_of(name), text_or_empty(version), &nobody, &move, err);
}

qd_status qd_runtime_remove(qd_runtime *rt, const char *name, const char *version, qd_error *err)
{
    const qd_actor nobody = {0};
    return qd_registry_remove(rt->registry, qd_str_of(name), text_or_empty(version), &nobody, NULL, err);
}

qd_status qd_runtime_stats(qd_runtime *rt, const char *name, const char *version, char **out, qd_error *err)
{
    qd_udf *u = NULL;
    qd_buf buf;
    qd_json w;
    qd_status st = qd_registry_get(rt->registry, qd_str_of(name), text_or_empty(version), &u, err);
    if (st != QD_OK)
        return st;
    qd_buf_init(&buf, MAX_ANSWER_BYTES);
    qd_json_init(&w, &buf, false);
    const qd_rating_facts facts = qd_rating_facts_of(u);
    st = qd_udf_stats_write_json(u->stats, &facts, &w, err);
    char *text = st == QD_OK ? qd_buf_take(&buf, NULL) : NULL;
    if (st == QD_OK && !text)
        st = qd_fail_nomem(err);
    if (st == QD_OK)
        *out = text;
    qd_buf_deinit(&buf);
    qd_udf_unref(u);
    return st;
}
