/* SPDX-License-Identifier: Apache-2.0 */
#include "http/registration.h"

#include <stdlib.h>
#include <strings.h>

#include "base/hash.h"
#include "http/multipart.h"
#include "wasm/engine.h"

void qd_upload_deinit(qd_upload *u)
{
    json_decref(u->manifest);
    json_decref(u->signature);
    json_decref(u->native_signature);
    json_decref(u->test);
    free(u->wasm_owned);
    free(u->native_owned);
    *u = (qd_upload){0};
}

qd_registration qd_upload_registration(const qd_upload *u, qd_actor who)
{
    return (qd_registration){.manifest = u->manifest,
                             .wasm = u->wasm,
                             .wasm_size = u->wasm_size,
                             .is_inactive = u->is_inactive,
                             .signature = u->signature,
                             .native = u->native,
                             .native_size = u->native_size,
                             .native_signature = u->native_signature,
                             .who = who};
}

static qd_status too_large(size_t size, size_t max, qd_error *err)
{
    return qd_fail_field(err, QD_ETOOLARGE, "wasm",
                         "wasm: the module has %zu bytes; the limit is %zu (udf.max_module_bytes)", size, max);
}

/* ---- multipart --------------------------------------------------------------------------------------------------- */

typedef enum part_kind {
    NAME,
    VERSION,
    FUNCTION_NAME,
    WASM,
    METADATA,
    SIGNATURE,
    NATIVE,
    NATIVE_SIGNATURE,
    ACTIVATE,
    TEST,
    PART_KINDS
} part_kind;

static const char *const PART_NAMES[PART_KINDS] = {"name",      "version", "function_name",    "wasm",     "metadata",
                                                   "signature", "native",  "native_signature", "activate", "test"};

typedef struct form {
    const qd_part *part[PART_KINDS];
} form;

static qd_status parse_json_part(const form *f, part_kind kind, json_t **out, qd_error *err)
{
    const char *name = PART_NAMES[kind];
    json_t *value = NULL;
    qd_error found = QD_ERROR_INIT;
    if (!f->part[kind])
        return QD_OK;
    if (qd_json_parse(f->part[kind]->data, &value, &found) != QD_OK) {
        qd_fail_field(err, QD_EUDF_PARAMS, name, "%s: %s", name, found.message);
        if (err) {
            err->line = found.line;
            err->column = found.column;
        }
        return QD_EUDF_PARAMS;
    }
    if (!json_is_object(value)) {
        qd_fail_field(err, QD_EUDF_PARAMS, name, "%s: expected an object, got %s", name, qd_json_type_name(value));
        json_decref(value);
        return QD_EUDF_PARAMS;
    }
    *out = value;
    return QD_OK;
}

static qd_status sort_parts(const qd_part *parts, size_t n, bool with_test, form *f, qd_error *err)
{
    for (size_t i = 0; i < n; i++) {
        part_kind kind = 0, end = with_test ? PART_KINDS : TEST;
        while (kind < end && !qd_str_is(parts[i].name, PART_NAMES[kind]))
            kind++;
        if (kind == end)
            return qd_fail(err, QD_EUDF_PARAMS,
                           "%.*s: unknown field of a registration: expected name, version, function_name, wasm, "
                           "metadata, signature, native, native_signature or activate",
                           QD_STR_FMT(parts[i].name));
        if (f->part[kind])
            return qd_fail_field(err, QD_EUDF_PARAMS, PART_NAMES[kind], "%s: given twice", PART_NAMES[kind]);
        f->part[kind] = &parts[i];
    }
    return f->part[WASM]
               ? QD_OK
               : qd_fail_field(err, QD_EUDF_PARAMS, "wasm", "wasm: missing: send the module as a file in this field");
}

/* A field of the form goes into the manifest; where the metadata has it too, both must agree. */
static qd_status set_text(json_t *manifest, const char *key, qd_str value, qd_error *err)
{
    const json_t *given = json_object_get(manifest, key);
    json_t *text = json_stringn(value.p, value.n);
    if (!text)
        return qd_fail_field(err, QD_EUDF_PARAMS, key, "%s: not UTF-8", key);
    qd_status status = QD_OK;
    if (given && !json_equal(given, text))
        status = qd_fail_field(err, QD_EUDF_PARAMS, key, "%s: the form says '%.*s', the metadata says otherwise", key,
                               QD_STR_FMT(value));
    else if (json_object_set(manifest, key, text) != 0)
        status = qd_fail_nomem(err);
    json_decref(text);
    return status;
}

static qd_status read_activate(const form *f, bool *is_inactive, qd_error *err)
{
    if (!f->part[ACTIVATE])
        return QD_OK;
    qd_str value = f->part[ACTIVATE]->data;
    if (!qd_str_is(value, "true") && !qd_str_is(value, "false"))
        return qd_fail_field(err, QD_EUDF_PARAMS, "activate", "activate: expected true or false, got '%.*s'",
                             QD_STR_FMT(value));
    *is_inactive = qd_str_is(value, "false");
    return QD_OK;
}

static void view_part(const qd_part *part, const uint8_t **bytes, size_t *n)
{
    if (!part)
        return;
    *bytes = (const uint8_t *)part->data.p;
    *n = part->data.n;
}

static qd_status read_form(const form *f, qd_upload *out, qd_error *err)
{
    qd_status status = parse_json_part(f, METADATA, &out->manifest, err);
    if (status == QD_OK)
        status = parse_json_part(f, SIGNATURE, &out->signature, err);
    if (status == QD_OK)
        status = parse_json_part(f, NATIVE_SIGNATURE, &out->native_signature, err);
    if (status == QD_OK)
        status = parse_json_part(f, TEST, &out->test, err);
    if (status == QD_OK)
        status = read_activate(f, &out->is_inactive, err);
    if (status == QD_OK && !out->manifest && !(out->manifest = json_object()))
        status = qd_fail_nomem(err);
    for (part_kind k = NAME; k <= FUNCTION_NAME && status == QD_OK; k++) {
        if (f->part[k])
            status = set_text(out->manifest, PART_NAMES[k], f->part[k]->data, err);
    }
    view_part(f->part[WASM], &out->wasm, &out->wasm_size);
    view_part(f->part[NATIVE], &out->native, &out->native_size);
    return status;
}

static qd_status read_multipart(const qd_request *rq, bool with_test, qd_upload *out, qd_error *err)
{
    form f = {0};
    size_t n = 0;
    qd_str boundary;
    qd_part *parts = qd_arena_array(rq->arena, QD_MULTIPART_MAX_PARTS, sizeof *parts);
    if (!parts)
        return qd_fail_nomem(err);
    qd_status status = qd_multipart_boundary(rq->content_type, &boundary, err);
    if (status == QD_OK)
        status = qd_multipart_parse(rq->body, boundary, parts, &n, err);
    if (status == QD_OK)
        status = sort_parts(parts, n, with_test, &f, err);
    return status == QD_OK ? read_form(&f, out, err) : status;
}

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

static qd_status compile_source(qd_str language, qd_str source, qd_upload *out, qd_error *err)
{
    if (!qd_str_is(language, "wat"))
        return qd_fail_field(
            err, QD_EUDF_PARAMS, "language",
            "language: source in '%.*s' is not compiled here: send wasm_base64, or source with language 'wat'",
            QD_STR_FMT(language));
    qd_status status = qd_wasm_from_wat(source, &out->wasm_owned, &out->wasm_size, err);
    out->wasm = out->wasm_owned;
    return status;
}

static qd_status read_module(json_t *body, size_t max_module_bytes, qd_upload *out, qd_error *err)
{
    qd_str language = QD_STR("wasm"), base64 = QD_STR(""), source = QD_STR("");
    qd_status status = qd_json_get_str(body, "registration", "language", QD_EUDF_PARAMS, &language, err);
    if (status == QD_OK)
        status = qd_json_get_str(body, "registration", "wasm_base64", QD_EUDF_PARAMS, &base64, err);
    if (status == QD_OK)
        status = qd_json_get_str(body, "registration", "source", QD_EUDF_PARAMS, &source, err);
    if (status != QD_OK)
        return status;
    if (json_object_get(body, "wasm_base64") && json_object_get(body, "source"))
        return qd_fail_field(err, QD_EUDF_PARAMS, "source", "source: give either wasm_base64 or source, not both");
    if (json_object_get(body, "source"))
        return compile_source(language, source, out, err);
    if (!json_object_get(body, "wasm_base64"))
        return qd_fail_field(err, QD_EUDF_PARAMS, "wasm_base64",
                             "wasm_base64: missing: give the module, or source with language 'wat'");
    if (base64.n / 4 * 3 > max_module_bytes + 3)
        return too_large(base64.n / 4 * 3, max_module_bytes, err);
    if (!qd_base64_decode(base64, &out->wasm_owned, &out->wasm_size))
        return qd_fail_field(err, QD_EUDF_PARAMS, "wasm_base64", "wasm_base64: not base64 (RFC 4648, with padding)");
    out->wasm = out->wasm_owned;
    return QD_OK;
}

static qd_status take_object(json_t *body, const char *key, json_t **out, qd_error *err)
{
    json_t *value = json_object_get(body, key);
    if (!value)
        return QD_OK;
    if (!json_is_object(value))
        return qd_fail_field(err, QD_EUDF_PARAMS, key, "%s: expected an object, got %s", key, qd_json_type_name(value));
    *out = json_incref(value);
    json_object_del(body, key);
    return QD_OK;
}

static qd_status read_native(json_t *body, qd_upload *out, qd_error *err)
{
    qd_str base64 = QD_STR("");
    qd_status status = qd_json_get_str(body, "registration", "native_base64", QD_EUDF_PARAMS, &base64, err);
    if (status != QD_OK || !json_object_get(body, "native_base64"))
        return status;
    if (!qd_base64_decode(base64, &out->native_owned, &out->native_size))
        return qd_fail_field(err, QD_EUDF_PARAMS, "native_base64",
                             "native_base64: not base64 (RFC 4648, with padding)");
    out->native = out->native_owned;
    return QD_OK;
}

/* Takes what is no member of the manifest out of the body, which then is the manifest. */
static qd_status take_options(json_t *body, qd_upload *out, qd_error *err)
{
    static const char *const TAKEN[] = {"wasm_base64", "source", "native_base64", "activate"};
    bool is_active = true;
    qd_status status = qd_json_get_bool(body, "registration", "activate", QD_EUDF_PARAMS, &is_active, err);
    if (status == QD_OK)
        status = take_object(body, "signature", &out->signature, err);
    if (status == QD_OK)
        status = take_object(body, "native_signature", &out->native_signature, err);
    if (status == QD_OK)
        status = read_native(body, out, err);
    out->is_inactive = !is_active;
    for (size_t i = 0; i < sizeof TAKEN / sizeof *TAKEN; i++)
        json_object_del(body, TAKEN[i]);
    return status;
}

/* Moves a member of `from` to `to`. */
static bool move_member(json_t *from, json_t *to, const char *key)
{
    json_t *value = json_object_get(from, key);
    return !value || (json_object_set(to, key, value) == 0 && json_object_del(from, key) == 0);
}

static qd_status take_test(json_t *body, qd_upload *out, qd_error *err)
{
    static const char *const KEYS[] = {"document", "documents", "context", "score", "id", "params"};
    json_t *test = json_object_get(body, "test");
    if (test && !json_is_object(test))
        return qd_fail_field(err, QD_EUDF_PARAMS, "test", "test: expected an object, got %s", qd_json_type_name(test));
    out->test = test ? json_copy(test) : json_object();
    bool is_done = out->test != NULL && (!test || json_object_del(body, "test") == 0);
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS && is_done; i++)
        is_done = move_member(body, out->test, KEYS[i]);
    if (is_done && json_is_object(json_object_get(body, "parameters")))
        is_done = move_member(body, out->test, "parameters");
    return is_done ? QD_OK : qd_fail_nomem(err);
}

static qd_status read_json(const qd_request *rq, size_t max_module_bytes, bool with_test, qd_upload *out, qd_error *err)
{
    qd_status status = qd_request_json(rq, false, &out->manifest, err);
    if (status == QD_OK && with_test)
        status = take_test(out->manifest, out, err);
    if (status == QD_OK)
        status = read_module(out->manifest, max_module_bytes, out, err);
    return status == QD_OK ? take_options(out->manifest, out, err) : status;
}

qd_status qd_upload_read(const qd_request *rq, size_t max_module_bytes, bool with_test, qd_upload *out, qd_error *err)
{
    static const char MULTIPART[] = "multipart/form-data";
    qd_upload u = {0};
    bool is_multipart = rq->content_type.n >= sizeof MULTIPART - 1 &&
                        strncasecmp(rq->content_type.p, MULTIPART, sizeof MULTIPART - 1) == 0;
    if (rq->body.n == 0)
        return qd_fail(err, QD_EUDF_PARAMS, "a registration needs a body: multipart/form-data or JSON");
    qd_status status =
        is_multipart ? read_multipart(rq, with_test, &u, err) : read_json(rq, max_module_bytes, with_test, &u, err);
    if (status == QD_OK && u.wasm_size > max_module_bytes)
        status = too_large(u.wasm_size, max_module_bytes, err);
    if (status != QD_OK) {
        qd_upload_deinit(&u);
        return status;
    }
    *out = u;
    return QD_OK;
}
