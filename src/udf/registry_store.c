/* SPDX-License-Identifier: Apache-2.0
 *
 * What the store holds of the registry, in bucket "udf":
 *   module/<sha256>        the module's bytes
 *   entry/<name>@<version> {"manifest":{…},"hash":…,"wasm_size":…,"registered_at":ms}
 *   active/<name>          {"version":…,"previous":…}
 * Each of the three may exist without those below it (a crash between two puts), never without those above it but
 * `active`, which after a removal may name a version that is gone: then the highest that there is counts. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "udf/registry_table.h"
#include "udf/udf.h"

#define BUCKET QD_STR("udf")

typedef struct store_key {
    char text[160];
} store_key;

static qd_str entry_key(store_key *k, qd_str name, const char *version)
{
    int n = snprintf(k->text, sizeof k->text, "entry/%.*s@%s", QD_STR_FMT(name), version);
    return (qd_str){k->text, (size_t)n};
}

static qd_str named_key(store_key *k, const char *kind, qd_str name)
{
    int n = snprintf(k->text, sizeof k->text, "%s/%.*s", kind, QD_STR_FMT(name));
    return (qd_str){k->text, (size_t)n};
}

/* ---- writing ---- */

static qd_status put_json(qd_registry *r, qd_str key, json_t *value, uint64_t expected, qd_error *err)
{
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    qd_status st = text ? qd_kv_put(r->kv, BUCKET, key, qd_str_of(text), expected, NULL, err) : qd_fail_nomem(err);
    free(text);
    json_decref(value);
    return st;
}

static qd_status put_entry(qd_registry *r, const qd_udf_version *v, qd_str name, qd_error *err)
{
    store_key k;
    /* One that no longer compiled may be registered again over what is there. */
    json_t *entry = json_pack("{s:O, s:s, s:I, s:I}", "manifest", v->manifest, "hash", v->hash, "wasm_size",
                              (json_int_t)v->wasm_size, "registered_at", (json_int_t)v->registered_at_ms);
    return put_json(r, entry_key(&k, name, v->version), entry, QD_KV_ANY, err);
}

qd_status qd_registry_store_active(qd_registry *r, qd_str name, const qd_udf_function *f, qd_error *err)
{
    store_key k;
    qd_str key = named_key(&k, "active", name);
    if (f)
        return put_json(r, key, json_pack("{s:s, s:s}", "version", f->active->version, "previous", f->previous),
                        QD_KV_ANY, err);
    qd_status st = qd_kv_remove(r->kv, BUCKET, key, QD_KV_ANY, err);
    return st == QD_ENOTFOUND ? QD_OK : st;
}

qd_status qd_registry_store_put(qd_registry *r, const qd_udf_version *v, qd_str name, const uint8_t *wasm,
                                const qd_udf_function *f, qd_error *err)
{
    store_key k;
    qd_str key = named_key(&k, "module", qd_str_of(v->hash));
    /* One that is there and failed to load may have been damaged: its bytes are written again. */
    uint64_t expected = f && qd_udf_function_find(f, qd_str_of(v->version)) ? QD_KV_ANY : QD_KV_ABSENT;
    qd_status st = qd_kv_put(r->kv, BUCKET, key, (qd_str){(const char *)wasm, v->wasm_size}, expected, NULL, err);
    if (st == QD_OK || st == QD_ECONFLICT) /* a conflict: the same bytes are there, by their hash */
        st = put_entry(r, v, name, err);
    if (st != QD_OK || f)
        return st;
    json_t *alias = json_pack("{s:s, s:s}", "version", v->version, "previous", "");
    return put_json(r, named_key(&k, "active", name), alias, QD_KV_ANY, err);
}

qd_status qd_registry_store_remove_entry(qd_registry *r, qd_str name, const char *version, qd_error *err)
{
    store_key k;
    qd_status st = qd_kv_remove(r->kv, BUCKET, entry_key(&k, name, version), QD_KV_ANY, err);
    return st == QD_ENOTFOUND ? QD_OK : st;
}

qd_status qd_registry_store_remove_module(qd_registry *r, const char *hash, qd_error *err)
{
    store_key k;
    qd_status st = qd_kv_remove(r->kv, BUCKET, named_key(&k, "module", qd_str_of(hash)), QD_KV_ANY, err);
    return st == QD_ENOTFOUND ? QD_OK : st;
}

/* ---- loading ---- */

/* Keys and values with a prefix, copied out: callbacks of the store may not call back into it. */
typedef struct pairs {
    qd_arena *arena;
    struct pair {
        struct pair *next;
        qd_str key, value; /* the key without the prefix */
    } * first, **end;
    size_t prefix_n;
    bool with_values, failed;
} pairs;

static bool copy_pair(void *arg, qd_str key, qd_str value, uint64_t revision)
{
    pairs *p = arg;
    struct pair *pair = QD_NEW(p->arena, struct pair);
    (void)revision;
    if (pair) {
        pair->key = qd_arena_str(p->arena, (qd_str){key.p + p->prefix_n, key.n - p->prefix_n});
        pair->value = qd_arena_str(p->arena, p->with_values ? value : QD_STR(""));
    }
    p->failed = !pair || !pair->key.p || !pair->value.p;
    if (p->failed)
        return false;
    *p->end = pair;
    p->end = &pair->next;
    return true;
}

static qd_status read_pairs(qd_registry *r, const char *prefix, bool with_values, pairs *p, qd_error *err)
{
    *p = (pairs){.prefix_n = strlen(prefix), .with_values = with_values, .arena = qd_arena_new(SIZE_MAX)};
    p->end = &p->first;
    if (!p->arena)
        return qd_fail_nomem(err);
    qd_status st = qd_kv_visit(r->kv, BUCKET, qd_str_of(prefix), copy_pair, p, err);
    return st == QD_OK && p->failed ? qd_fail_nomem(err) : st;
}

typedef struct loader {
    qd_registry *r;
    void (*log)(void *arg, const char *line);
    void *log_arg;
} loader;

static void tell(const loader *l, const char *what, const char *name, const char *why)
{
    char line[1024];
    if (!l->log)
        return;
    snprintf(line, sizeof line, "%s '%.160s': %s", what, name, why);
    l->log(l->log_arg, line);
}

/* Compiles a stored version; its failure is kept beside it. */
static void revive(loader *l, qd_udf_version *v, const char *label)
{
    store_key k;
    qd_buf wasm;
    qd_manifest *m = NULL;
    char hash[QD_SHA256_HEX_SIZE];
    qd_buf_init(&wasm, l->r->options.max_module_bytes);
    qd_status st = qd_kv_get(l->r->kv, BUCKET, named_key(&k, "module", qd_str_of(v->hash)), &wasm, NULL, &v->failure);
    if (st == QD_OK && (!qd_hash_sha256_hex(wasm.p, wasm.n, hash) || strcmp(hash, v->hash) != 0))
        st = qd_fail(&v->failure, QD_EIO, "the stored module is damaged: its hash is not %s", v->hash);
    if (st == QD_OK)
        st = qd_manifest_parse(v->manifest, &m, &v->failure);
    if (st == QD_OK)
        st = qd_udf_build(l->r->engine, &l->r->options, m, (const uint8_t *)wasm.p, wasm.n, v->registered_at_ms,
                          &v->udf, &v->failure);
    if (st == QD_OK && (st = qd_registry_attach_stats(l->r, v->udf, &v->failure)) != QD_OK)
        qd_udf_unref(QD_TAKE(v->udf));
    v->failure.code = st;
    if (st != QD_OK)
        tell(l, "cannot use the stored function", label, v->failure.message);
    qd_buf_deinit(&wasm);
}

static qd_status load_entry(loader *l, qd_str key, qd_str value, qd_error *err)
{
    json_t *entry = NULL, *manifest = NULL;
    const char *hash = NULL;
    json_int_t wasm_size = 0, registered_at = 0;
    char label[160];
    qd_udf_function *f = NULL;
    bool is_new = false;
    snprintf(label, sizeof label, "%.*s", QD_STR_FMT(key));
    const char *at = memchr(key.p, '@', key.n);
    qd_error why = QD_ERROR_INIT;
    qd_status st = qd_json_parse(value, &entry, &why);
    if (st != QD_OK || !at ||
        json_unpack(entry, "{s:o, s:s, s:I, s:I}", "manifest", &manifest, "hash", &hash, "wasm_size", &wasm_size,
                    "registered_at", &registered_at) != 0) {
        tell(l, "skipped the unreadable registry entry", label, why.message);
        json_decref(entry);
        return QD_OK;
    }
    qd_str name = {key.p, (size_t)(at - key.p)}, version = {at + 1, key.n - name.n - 1};
    qd_udf_version *v = qd_udf_version_new(version, hash, (uint64_t)wasm_size, registered_at, manifest, NULL);
    json_decref(entry);
    st = v ? qd_registry_reserve(l->r, name, &f, &is_new, err) : qd_fail_nomem(err);
    if (st == QD_OK && is_new && !qd_map_put(l->r->functions, name, f, NULL)) {
        qd_udf_function_free(f);
        st = qd_fail_nomem(err);
    }
    if (st != QD_OK) {
        qd_udf_version_free(v);
        return st;
    }
    revive(l, v, label);
    qd_udf_function_insert(f, v);
    l->r->n_versions++;
    return QD_OK;
}

/* Without a usable alias the highest version is the active one. */
static void load_active(loader *l, qd_str name, qd_str value)
{
    json_t *alias = NULL;
    const char *version = NULL, *previous = "";
    qd_udf_function *f = qd_registry_find(l->r, name);
    if (!f)
        return;
    if (qd_json_parse(value, &alias, NULL) == QD_OK &&
        json_unpack(alias, "{s:s, s?s}", "version", &version, "previous", &previous) == 0) {
        qd_udf_version *v = qd_udf_function_find(f, qd_str_of(version));
        if (v && *version)
            f->active = v;
        if (*previous && qd_udf_function_find(f, qd_str_of(previous)))
            snprintf(f->previous, sizeof f->previous, "%s", previous);
    }
    json_decref(alias);
}

/* Bytes that no entry refers to: left by a crash between two steps of registering or removing. */
static qd_status remove_orphans(qd_registry *r, qd_error *err)
{
    pairs modules;
    size_t i = 0;
    qd_str name;
    void *value;
    qd_map *used = qd_map_new();
    qd_status st = read_pairs(r, "module/", false, &modules, err);
    if (st == QD_OK && !used)
        st = qd_fail_nomem(err);
    while (st == QD_OK && qd_map_next(r->functions, &i, &name, &value)) {
        qd_udf_function *f = value;
        for (size_t k = 0; st == QD_OK && k < f->n_versions; k++)
            if (!qd_map_put(used, qd_str_of(f->versions[k]->hash), f, NULL))
                st = qd_fail_nomem(err);
    }
    for (struct pair *p = modules.first; p && st == QD_OK; p = p->next)
        if (!qd_map_get(used, p->key))
            st = qd_registry_store_remove_module(r, p->key.p, err);
    qd_map_free(used, NULL);
    qd_arena_free(modules.arena);
    return st;
}

static void activate_highest(qd_registry *r)
{
    size_t i = 0;
    qd_str name;
    void *value;
    while (qd_map_next(r->functions, &i, &name, &value)) {
        qd_udf_function *f = value;
        f->active = f->versions[f->n_versions - 1];
    }
}

qd_status qd_registry_load(qd_registry *r, void (*log)(void *arg, const char *line), void *log_arg, qd_error *err)
{
    loader l = {r, log, log_arg};
    pairs entries, actives = {0};
    bool has_skipped = false;
    qd_status st = read_pairs(r, "entry/", true, &entries, err);
    for (struct pair *p = entries.first; p && st == QD_OK; p = p->next) {
        size_t before = r->n_versions;
        st = load_entry(&l, p->key, p->value, err);
        has_skipped |= r->n_versions == before;
    }
    if (st == QD_OK) {
        activate_highest(r);
        st = read_pairs(r, "active/", true, &actives, err);
    }
    for (struct pair *p = actives.first; p && st == QD_OK; p = p->next)
        load_active(&l, p->key, p->value);
    /* An entry that cannot be read may refer to bytes that look like orphans: keep all. */
    if (st == QD_OK && !has_skipped)
        st = remove_orphans(r, err);
    qd_arena_free(entries.arena);
    qd_arena_free(actives.arena);
    return st;
}
