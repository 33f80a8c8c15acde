/* SPDX-License-Identifier: Apache-2.0
 *
 * A registration as it comes over the wire: multipart (name, version, function_name, wasm, metadata) or JSON (the
 * manifest's fields with wasm_base64, or source in a language that we compile). Both may have activate, signature and
 * native_signature beside them, and ahead-of-time code: the file native, or native_base64. */
#ifndef QD_HTTP_REGISTRATION_H
#define QD_HTTP_REGISTRATION_H

#include "http/request.h"
#include "udf/registry.h"

typedef struct qd_upload {
    json_t *manifest;
    const uint8_t *wasm; /* view into the request's body, or `wasm_owned`; so is the native code */
    size_t wasm_size;
    const uint8_t *native;
    size_t native_size;
    uint8_t *wasm_owned, *native_owned;
    json_t *signature, *native_signature; /* NULL when none was given */
    bool is_inactive;
    json_t *test; /* the call of a dry run; NULL when none was given */
} qd_upload;

/* With `with_test`, the members of a test call are taken too: `test` (an object, or a multipart field with one), or, in
 * JSON, beside the manifest's: document, documents, context, score, id, params, and parameters where it is an object
 * (the manifest's is an array). Errors: QD_EUDF_PARAMS naming the field, QD_EPARSE, QD_ETOOLARGE, QD_EUDF_WASM (wat,
 * with line and column). */
qd_status qd_upload_read(const qd_request *rq, size_t max_module_bytes, bool with_test, qd_upload *out, qd_error *err);
/* A view of it. */
qd_registration qd_upload_registration(const qd_upload *u, qd_actor who);
/* Legal on a zeroed one. */
void qd_upload_deinit(qd_upload *u);

#endif
