/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/engine_impl.h"

#include <stdio.h>
#include <stdlib.h>

void qd_wasm_engine_delete(qd_wasm_engine *e)
{
    qd_optimizer_free(e->optimizer);
    for (size_t k = 0; k < QD_N_BACKENDS; k++)
        qd_wasm_backend_deinit(&e->backends[k]);
    qd_native_cache_close(e->cache);
    qd_shared_modules_deinit(&e->shared);
    pthread_mutex_destroy(&e->mutex);
    free(e);
}

static qd_status start_clock(qd_wasm_engine *e, qd_error *err)
{
    wasm_engine_t *ticking[QD_N_BACKENDS];
    size_t n = 0;
    for (size_t k = 0; k < QD_N_BACKENDS; k++)
        if (e->backends[k].has_epochs)
            ticking[n++] = e->backends[k].wasm;
    return qd_epoch_clock_start(&e->clock, ticking, n, err);
}

/* An engine without a cache is slower to start and as good otherwise. Baseline code is not kept: it is made in the time
 * in which a file is read. */
static void use_cache(qd_wasm_engine *e)
{
    qd_error why;
    if (!e->options.cache_dir)
        return;
    qd_status rc = qd_native_cache_open(e->options.cache_dir, e->options.cache_bytes, &e->cache, &why);
    for (size_t k = 0; k < QD_N_BACKENDS && !rc; k++)
        if (e->backends[k].tier == QD_TIER_OPTIMIZED)
            rc = qd_wasm_backend_use_cache(&e->backends[k], e->cache, &why);
    if (rc && e->options.log)
        e->options.log(e->options.log_arg, why.message);
    e->options.cache_dir = NULL; /* the caller's */
}

static qd_status start_optimizer(qd_wasm_engine *e, qd_error *err)
{
    e->optimizer = qd_optimizer_new(e);
    return e->optimizer ? QD_OK : qd_fail_nomem(err);
}

qd_status qd_wasm_engine_new(const qd_wasm_engine_options *options, qd_wasm_engine **out, qd_error *err)
{
    static const qd_wasm_engine_options defaults = QD_WASM_ENGINE_OPTIONS_INIT;
    qd_status rc = QD_OK;
    qd_wasm_engine *e = calloc(1, sizeof *e);
    if (!e)
        return qd_fail_nomem(err);
    e->options = options ? *options : defaults;
    if (e->options.max_live_instances == 0 || e->options.max_live_instances > QD_WASM_MAX_LIVE_INSTANCES ||
        e->options.max_stack_bytes < 16 * 1024 || e->options.max_stack_bytes > 4u << 20) {
        free(e);
        return qd_fail(err, QD_EINVAL,
                       "engine options: max_live_instances must be 1 to %u and max_stack_bytes 16 KiB to 4 MiB",
                       QD_WASM_MAX_LIVE_INSTANCES);
    }
    atomic_init(&e->refs, 1);
    pthread_mutex_init(&e->mutex, NULL);
    rc = qd_shared_modules_init(&e->shared, err);
    for (size_t k = 0; k < QD_N_BACKENDS && !rc; k++)
        rc = qd_wasm_backend_init(&e->backends[k], (qd_backend_kind)k, &e->options, err);
    if (!rc)
        rc = start_optimizer(e, err);
    if (!rc)
        rc = start_clock(e, err);
    if (!rc)
        use_cache(e);
    if (rc) {
        qd_wasm_engine_delete(e);
        return rc;
    }
    *out = e;
    return QD_OK;
}

void qd_wasm_engine_ref(qd_wasm_engine *e)
{
    atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
}

void qd_wasm_engine_free(qd_wasm_engine *e)
{
    if (!e || atomic_fetch_sub(&e->refs, 1) != 1)
        return;
    qd_epoch_clock_stop(&e->clock);
    if (qd_optimizer_stop(e->optimizer))
        qd_wasm_engine_delete(e);
}

void qd_wasm_engine_drain(qd_wasm_engine *e)
{
    qd_optimizer_drain(e->optimizer);
}

static void add_cache_counters(qd_wasm_engine *e, qd_wasm_counters *out)
{
    qd_cache_counters c;
    if (!e->cache)
        return;
    qd_native_cache_read_counters(e->cache, &c);
    out->cache_hits = c.hits;
    out->cache_misses = c.misses;
    out->cache_evictions = c.evictions;
    out->cache_rejected = c.rejected;
    out->cache_bytes = c.bytes;
    out->cache_entries = c.entries;
}

static uint64_t read_count(atomic_uint_fast64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

void qd_wasm_engine_read_counters(qd_wasm_engine *e, qd_wasm_counters *out)
{
    qd_wasm_counts *c = &e->counts;
    *out = (qd_wasm_counters){
        .tier_transitions = read_count(&c->tier_transitions),
        .code_bytes = read_count(&c->code_bytes),
        .linear_bytes = read_count(&c->linear_bytes),
        .column_bytes = read_count(&c->column_bytes),
        .max_instances = e->options.max_live_instances,
        .instances_made = read_count(&c->instances_made),
        .instances_reused = read_count(&c->instances_reused),
    };
    for (size_t t = 0; t < 3; t++) {
        out->compiled[t] = read_count(&c->compiled[t]);
        out->compile_ns[t] = read_count(&c->compile_ns[t]);
    }
    out->queued = qd_optimizer_queued(e->optimizer);
    add_cache_counters(e, out);
    pthread_mutex_lock(&e->mutex);
    out->idle_instances = e->n_idle;
    out->instances = e->n_stores - e->n_idle;
    pthread_mutex_unlock(&e->mutex);
}

/* Wasmtime's messages are chains of causes over several lines; the last cause tells most. */
static qd_str last_cause(qd_str text)
{
    static const char marker[] = "Caused by:";
    for (size_t i = 0; i + sizeof marker < text.n; i++) {
        if (memcmp(text.p + i, marker, sizeof marker - 1) != 0)
            continue;
        size_t from = i + sizeof marker - 1;
        for (size_t k = from; k + 1 < text.n; k++) /* causes are numbered when there are several */
            if (text.p[k] == '\n')
                from = k + 1;
        while (from < text.n && strchr(" \n0123456789:", text.p[from]))
            from++;
        return from < text.n ? (qd_str){text.p + from, text.n - from} : text;
    }
    return text;
}

char *qd_wasm_error_text(wasmtime_error_t *error, char *out, size_t size)
{
    wasm_name_t message;
    wasmtime_error_message(error, &message);
    qd_str text = last_cause((qd_str){message.data, message.size});
    size_t n = 0;
    for (; n < text.n && n + 1 < size; n++)
        out[n] = (unsigned char)text.p[n] < 0x20 ? ' ' : text.p[n];
    out[n] = 0;
    wasm_name_delete(&message);
    wasmtime_error_delete(error);
    return out;
}

/* "expected `)`\n     --> <anon>:2:7\n …" gives line, column, and the first line as the text. */
static qd_status fail_wat(wasmtime_error_t *error, qd_error *err)
{
    wasm_name_t message;
    wasmtime_error_message(error, &message);
    qd_str text = {message.data, message.size};
    unsigned line = 0, column = 0;
    size_t end = 0;
    while (end < text.n && text.p[end] != '\n')
        end++;
    for (size_t i = end; i + 4 < text.n; i++) {
        char place[64];
        if (memcmp(text.p + i, "-->", 3) != 0)
            continue;
        snprintf(place, sizeof place, "%.*s", (int)(text.n - i), text.p + i);
        if (sscanf(place, "--> <anon>:%u:%u", &line, &column) != 2)
            line = column = 0;
        break;
    }
    char place[48] = "";
    if (line)
        snprintf(place, sizeof place, " at line %u, column %u", line, column);
    qd_status rc =
        qd_fail_at(err, QD_EUDF_WASM, line, column, "WAT: %.*s%s", (int)(end > 300 ? 300 : end), text.p, place);
    wasm_name_delete(&message);
    wasmtime_error_delete(error);
    return rc;
}

qd_status qd_wasm_from_wat(qd_str wat, uint8_t **out, size_t *n, qd_error *err)
{
    wasm_byte_vec_t bytes;
    wasmtime_error_t *error = wasmtime_wat2wasm(wat.p ? wat.p : "", wat.n, &bytes);
    if (error)
        return fail_wat(error, err);
    uint8_t *copy = malloc(bytes.size ? bytes.size : 1);
    if (copy)
        memcpy(copy, bytes.data, bytes.size);
    size_t size = bytes.size;
    wasm_byte_vec_delete(&bytes);
    if (!copy)
        return qd_fail_nomem(err);
    *out = copy;
    *n = size;
    return QD_OK;
}
