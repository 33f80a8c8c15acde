/* SPDX-License-Identifier: Apache-2.0
 *
 * A function's signature: what it covers and how it is written down. It covers a short text that names the module and
 * the manifest by their hashes, so that what is signed can be made by anyone with sha256sum and any signer:
 *
 *   quidditch-udf-v1 LF <SHA-256 of the module without its sections "quidditch.signature"> LF
 *   <SHA-256 of the canonical manifest> LF
 *
 * The canonical manifest is the whole of it (the module's own with the given one laid over it), without a member
 * `signature`, as JSON with sorted keys and no spaces. Ahead-of-time code is signed likewise:
 *
 *   quidditch-aot-v1 LF <SHA-256 of the module as it is> LF <SHA-256 of the native code> LF
 *
 * Written down it is {"algorithm":"ed25519"|"ecdsa-p256","key_id":…,"signature":base64}: beside the module (detached),
 * or in it as the custom section "quidditch.signature". Needs no engine, so that qctl can use it. Threads: any. */
#ifndef QD_UDF_SIGNATURE_H
#define QD_UDF_SIGNATURE_H

#include "base/json.h"
#include "base/sign.h"

#define QD_SIGNATURE_SECTION        "quidditch.signature"
#define QD_SIGNATURE_MAX_JSON_BYTES 1024 /* three short members */

typedef struct qd_signature {
    qd_sign_algorithm algorithm;
    char key_id[QD_SIGN_ID_SIZE];
    uint8_t bytes[QD_SIGN_MAX_BYTES];
    size_t n;
} qd_signature;

/* Errors: QD_EUDF_SIGNATURE, naming the member that is wrong. */
qd_status qd_signature_read(const json_t *v, qd_signature *out, qd_error *err);
/* The same from text. */
qd_status qd_signature_parse(qd_str text, qd_signature *out, qd_error *err);
/* The one inside the module. *is_there false: it has none, *out untouched. Errors: QD_EUDF_SIGNATURE (malformed, or two
 * sections). */
qd_status qd_signature_find(const uint8_t *wasm, size_t n, bool *is_there, qd_signature *out, qd_error *err);
/* Appends it as JSON. */
void qd_signature_write(const qd_signature *s, qd_buf *out);
/* Appends the module with this signature in it: in place of any that it had, at its end. Errors: QD_ENOMEM. */
qd_status qd_signature_embed(const uint8_t *wasm, size_t n, const qd_signature *s, qd_buf *out, qd_error *err);

#define QD_SIGNATURE_TEXT_SIZE 160
/* The text to sign. `manifest`: the whole one, an object. Errors: QD_ENOMEM, QD_EINTERNAL. */
qd_status qd_signature_text(const uint8_t *wasm, size_t n, const json_t *manifest, char out[QD_SIGNATURE_TEXT_SIZE],
                            qd_error *err);
/* The same for ahead-of-time code of that module. */
qd_status qd_signature_native_text(const uint8_t *wasm, size_t n, const void *code, size_t code_n,
                                   char out[QD_SIGNATURE_TEXT_SIZE], qd_error *err);

/* Signs such a text. Errors: as qd_sign. */
qd_status qd_signature_make(const qd_sign_key *key, const char *text, qd_signature *out, qd_error *err);
/* Does the signature belong to this text and this key, in its algorithm? */
bool qd_signature_verify(const qd_signature *s, const qd_sign_key *key, const char *text);

#endif
