/* SPDX-License-Identifier: Apache-2.0
 *
 * `udf sign` and `udf verify`: what a server checks, made and checked here. Both work without a server. */
#include <stdio.h>
#include <stdlib.h>

#include "base/sign.h"
#include "command.h"
#include "registration.h"
#include "save.h"
#include "text.h"
#include "udf/manifest.h"
#include "udf/manifest_merge.h"
#include "udf/signature.h"
#include "udf/trust.h"
#include "wasm/engine.h"

/* What is signed: a module with its whole manifest, or ahead-of-time code of a module. */
typedef struct subject {
    registration r;
    uint8_t *assembled; /* of a text */
    const uint8_t *wasm;
    size_t n;
    json_t *manifest; /* the whole one; NULL for native code */
} subject;

static void subject_deinit(subject *s)
{
    registration_deinit(&s->r);
    free(s->assembled);
    json_decref(s->manifest);
}

/* As the server will read it; a manifest that it would refuse is not worth a signature. */
static qd_status merge_manifest(subject *s, qd_error *err)
{
    qd_manifest *parsed = NULL;
    qd_status rc = qd_udf_merge_manifest(s->r.manifest, s->wasm, s->n, &s->manifest, err);
    if (!rc)
        rc = qd_manifest_parse(s->manifest, &parsed, err);
    qd_manifest_free(parsed);
    return rc;
}

/* `s` is to be deinitialized whatever this returns. */
static qd_status subject_load(subject *s, const args *a, qd_error *err)
{
    memset(s, 0, sizeof *s);
    qd_status rc = registration_load(&s->r, a->words[0], a, err);
    if (rc)
        return rc;
    s->wasm = (const uint8_t *)s->r.module.p;
    s->n = s->r.module.n;
    if (s->r.is_text) {
        rc = qd_wasm_from_wat(qd_buf_str(&s->r.module), &s->assembled, &s->n, err);
        s->wasm = s->assembled;
        /* The server sees a text's language in its manifest. */
        if (!rc && json_object_set_new(s->r.manifest, "language", json_string("wat")))
            rc = qd_fail_nomem(err);
    }
    return rc || s->r.has_native ? rc : merge_manifest(s, err);
}

static qd_status text_to_sign(const subject *s, char text[QD_SIGNATURE_TEXT_SIZE], qd_error *err)
{
    return s->r.has_native ? qd_signature_native_text(s->wasm, s->n, s->r.native.p, s->r.native.n, text, err)
                           : qd_signature_text(s->wasm, s->n, s->manifest, text, err);
}

/* ---- sign -------------------------------------------------------------------------------------------------------- */

static qd_status read_private_key(const char *path, qd_sign_key **out, qd_error *err)
{
    qd_buf pem;
    qd_status rc = read_file(path, QD_SIGN_MAX_PEM_BYTES, &pem, err);
    if (rc)
        return rc;
    rc = qd_sign_key_read_private(qd_buf_str(&pem), out, err);
    if (rc)
        qd_error_prefix(err, "key '%s': ", path);
    if (pem.p)
        explicit_bzero(pem.p, pem.cap);
    qd_buf_deinit(&pem);
    return rc;
}

static qd_status embed(const subject *s, const qd_signature *signature, const char *path, qd_error *err)
{
    qd_buf module;
    qd_buf_init(&module, MAX_MODULE_BYTES + 4096);
    qd_status rc = qd_signature_embed(s->wasm, s->n, signature, &module, err);
    if (!rc)
        rc = save_over(path, qd_buf_str(&module), err);
    qd_buf_deinit(&module);
    return rc;
}

static qd_status put_signature(const qctl *q, const subject *s, const qd_signature *signature, const args *a,
                               qd_error *err)
{
    const char *out = args_text(a, "out", NULL);
    bool is_embedded = args_has(a, "embed");
    qd_buf text;
    qd_status rc = QD_OK;
    if (is_embedded && !out)
        out = s->r.module_path;
    qd_buf_init(&text, QD_SIGNATURE_MAX_JSON_BYTES);
    qd_signature_write(signature, &text);
    qd_buf_add_char(&text, '\n');
    if (is_embedded)
        rc = embed(s, signature, out, err);
    else if (out)
        rc = save_over(out, qd_buf_str(&text), err);
    else
        fwrite(text.p, 1, text.n, stdout);
    qd_buf_deinit(&text);
    if (!rc && out && !q->is_quiet)
        printf("signed with key %s: %s\n", signature->key_id, out);
    return rc;
}

static qd_status check_sign_options(const args *a, qd_error *err)
{
    if (!args_has(a, "key") && !args_has(a, "text"))
        return usage_error(err, "--key FILE is missing: the private key (`qctl udf keygen` makes one)");
    if (args_has(a, "embed") && args_has(a, "native"))
        return usage_error(err, "--embed does not go with --native: native code has its signature beside it");
    return QD_OK;
}

qd_status udf_sign(qctl *q, const args *a, qd_error *err)
{
    subject s;
    qd_sign_key *key = NULL;
    qd_signature signature;
    char text[QD_SIGNATURE_TEXT_SIZE];
    qd_status rc = check_sign_options(a, err);
    if (rc)
        return rc;
    rc = subject_load(&s, a, err);
    if (!rc && s.r.is_text && args_has(a, "embed") && !args_has(a, "out"))
        rc = usage_error(err, "'%s' is text: name the module to write, --out FILE.wasm", s.r.module_path);
    if (!rc)
        rc = text_to_sign(&s, text, err);
    if (!rc && args_has(a, "text")) {
        fputs(text, stdout);
    } else if (!rc) {
        rc = read_private_key(args_text(a, "key", ""), &key, err);
        if (!rc)
            rc = qd_signature_make(key, text, &signature, err);
        if (!rc)
            rc = put_signature(q, &s, &signature, a, err);
    }
    qd_sign_key_free(key);
    subject_deinit(&s);
    return rc;
}

/* ---- verify ------------------------------------------------------------------------------------------------------ */

static void print_result(const qctl *q, const qd_trust_result *r)
{
    char text[QD_TRUST_TEXT_SIZE];
    if (q->is_json) {
        json_t *v = json_pack("{s:s, s:s, s:s}", "status", qd_trust_state_name(r->state), "key_id", r->key_id, "signer",
                              r->signer);
        json_dumpf(v, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(v);
    } else if (!q->is_quiet) {
        printf("valid: %s\n", qd_trust_describe(r, text));
    }
}

qd_status udf_verify(qctl *q, const args *a, qd_error *err)
{
    subject s;
    qd_trust *trust = NULL;
    qd_trust_result result;
    const char *keys = args_text(a, "key", NULL);
    if (!keys || !*keys)
        return usage_error(err, "--key FILE is missing: the public key, or a directory of them");
    if (args_has(a, "native") && !args_has(a, "signature"))
        return usage_error(err, "--signature FILE is missing: native code has its signature beside it");
    qd_status rc = subject_load(&s, a, err);
    if (!rc)
        rc = qd_trust_open("require", keys, &trust, err);
    if (!rc && s.r.has_native)
        rc = qd_trust_check_native(trust, s.wasm, s.n, s.r.native.p, s.r.native.n, s.r.signature, &result, err);
    else if (!rc)
        rc = qd_trust_check(trust, s.wasm, s.n, s.manifest, s.r.signature, &result, err);
    if (!rc)
        print_result(q, &result);
    qd_trust_close(trust);
    subject_deinit(&s);
    return rc;
}
