/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeping what was registered, and deleting. The order of writes is that of registry_store.h. */
#include "udf/registry_change.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "udf/registry_code.h"

#define MAX_RECORD_BYTES ((size_t)1 << 20)

qd_status qd_registry_record(qd_registry *r, qd_audit_action action, qd_str name, qd_str version, qd_str hash,
                             const char *detail, const qd_actor *who, qd_error *err)
{
    const qd_audit_entry entry = {
        .action = action,
        .outcome = QD_AUDIT_OK,
        .actor = who ? who->by : QD_STR(""),
        .remote = who ? who->remote : QD_STR(""),
        .name = name,
        .version = version,
        .hash = hash,
        .detail = qd_str_of(detail),
    };
    qd_status st = qd_audit_append(r->options.audit, &entry, err);
    if (st != QD_OK)
        qd_error_prefix(err, "the change was made, but ");
    return st;
}

/* ---- keeping ---- */

static void pack_tags(const json_t *tags, qd_buf *out)
{
    for (size_t i = 0; i < json_array_size(tags); i++) {
        qd_buf_add_z(out, json_string_value(json_array_get(tags, i)));
        qd_buf_add_char(out, 0);
    }
}

static char *dump(const json_t *v)
{
    return v ? json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS) : calloc(1, 1);
}

/* The version's record, as stored. */
static qd_status pack_record(const qd_candidate *c, int64_t now_ms, qd_buf *out, qd_error *err)
{
    const qd_manifest *m = c->udf->manifest;
    const qd_registration *reg = c->reg;
    qd_buf tags, pins;
    char *signature = dump(reg->signature), *native_signature = dump(reg->native ? reg->native_signature : NULL);
    qd_buf_init(&tags, MAX_RECORD_BYTES);
    qd_buf_init(&pins, MAX_RECORD_BYTES);
    pack_tags(json_object_get(m->json, "tags"), &tags);
    qd_pins_pack(&c->pins, &pins);
    const qd_udf_record record = {
        .kind = m->kind,
        .abi = m->abi,
        .trust = c->trust.state,
        .wasm_size = reg->wasm_size,
        .native_size = reg->native ? reg->native_size : 0,
        .registered_at_ms = c->udf->registered_at_ms,
        .updated_at_ms = now_ms,
        .hash = qd_str_of(c->hash),
        .manifest_hash = qd_str_of(c->manifest_hash),
        .key_id = qd_str_of(c->trust.key_id),
        .signature = qd_str_of(signature),
        .native_signature = qd_str_of(native_signature),
        .pins = qd_buf_str(&pins),
        .function_name = m->function_name,
        .description = m->description,
        .author = m->author,
        .category = m->category,
        .language = m->language,
        .tags = qd_buf_str(&tags),
    };
    qd_udf_record_pack(&record, qd_str_of(c->manifest_text), out);
    bool ok = signature && native_signature && !tags.failed && !pins.failed && !out->failed;
    qd_buf_deinit(&pins);
    qd_buf_deinit(&tags);
    free(native_signature);
    free(signature);
    return ok ? QD_OK : qd_fail_nomem(err);
}

/* The alias moves unless the caller does not want it. */
static qd_status next_history(qd_registry *r, const qd_candidate *c, qd_stored_history *s, qd_error *err)
{
    const qd_registration *reg = c->reg;
    qd_status st = qd_registry_store_settled_history(r, c->name, qd_registry_find(r, c->name), s, err);
    if (st != QD_OK)
        return st;
    qd_history_add(&s->h, reg->is_inactive ? QD_HISTORY_REGISTER_INACTIVE : QD_HISTORY_REGISTER, c->version,
                   reg->who.by, c->udf->registered_at_ms);
    if (!reg->is_inactive)
        s->h.active = c->version;
    return QD_OK;
}

/* A version that is only mended changes no history. */
static qd_status store(qd_registry *r, const qd_candidate *c, qd_str record, qd_error *err)
{
    qd_stored_history s = {0};
    const qd_registration *reg = c->reg;
    const qd_stored_version v = {
        .name = c->name,
        .hash = qd_str_of(c->hash),
        .wasm = {(const char *)reg->wasm, reg->wasm_size},
        .native = {(const char *)reg->native, reg->native ? reg->native_size : 0},
        .record = record,
        .label = c->udf->label,
        .history = c->is_again ? NULL : &s.h,
        .is_again = c->is_again,
    };
    qd_status st = c->is_again ? QD_OK : next_history(r, c, &s, err);
    if (st == QD_OK)
        st = qd_registry_store_put_version(r, &v, err);
    qd_stored_history_deinit(&s);
    return st;
}

/* Puts a stored version into the table. */
static bool show(qd_registry *r, const qd_candidate *c, qd_udf_version *v)
{
    qd_udf_version *replaced = NULL;
    pthread_rwlock_wrlock(&r->table_lock);
    qd_udf_function *f = qd_registry_insert(r, v, &replaced);
    if (!replaced && !c->reg->is_inactive)
        f->active = v;
    bool is_active = f->active == v;
    pthread_rwlock_unlock(&r->table_lock);
    if (replaced)
        qd_pins_count(r, replaced, -1);
    qd_pins_count(r, v, 1);
    qd_udf_version_unref(replaced);
    return is_active;
}

/* What is known about a version beside its entry. It goes before the entry does, and again before a new version of that
 * name comes: a query that had begun before the deletion may have left something behind it. */
static qd_status forget(qd_registry *r, qd_str name, qd_str version, qd_error *err)
{
    qd_status st = QD_OK;
    if (r->options.stats)
        st = qd_stats_keeper_remove(r->options.stats, name, version, err);
    if (st == QD_OK && r->options.quarantine)
        st = qd_quarantine_reinstate(r->options.quarantine, name, version, NULL, err);
    return st;
}

/* Its compilation may have taken long: the time is that of its turn, so that the history is in order. What is only
 * mended was registered when it was. */
static int64_t registration_time(const qd_registry *r, const qd_candidate *c, int64_t now_ms)
{
    const qd_udf_function *f = c->is_again ? qd_registry_find(r, c->name) : NULL;
    const qd_udf_version *v = f ? qd_udf_function_find(f, c->version) : NULL;
    return v ? v->record.registered_at_ms : now_ms;
}

qd_status qd_registry_keep(qd_registry *r, qd_candidate *c, bool *is_active, qd_error *err)
{
    int64_t now_ms = qd_clock_wall_ms();
    qd_buf record;
    qd_udf_version *v = NULL;
    char detail[QD_TRUST_TEXT_SIZE];
    qd_buf_init(&record, MAX_RECORD_BYTES);
    c->udf->registered_at_ms = registration_time(r, c, now_ms);
    qd_status st = qd_pins_check(&c->pins, err);
    if (st == QD_OK)
        st = qd_registry_make_room(r, 0, err);
    if (st == QD_OK && !c->is_again)
        st = forget(r, c->name, c->version, err);
    if (st == QD_OK)
        st = qd_registry_attach_stats(r, c->udf, err);
    if (st == QD_OK)
        st = pack_record(c, now_ms, &record, err);
    if (st == QD_OK && !(v = qd_udf_version_new(c->name, c->version, qd_buf_str(&record))))
        st = qd_fail_nomem(err);
    if (st == QD_OK)
        st = qd_registry_reserve(r, c->name, v->record.hash, err);
    if (st == QD_OK) {
        st = store(r, c, qd_buf_str(&record), err);
        if (st != QD_OK)
            qd_registry_cancel(r, c->name, qd_str_of(c->hash));
    }
    if (st == QD_OK) {
        /* With its code, so that nobody loads it; without room for that it is loaded at its first use, when there is.
         */
        (void)qd_registry_keep_code(r, v, c->udf, NULL);
        *is_active = show(r, c, v);
        v = NULL;
        st = qd_registry_record(r, QD_AUDIT_REGISTER, c->name, c->version, qd_str_of(c->hash),
                                qd_trust_describe(&c->trust, detail), &c->reg->who, err);
    }
    qd_udf_version_unref(v);
    qd_buf_deinit(&record);
    return st;
}

/* ---- deleting ---- */

/* The alias after a version has gone: who was active before, else the latest of the rest. Without one that was active
 * before, the history says that the latest was made it. */
static qd_status next_active(const qd_udf_function *f, const qd_udf_version *gone, qd_history *h, qd_str by,
                             qd_udf_version **out, qd_error *err)
{
    qd_str previous;
    qd_udf_version *next = f->active;
    if (next == gone) {
        qd_status st = qd_history_previous(h, qd_registry_store_exists, f, &previous, err);
        if (st != QD_OK)
            return st;
        next = previous.n > 0 ? qd_udf_function_find(f, previous) : qd_udf_function_latest_but(f, gone);
        if (previous.n == 0 && next)
            qd_history_add(h, QD_HISTORY_ACTIVATE, next->version, by, qd_clock_wall_ms());
    }
    h->active = next ? next->version : QD_STR("");
    *out = next;
    return QD_OK;
}

/* What only this version used. */
static qd_status remove_rest(qd_registry *r, const qd_udf_version *v, qd_error *err)
{
    qd_status st = QD_OK;
    if (v->record.native_size > 0)
        st = qd_registry_store_remove(r, "native", qd_str_of(v->label), err);
    if (st == QD_OK && qd_registry_count_module(r, v->record.hash) == 0)
        st = qd_registry_store_remove(r, "module", v->record.hash, err);
    return st;
}

/* `v` is taken out of the table, and `f` with its last version. */
static qd_status remove_version(qd_registry *r, qd_udf_function *f, qd_udf_version *v, const qd_actor *who,
                                qd_error *err)
{
    qd_stored_history s = {0};
    qd_udf_version *next = NULL;
    bool is_last = f->n_versions == 1;
    qd_str by = who ? who->by : QD_STR("");
    qd_status st = forget(r, v->name, v->version, err);
    if (st == QD_OK)
        st = qd_registry_store_settled_history(r, v->name, f, &s, err);
    if (st == QD_OK) {
        qd_history_add(&s.h, QD_HISTORY_DELETE, v->version, by, qd_clock_wall_ms());
        st = next_active(f, v, &s.h, by, &next, err);
    }
    if (st == QD_OK)
        st = qd_registry_store_remove(r, "entry", qd_str_of(v->label), err);
    if (st != QD_OK)
        goto done;
    qd_pins_count(r, v, -1);
    pthread_rwlock_wrlock(&r->table_lock);
    if (!is_last)
        f->active = next;
    qd_registry_take(r, f, v);
    pthread_rwlock_unlock(&r->table_lock);
    qd_registry_drop_code(r, v);
    st = is_last ? qd_registry_store_remove(r, "function", v->name, err)
                 : qd_registry_store_put_history(r, v->name, &s.h, err);
    if (st == QD_OK)
        st = remove_rest(r, v, err);
    qd_udf_version_unref(v);
done:
    qd_stored_history_deinit(&s);
    return st;
}

/* The active version last, so that nobody sees the alias move. */
static qd_status remove_all(qd_registry *r, qd_udf_function *f, const qd_actor *who, size_t *removed, qd_error *err)
{
    qd_status st = QD_OK;
    for (size_t left = f->n_versions; left > 0 && st == QD_OK; left--) {
        qd_udf_version *v = f->versions[f->versions[0] == f->active && left > 1 ? 1 : 0];
        st = remove_version(r, f, v, who, err);
        *removed += st == QD_OK;
    }
    return st;
}

static qd_status find_to_remove(qd_registry *r, qd_str name, qd_str version, qd_udf_function **f, qd_udf_version **v,
                                qd_error *err)
{
    qd_semver ignored;
    *f = qd_registry_find(r, name);
    *v = *f && version.n > 0 ? qd_udf_function_find(*f, version) : NULL;
    if (*f && !*v && version.n > 0 && !qd_semver_parse(version, &ignored))
        return qd_fail_field(err, QD_EUDF_PARAMS, "version",
                             "'%.*s': deleting needs one whole version such as 1.2.3, or none for all",
                             QD_STR_FMT(version));
    if (!*f || (version.n > 0 && !*v))
        return qd_registry_resolve_version(r, name, version, NULL, v, err);
    return qd_depends_check_unneeded(r, *f, *v, err);
}

qd_status qd_registry_remove(qd_registry *r, qd_str name, qd_str version, const qd_actor *who, size_t *removed,
                             qd_error *err)
{
    size_t n = 0;
    char detail[48] = "", hash[QD_SHA256_HEX_SIZE] = "";
    qd_udf_function *f;
    qd_udf_version *v;
    pthread_mutex_lock(&r->write_mutex);
    qd_status st = find_to_remove(r, name, version, &f, &v, err);
    if (st == QD_OK && v) {
        snprintf(hash, sizeof hash, "%.*s", QD_STR_FMT(v->record.hash));
        st = remove_version(r, f, v, who, err);
        n = st == QD_OK;
    } else if (st == QD_OK) {
        st = remove_all(r, f, who, &n, err);
        snprintf(detail, sizeof detail, "%zu version%s", n, n == 1 ? "" : "s");
    }
    if (n > 0) {
        qd_status recorded = qd_registry_record(r, QD_AUDIT_DELETE, name, version, qd_str_of(hash), detail, who,
                                                st == QD_OK ? err : NULL);
        st = st == QD_OK ? recorded : st;
    }
    pthread_mutex_unlock(&r->write_mutex);
    if (st == QD_OK && removed)
        *removed = n;
    return st;
}
