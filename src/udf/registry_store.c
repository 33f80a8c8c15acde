/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/registry_store.h"

#include <stdio.h>
#include <stdlib.h>

#define BUCKET            QD_STR("udf")
#define MAX_HISTORY_BYTES ((size_t)1 << 20)
#define MAX_RECORD_BYTES  ((size_t)1 << 20)
#define MAX_MODULE_BYTES  ((size_t)1 << 30)

typedef struct qd_store_key {
    char text[192];
} store_key;

static qd_str make_key(store_key *k, const char *kind, qd_str name)
{
    int n = snprintf(k->text, sizeof k->text, "%s/%.*s", kind, (int)(name.n > 160 ? 160 : name.n), name.p);
    return (qd_str){k->text, (size_t)n};
}

static qd_status get(qd_registry *r, const char *kind, qd_str name, qd_buf *out, qd_error *err)
{
    store_key k;
    qd_status st = qd_kv_get(r->kv, BUCKET, make_key(&k, kind, name), out, NULL, err);
    if (st != QD_ENOTFOUND)
        return st;
    return qd_fail(err, QD_EUDF_COMPILE, "the store has lost its %s", kind);
}

/* ---- changing ---- */

qd_status qd_store_changes_init(qd_store_changes *c, size_t most, qd_error *err)
{
    *c = (qd_store_changes){.most = most};
    qd_buf_init(&c->history, MAX_HISTORY_BYTES);
    c->items = calloc(most, sizeof *c->items);
    c->keys = malloc(most * sizeof *c->keys);
    return c->items && c->keys ? QD_OK : qd_fail_nomem(err);
}

void qd_store_changes_deinit(qd_store_changes *c)
{
    qd_buf_deinit(&c->history);
    free(c->keys);
    free(c->items);
}

static void add(qd_store_changes *c, const char *kind, qd_str name, qd_kv_item item)
{
    if (c->n == c->most) {
        c->is_full = true;
        return;
    }
    item.bucket = BUCKET;
    item.key = make_key(&c->keys[c->n], kind, name);
    c->items[c->n++] = item;
}

void qd_store_changes_remove(qd_store_changes *c, const char *kind, qd_str key)
{
    add(c, kind, key, (qd_kv_item){.expected = QD_KV_ANY, .is_removal = true});
}

void qd_store_changes_put_history(qd_store_changes *c, qd_str name, const qd_history *h)
{
    qd_history_pack(h, &c->history);
    add(c, "function", name, (qd_kv_item){.value = qd_buf_str(&c->history), .expected = QD_KV_ANY});
}

void qd_store_changes_put_version(qd_store_changes *c, const qd_stored_version *v)
{
    qd_str label = qd_str_of(v->label);
    /* The same bytes may be there, by their hash. Those that failed to load may have been damaged: written again. */
    add(c, "module", v->hash, (qd_kv_item){.value = v->wasm, .expected = v->is_again ? QD_KV_ANY : QD_KV_KEEP});
    if (v->native.n > 0)
        add(c, "native", label, (qd_kv_item){.value = v->native, .expected = QD_KV_ANY});
    if (v->history)
        qd_store_changes_put_history(c, v->name, v->history);
    add(c, "entry", label, (qd_kv_item){.value = v->record, .expected = QD_KV_ANY});
}

qd_status qd_registry_store_commit(qd_registry *r, const qd_store_changes *c, const qd_audit_entry *e, qd_error *err)
{
    if (c->history.failed)
        return qd_fail_nomem(err);
    if (c->is_full)
        return qd_fail(err, QD_EINTERNAL, "the registry's store: more than %zu changes at once", c->most);
    return r->options.audit ? qd_audit_commit(r->options.audit, e, c->items, c->n, err)
                            : qd_kv_change_many(r->kv, c->items, c->n, err);
}

/* ---- versions ---- */

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
    st = qd_history_unpack(qd_buf_str(&out->bytes), &out->h);
    if (st == QD_EPARSE) {
        qd_registry_tell(r, "the history of function '%.*s' cannot be read; it begins anew", QD_STR_FMT(name));
        qd_history_deinit(&out->h);
        st = qd_history_unpack(QD_STR(""), &out->h);
    }
    return st == QD_OK ? QD_OK : qd_fail_nomem(err);
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
