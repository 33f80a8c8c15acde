/* SPDX-License-Identifier: Apache-2.0 */
#include "node/definition.h"

#define MAX_BYTES ((size_t)64 << 20)

static qd_status read_members(const char *where, const json_t *body, int64_t default_refresh_interval_ms,
                              qd_definition *d, qd_error *err)
{
    static const char *const ALLOWED[] = {"uuid", "created", "settings", "mappings", NULL};
    qd_str uuid = {"", 0};
    qd_status st =
        json_is_object(body) ? QD_OK : qd_fail(err, QD_EIO, "expected an object, got %s", qd_json_type_name(body));
    if (st == QD_OK)
        st = qd_json_only(body, where, ALLOWED, QD_EIO, err);
    if (st == QD_OK)
        st = qd_json_get_str(body, where, "uuid", QD_EIO, &uuid, err);
    if (st == QD_OK)
        st = qd_json_get_i64(body, where, "created", QD_EIO, &d->created_ms, err);
    if (st == QD_OK && !qd_uuid_is_valid(uuid))
        st = qd_fail(err, QD_EIO, "'uuid' is missing or malformed");
    if (st != QD_OK)
        return st;
    memcpy(d->uuid, uuid.p, uuid.n);
    st = qd_settings_read(json_object_get(body, "settings"), default_refresh_interval_ms, &d->settings, err);
    return st == QD_OK ? qd_mapping_new(json_object_get(body, "mappings"), d->settings.max_fields, &d->mapping, err)
                       : st;
}

qd_status qd_definition_read(const char *name, qd_str bytes, uint64_t revision, int64_t default_refresh_interval_ms,
                             qd_definition *out, qd_error *err)
{
    json_t *body = NULL;
    qd_definition d = {.revision = revision};
    qd_status st = qd_json_parse(bytes, &body, err);
    if (st == QD_OK)
        st = read_members("definition", body, default_refresh_interval_ms, &d, err);
    json_decref(body);
    if (st == QD_OK) {
        *out = d;
        return QD_OK;
    }
    qd_definition_deinit(&d);
    qd_error_prefix(err, "index '%s': its definition is damaged: ", name);
    return st == QD_ENOMEM ? st : QD_EIO;
}

static void write_settings(const qd_settings *s, qd_json *w)
{
    qd_json_key(w, "settings");
    qd_json_value(w, s->texts);
}

qd_status qd_definition_put(qd_kv *kv, const char *name, const qd_definition *d, uint64_t expected, uint64_t *revision,
                            qd_error *err)
{
    qd_buf buf;
    qd_json w;
    qd_buf_init(&buf, MAX_BYTES);
    qd_json_init(&w, &buf, false);
    qd_json_begin_object(&w);
    qd_json_kv_z(&w, "uuid", d->uuid);
    qd_json_kv_i64(&w, "created", d->created_ms);
    write_settings(&d->settings, &w);
    qd_json_key(&w, "mappings");
    qd_mapping_write(d->mapping, &w, true);
    qd_json_end_object(&w);
    qd_status st;
    if (buf.is_over_max)
        st = qd_fail(err, QD_ELIMIT, "index '%s': its mapping is over %zu bytes", name, MAX_BYTES);
    else if (buf.failed)
        st = qd_fail_nomem(err);
    else
        st = qd_kv_put(kv, QD_DEFINITION_BUCKET, qd_str_of(name), qd_buf_str(&buf), expected, revision, err);
    qd_buf_deinit(&buf);
    return st;
}

void qd_definition_deinit(qd_definition *d)
{
    qd_settings_deinit(&d->settings);
    qd_mapping_unref(d->mapping);
    d->mapping = NULL;
}
