/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "wasm/backend.h"

#define MAX_CACHED     1024
#define MAX_CODE_BYTES (64u << 10)

/* A driver is referenced by the map while it is in it, and by each instance that uses it. */
struct qd_driver_cache {
    const qd_wasm_backend *backend;
    pthread_mutex_t mutex;
    qd_map *drivers;
    uint64_t clock;
};

typedef struct driver_key {
    char p[QD_WASM_MAX_PARAMS + 3];
    size_t n;
} driver_key;

static driver_key key_of(const qd_driver_spec *spec)
{
    const qd_wasm_signature *s = spec->signature;
    driver_key key = {.n = 0};
    if (spec->is_columns)
        return (driver_key){.p = "c", .n = 1};
    bool is_typed = spec->shape == QD_SHAPE_TYPED, has_result = s->n_results > 0;
    key.p[key.n++] = is_typed ? 't' : 'r';
    key.p[key.n++] = (char)('0' + spec->has_state + 2 * spec->drops_result + 4 * spec->imports_cols);
    key.p[key.n++] = (char)(has_result ? '0' + s->result : '-');
    for (uint32_t i = 0; i < s->n_params && is_typed; i++)
        key.p[key.n++] = (char)((spec->varying >> i & 1 ? 'A' : 'a') + s->params[i]);
    return key;
}

static void driver_free(void *arg)
{
    qd_driver *d = arg;
    if (!d)
        return;
    if (d->module)
        wasmtime_module_delete(d->module);
    free(d);
}

static void unref_locked(qd_driver *d)
{
    if (--d->refs == 0)
        driver_free(d);
}

qd_driver_cache *qd_driver_cache_new(const qd_wasm_backend *backend)
{
    qd_driver_cache *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->backend = backend;
    c->drivers = qd_map_new();
    if (!c->drivers) {
        free(c);
        return NULL;
    }
    pthread_mutex_init(&c->mutex, NULL);
    return c;
}

void qd_driver_cache_free(qd_driver_cache *c)
{
    if (!c)
        return;
    qd_map_free(c->drivers, driver_free);
    pthread_mutex_destroy(&c->mutex);
    free(c);
}

static qd_driver *find_locked(qd_driver_cache *c, qd_str key)
{
    qd_driver *d = qd_map_get(c->drivers, key);
    if (d) {
        d->refs++;
        d->last_used = ++c->clock;
    }
    return d;
}

static void evict_oldest_locked(qd_driver_cache *c)
{
    size_t at = 0;
    qd_str key, oldest_key = {0};
    void *value;
    qd_driver *oldest = NULL;
    while (qd_map_next(c->drivers, &at, &key, &value)) {
        qd_driver *d = value;
        if (!oldest || d->last_used < oldest->last_used) {
            oldest = d;
            oldest_key = key;
        }
    }
    if (oldest) {
        qd_map_remove(c->drivers, oldest_key);
        unref_locked(oldest);
    }
}

static qd_status make(const qd_wasm_backend *backend, const qd_driver_spec *spec, qd_driver **out, qd_error *err)
{
    qd_buf code;
    qd_buf_init(&code, MAX_CODE_BYTES);
    qd_status rc = QD_OK;
    qd_driver *d = calloc(1, sizeof *d);
    if (!d || !qd_driver_generate(spec, d, &code)) {
        rc = qd_fail_nomem(err);
        goto done;
    }
    rc = qd_wasm_backend_load(backend, (const uint8_t *)code.p, code.n, &d->module, err);
    if (rc == QD_EUDF_COMPILE) {
        qd_error_prefix(err, "a generated driver: ");
        if (err)
            err->code = QD_EINTERNAL;
        rc = QD_EINTERNAL;
    }
    if (rc)
        goto done;
    d->refs = 1;
    *out = QD_TAKE(d);
done:
    driver_free(d);
    qd_buf_deinit(&code);
    return rc;
}

qd_status qd_driver_cache_get(qd_driver_cache *c, const qd_driver_spec *spec, qd_driver **out, qd_error *err)
{
    driver_key key = key_of(spec);
    qd_str name = {key.p, key.n};
    pthread_mutex_lock(&c->mutex);
    qd_driver *d = find_locked(c, name);
    pthread_mutex_unlock(&c->mutex);
    if (d) {
        *out = d;
        return QD_OK;
    }

    qd_driver *made = NULL;
    qd_status rc = make(c->backend, spec, &made, err);
    if (rc)
        return rc;
    pthread_mutex_lock(&c->mutex);
    d = find_locked(c, name);
    if (d) { /* another thread was faster */
        unref_locked(made);
    } else {
        d = made;
        if (qd_map_count(c->drivers) >= MAX_CACHED)
            evict_oldest_locked(c);
        if (qd_map_put(c->drivers, name, d, NULL)) {
            d->refs++;
            d->last_used = ++c->clock;
        }
    }
    pthread_mutex_unlock(&c->mutex);
    *out = d;
    return QD_OK;
}

void qd_driver_cache_put(qd_driver_cache *c, qd_driver *d)
{
    if (!d)
        return;
    pthread_mutex_lock(&c->mutex);
    unref_locked(d);
    pthread_mutex_unlock(&c->mutex);
}
