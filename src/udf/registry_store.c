/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/registry_store.h"

#include <stdio.h>

#define BUCKET            QD_STR("udf")
#define MAX_HISTORY_BYTES ((size_t)1 << 20)
#define MAX_RECORD_BYTES  ((size_t)1 << 20)
#define MAX_MODULE_BYTES  ((size_t)1 << 30)

typedef struct store_key {
    char text[192];
} store_key;

static qd_str make_key(store_key *k, const char *kind, qd_str name)
{
    int n = snprintf(k->text, sizeof k->text, "%s/%.*s", kind, (int)(name.n > 160 ? 160 : name.n), name.p);
    return (qd_str){k->text, (size_t)n};
}

static qd_status put(qd_registry *r, const char *kind, qd_str name, qd_str value, qd_error *err)
{
    store_key k;
    return qd_kv_put(r->kv, BUCKET, make_key(&k, kind, name), value, QD_KV_ANY, NULL, err);
}

static qd_status get(qd_registry *r, const char *kind, qd_str name, qd_buf *out, qd_error *err)
{
    store_key k;
    qd_status st = qd_kv_get(r->kv, BUCKET, make_key(&k, kind, name), out, NULL, err);
    if (st != QD_ENOTFOUND)
        return st;
    return qd_fail(err, QD_EUDF_COMPILE, "the store has lost its %s", kind);
}

/* ---- versions ---- */

typedef struct put_list {
    qd_kv_item items[4];
    store_key keys[4];
    size_t n;
} put_list;

static void add(put_list *l, const char *kind, qd_str name, qd_str value, uint64_t expected)
{
    l->items[l->n] = (qd_kv_item){BUCKET, make_key(&l->keys[l->n], kind, name), value, expected};
    l->n++;
}

qd_status qd_registry_store_put_version(qd_registry *r, const qd_stored_version *v, qd_error *err)
{
    put_list l = {.n = 0};
    qd_buf history;
    qd_str label = qd_str_of(v->label);
    qd_buf_init(&history, MAX_HISTORY_BYTES);
    if (v->history)
        qd_history_pack(v->history, &history);
    /* The same bytes may be there, by their hash. Those that failed to load may have been damaged: written again. */
    add(&l, "module", v->hash, v->wasm, v->is_again ? QD_KV_ANY : QD_KV_KEEP);
    if (v->native.n > 0)
        add(&l, "native", label, v->native, QD_KV_ANY);
    if (v->history)
        add(&l, "function", v->name, qd_buf_str(&history), QD_KV_ANY);
    add(&l, "entry", label, v->record, QD_KV_ANY);
    qd_status st = history.failed ? qd_fail_nomem(err) : qd_kv_put_many(r->kv, l.items, l.n, err);
    qd_buf_deinit(&history);
    return st;
}

qd_status qd_registry_store_get_module(qd_registry *r, qd_str hash, qd_buf *out, qd_error *err)
{
    qd_buf_init(out, MAX_MODULE_BYTES);
    return get(r, "module", hash, out, err);
}

qd_status qd_registry_store_get_native(qd_registry *r, const char *label, qd_buf *out, qd_error *err)
{
    qd_buf_init(out, MAX_MODULE_BYTES);
    return get(r, "native", qd_str_of(label), out, err);
}

qd_status qd_registry_store_get_entry(qd_registry *r, const char *label, qd_buf *out, qd_error *err)
{
    qd_buf_init(out, MAX_RECORD_BYTES);
    return get(r, "entry", qd_str_of(label), out, err);
}

qd_status qd_registry_store_remove(qd_registry *r, const char *kind, qd_str key, qd_error *err)
{
    store_key k;
    qd_status st = qd_kv_remove(r->kv, BUCKET, make_key(&k, kind, key), QD_KV_ANY, err);
    return st == QD_ENOTFOUND ? QD_OK : st;
}

/* ---- history ---- */

bool qd_registry_store_exists(const void *function, qd_str version)
{
    return function && qd_udf_function_find(function, version);
}

qd_status qd_registry_store_read_history(qd_registry *r, qd_str name, qd_stored_history *out, qd_error *err)
{
    store_key k;
    qd_error why = QD_ERROR_INIT;
    *out = (qd_stored_history){0};
    qd_buf_init(&out->bytes, MAX_HISTORY_BYTES);
    qd_status st = qd_kv_get(r->kv, BUCKET, make_key(&k, "function", name), &out->bytes, NULL, &why);
    if (st != QD_OK && st != QD_ENOTFOUND) {
        if (err)
            *err = why;
        return st;
    }
    if (!qd_history_unpack(qd_buf_str(&out->bytes), &out->h)) {
        qd_registry_tell(r, "the history of function '%.*s' cannot be read; it begins anew", QD_STR_FMT(name));
        qd_history_deinit(&out->h);
        if (!qd_history_unpack(QD_STR(""), &out->h))
            return qd_fail_nomem(err);
    }
    return QD_OK;
}

qd_status qd_registry_store_settled_history(qd_registry *r, qd_str name, const qd_udf_function *f,
                                            qd_stored_history *out, qd_error *err)
{
    qd_status st = qd_registry_store_read_history(r, name, out, err);
    if (st == QD_OK)
        qd_history_settle(&out->h, qd_registry_store_exists, f);
    return st;
}

void qd_stored_history_deinit(qd_stored_history *s)
{
    qd_history_deinit(&s->h);
    qd_buf_deinit(&s->bytes);
}

qd_status qd_registry_store_put_history(qd_registry *r, qd_str name, const qd_history *h, qd_error *err)
{
    qd_buf bytes;
    qd_buf_init(&bytes, MAX_HISTORY_BYTES);
    qd_history_pack(h, &bytes);
    qd_status st = bytes.failed ? qd_fail_nomem(err) : put(r, "function", name, qd_buf_str(&bytes), err);
    qd_buf_deinit(&bytes);
    return st;
}
