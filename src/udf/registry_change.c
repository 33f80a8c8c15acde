/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeping what was registered. */
#include "udf/registry_change.h"

#include <stdlib.h>

#include "base/clock.h"
#include "udf/registry_code.h"

#define MAX_RECORD_BYTES ((size_t)1 << 20)

qd_audit_entry qd_registry_audit_entry(qd_audit_action action, qd_str name, qd_str version, qd_str hash,
                                       const char *detail, const qd_actor *who)
{
    return (qd_audit_entry){
        .action = action,
        .outcome = QD_AUDIT_OK,
        .actor = who ? who->by : QD_STR(""),
        .remote = who ? who->remote : QD_STR(""),
        .name = name,
        .version = version,
        .hash = hash,
        .detail = qd_str_of(detail),
    };
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
    return v ? qd_json_text(v, true) : calloc(1, 1);
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
    qd_store_changes changes;
    char detail[QD_TRUST_TEXT_SIZE];
    const qd_registration *reg = c->reg;
    const qd_audit_entry entry = qd_registry_audit_entry(QD_AUDIT_REGISTER, c->name, c->version, qd_str_of(c->hash),
                                                         qd_trust_describe(&c->trust, detail), &reg->who);
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
    qd_status st = qd_store_changes_init(&changes, QD_STORE_VERSION_KEYS, err);
    if (st == QD_OK && !c->is_again)
        st = next_history(r, c, &s, err);
    if (st == QD_OK) {
        qd_store_changes_put_version(&changes, &v);
        st = qd_registry_store_commit(r, &changes, &entry, err);
    }
    qd_store_changes_deinit(&changes);
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

qd_status qd_registry_forget(qd_registry *r, qd_str name, qd_str version, qd_error *err)
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
    qd_buf_init(&record, MAX_RECORD_BYTES);
    c->udf->registered_at_ms = registration_time(r, c, now_ms);
    qd_status st = qd_pins_check(&c->pins, err);
    if (st == QD_OK)
        st = qd_registry_make_room(r, 0, err);
    if (st == QD_OK && !c->is_again)
        st = qd_registry_forget(r, c->name, c->version, err);
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
    }
    qd_udf_version_unref(v);
    qd_buf_deinit(&record);
    return st;
}
