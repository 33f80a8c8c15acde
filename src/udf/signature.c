/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/signature.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "wasm/code.h"
#include "wasm/sections.h"

#define MAX_BASE64 ((QD_SIGN_MAX_BYTES + 2) / 3 * 4)

/* ---- as JSON ----------------------------------------------------------------------------------------------------- */

static qd_status fail_member(const char *member, const char *expected, qd_error *err)
{
    return qd_fail_field(err, QD_EUDF_SIGNATURE, "signature", "signature: '%s': expected %s", member, expected);
}

static bool is_key_id(qd_str s)
{
    bool is_ok = s.n == QD_SIGN_ID_SIZE - 1;
    for (size_t i = 0; is_ok && i < s.n; i++)
        is_ok = (s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f');
    return is_ok;
}

static bool decode(qd_str base64, qd_signature *s)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    if (base64.n == 0 || base64.n > MAX_BASE64 || !qd_base64_decode(base64, &bytes, &n))
        return false;
    bool is_ok = n <= sizeof s->bytes;
    if (is_ok) {
        memcpy(s->bytes, bytes, n);
        s->n = n;
    }
    free(bytes);
    return is_ok;
}

/* The three texts; an absent one is empty. */
static qd_status read_members(const json_t *v, qd_str text[3], qd_error *err)
{
    static const char *const MEMBERS[] = {"algorithm", "key_id", "signature", NULL};
    if (!json_is_object(v))
        return qd_fail_field(err, QD_EUDF_SIGNATURE, "signature",
                             "signature: expected an object with algorithm, key_id and signature, got %s",
                             qd_json_type_name(v));
    qd_status st = qd_json_only(v, "signature", MEMBERS, QD_EUDF_SIGNATURE, err);
    for (size_t i = 0; st == QD_OK && i < 3; i++)
        st = qd_json_get_str(v, "signature", MEMBERS[i], QD_EUDF_SIGNATURE, &text[i], err);
    if (st != QD_OK && err) /* the field of the registration, whatever is wrong in it */
        snprintf(err->field, sizeof err->field, "signature");
    return st;
}

qd_status qd_signature_read(const json_t *v, qd_signature *out, qd_error *err)
{
    qd_signature s = {0};
    qd_str text[3] = {{0}};
    qd_status st = read_members(v, text, err);
    if (st != QD_OK)
        return st;
    if (!qd_sign_algorithm_parse(text[0], &s.algorithm))
        return fail_member("algorithm", "ed25519 or ecdsa-p256", err);
    if (!is_key_id(text[1]))
        return fail_member("key_id", "16 lower-case hex digits", err);
    if (!decode(text[2], &s))
        return fail_member("signature", "base64 (RFC 4648, with padding) of at most 72 bytes", err);
    memcpy(s.key_id, text[1].p, text[1].n);
    *out = s;
    return QD_OK;
}

qd_status qd_signature_parse(qd_str text, qd_signature *out, qd_error *err)
{
    json_t *v = NULL;
    if (text.n > QD_SIGNATURE_MAX_JSON_BYTES)
        return qd_fail_field(err, QD_EUDF_SIGNATURE, "signature",
                             "signature: %zu bytes of JSON; at most %d are expected", text.n,
                             QD_SIGNATURE_MAX_JSON_BYTES);
    if (qd_json_parse(text, &v, err) != QD_OK) {
        qd_error_prefix(err, "signature: ");
        if (err) {
            err->code = QD_EUDF_SIGNATURE;
            snprintf(err->field, sizeof err->field, "signature");
        }
        return QD_EUDF_SIGNATURE;
    }
    qd_status st = qd_signature_read(v, out, err);
    json_decref(v);
    return st;
}

void qd_signature_write(const qd_signature *s, qd_buf *out)
{
    qd_buf_addf(out, "{\"algorithm\":\"%s\",\"key_id\":\"%s\",\"signature\":\"", qd_sign_algorithm_name(s->algorithm),
                s->key_id);
    qd_base64_encode(s->bytes, s->n, out);
    qd_buf_add_z(out, "\"}");
}

/* ---- in a module ------------------------------------------------------------------------------------------------- */

qd_status qd_signature_find(const uint8_t *wasm, size_t n, bool *is_there, qd_signature *out, qd_error *err)
{
    size_t at = 0;
    qd_wasm_custom section, second;
    if (!qd_wasm_next_custom(wasm, n, QD_SIGNATURE_SECTION, &at, &section)) {
        *is_there = false;
        return QD_OK;
    }
    if (qd_wasm_next_custom(wasm, n, QD_SIGNATURE_SECTION, &at, &second))
        return qd_fail_field(err, QD_EUDF_SIGNATURE, "signature",
                             "the module holds more than one section '" QD_SIGNATURE_SECTION "': leave one");
    qd_status st = qd_signature_parse(section.data, out, err);
    if (st == QD_OK)
        *is_there = true;
    else
        qd_error_prefix(err, "the module's section '" QD_SIGNATURE_SECTION "': ");
    return st;
}

/* Calls for what stands between the signature sections, in order. */
static bool visit_rest(const uint8_t *wasm, size_t n, bool (*visit)(void *arg, qd_str bytes), void *arg)
{
    size_t from = 0, at = 0;
    qd_wasm_custom section;
    while (qd_wasm_next_custom(wasm, n, QD_SIGNATURE_SECTION, &at, &section)) {
        if (!visit(arg, (qd_str){(const char *)wasm + from, section.start - from}))
            return false;
        from = section.end;
    }
    return visit(arg, (qd_str){(const char *)wasm + from, n - from});
}

static bool add_bytes(void *arg, qd_str bytes)
{
    qd_buf_add_str(arg, bytes);
    return true;
}

qd_status qd_signature_embed(const uint8_t *wasm, size_t n, const qd_signature *s, qd_buf *out, qd_error *err)
{
    qd_buf body;
    qd_buf_init(&body, QD_SIGNATURE_MAX_JSON_BYTES);
    qd_code_name(&body, QD_SIGNATURE_SECTION);
    qd_signature_write(s, &body);
    visit_rest(wasm, n, add_bytes, out);
    qd_code_byte(out, QD_SECTION_CUSTOM);
    qd_code_u32(out, (uint32_t)body.n);
    qd_buf_add_str(out, qd_buf_str(&body));
    bool has_failed = body.failed || out->failed;
    qd_buf_deinit(&body);
    return has_failed ? qd_fail_nomem(err) : QD_OK;
}

/* ---- the text that is signed ------------------------------------------------------------------------------------- */

/* A module has one signature section or none in all honesty; who sends more gets no hash of what is left. */
typedef struct rest {
    qd_str parts[2];
    size_t n;
} rest;

static bool keep_part(void *arg, qd_str bytes)
{
    rest *r = arg;
    if (r->n == sizeof r->parts / sizeof *r->parts)
        return false;
    r->parts[r->n++] = bytes;
    return true;
}

static qd_status fail_hash(qd_error *err)
{
    return qd_fail(err, QD_EINTERNAL, "a hash could not be computed");
}

static qd_status hash_manifest(const json_t *manifest, char out[QD_SHA256_HEX_SIZE], qd_error *err)
{
    json_t *signed_part = json_copy((json_t *)manifest);
    if (signed_part && json_object_get(signed_part, "signature"))
        json_object_del(signed_part, "signature");
    char *text = signed_part ? qd_json_text(signed_part, true) : NULL;
    json_decref(signed_part);
    if (!text)
        return qd_fail_nomem(err);
    bool is_ok = qd_hash_sha256_hex(text, strlen(text), out);
    free(text);
    return is_ok ? QD_OK : fail_hash(err);
}

qd_status qd_signature_text(const uint8_t *wasm, size_t n, const json_t *manifest, char out[QD_SIGNATURE_TEXT_SIZE],
                            qd_error *err)
{
    char module_hash[QD_SHA256_HEX_SIZE], manifest_hash[QD_SHA256_HEX_SIZE];
    rest r = {.n = 0};
    if (!visit_rest(wasm, n, keep_part, &r))
        return qd_fail_field(err, QD_EUDF_SIGNATURE, "signature",
                             "the module holds more than one section '" QD_SIGNATURE_SECTION "': leave one");
    if (!qd_hash_sha256_hex_of(r.parts, r.n, module_hash))
        return fail_hash(err);
    qd_status st = hash_manifest(manifest, manifest_hash, err);
    if (st == QD_OK)
        snprintf(out, QD_SIGNATURE_TEXT_SIZE, "quidditch-udf-v1\n%s\n%s\n", module_hash, manifest_hash);
    return st;
}

qd_status qd_signature_native_text(const uint8_t *wasm, size_t n, const void *code, size_t code_n,
                                   char out[QD_SIGNATURE_TEXT_SIZE], qd_error *err)
{
    char module_hash[QD_SHA256_HEX_SIZE], code_hash[QD_SHA256_HEX_SIZE];
    if (!qd_hash_sha256_hex(wasm, n, module_hash) || !qd_hash_sha256_hex(code, code_n, code_hash))
        return fail_hash(err);
    snprintf(out, QD_SIGNATURE_TEXT_SIZE, "quidditch-aot-v1\n%s\n%s\n", module_hash, code_hash);
    return QD_OK;
}

qd_status qd_signature_make(const qd_sign_key *key, const char *text, qd_signature *out, qd_error *err)
{
    qd_signature s = {.algorithm = qd_sign_key_algorithm(key)};
    qd_status st = qd_sign(key, qd_str_of(text), s.bytes, &s.n, err);
    if (st != QD_OK)
        return st;
    snprintf(s.key_id, sizeof s.key_id, "%s", qd_sign_key_id(key));
    *out = s;
    return QD_OK;
}

bool qd_signature_verify(const qd_signature *s, const qd_sign_key *key, const char *text)
{
    return s->algorithm == qd_sign_key_algorithm(key) && qd_sign_verify(key, qd_str_of(text), s->bytes, s->n);
}
