/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/shared.h"

#include <stdio.h>

#include "wasm/module_impl.h"

typedef struct shared_key {
    char text[QD_SHA256_HEX_SIZE + 16];
} shared_key;

static qd_str make_key(shared_key *key, const char *hash, uint32_t permissions)
{
    int n = snprintf(key->text, sizeof key->text, "%s/%x", hash, (unsigned)permissions);
    return (qd_str){key->text, (size_t)n};
}

qd_status qd_shared_modules_init(qd_shared_modules *s, qd_error *err)
{
    pthread_mutex_init(&s->mutex, NULL);
    s->modules = qd_map_new();
    return s->modules ? QD_OK : qd_fail_nomem(err);
}

void qd_shared_modules_deinit(qd_shared_modules *s)
{
    if (s->modules)
        qd_map_free(s->modules, NULL);
    pthread_mutex_destroy(&s->mutex);
}

/* False when its last reference is gone already: who dropped it waits for the mutex, to take it out. */
static bool try_ref(qd_wasm_module *m)
{
    unsigned refs = atomic_load_explicit(&m->refs, memory_order_relaxed);
    while (refs > 0)
        if (atomic_compare_exchange_weak(&m->refs, &refs, refs + 1))
            return true;
    return false;
}

qd_wasm_module *qd_shared_modules_find(qd_shared_modules *s, const char *hash, uint32_t permissions)
{
    shared_key key;
    pthread_mutex_lock(&s->mutex);
    qd_wasm_module *m = qd_map_get(s->modules, make_key(&key, hash, permissions));
    if (m && !try_ref(m))
        m = NULL;
    pthread_mutex_unlock(&s->mutex);
    return m;
}

void qd_shared_modules_add(qd_shared_modules *s, qd_wasm_module *m)
{
    shared_key key;
    pthread_mutex_lock(&s->mutex);
    m->is_shared = qd_map_put(s->modules, make_key(&key, m->hash, m->permissions), m, NULL);
    pthread_mutex_unlock(&s->mutex);
}

void qd_shared_modules_forget(qd_shared_modules *s, const qd_wasm_module *m)
{
    shared_key key;
    qd_str text = make_key(&key, m->hash, m->permissions);
    if (!m->is_shared)
        return;
    pthread_mutex_lock(&s->mutex);
    if (qd_map_get(s->modules, text) == m) /* another may stand there by now */
        (void)qd_map_remove(s->modules, text);
    pthread_mutex_unlock(&s->mutex);
}
