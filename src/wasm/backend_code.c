/* SPDX-License-Identifier: Apache-2.0
 *
 * Code of a backend: compiled, in the native cache, loaded. */
#include <stdlib.h>

#include "wasm/backend.h"
#include "wasm/engine_impl.h"

qd_status qd_wasm_backend_compile(const qd_wasm_backend *b, const uint8_t *bytes, size_t n, qe_code **out,
                                  qd_error *err)
{
    qe_error error = {0};
    int rc = qe_wasm_compile(b->wasm, bytes, n, out, &error);
    if (rc == QE_OK)
        return QD_OK;
    return rc == QE_ENOMEM ? qd_fail_nomem(err)
                           : qd_fail(err, QD_EUDF_COMPILE, "the module does not compile: %.300s", error.message);
}

qd_status qd_wasm_backend_adopt(const qd_wasm_backend *b, qd_str code, wasmtime_module_t **out, qd_error *err)
{
    char text[384];
    wasmtime_error_t *error = wasmtime_module_deserialize(b->wasm, (const uint8_t *)code.p, code.n, out);
    return error ? qd_fail(err, QD_EUDF_COMPILE, "%s", qd_wasm_error_text(error, text, sizeof text)) : QD_OK;
}

qd_str qd_code_str(const qe_code *code)
{
    qd_str s;
    s.p = (const char *)qe_code_bytes(code, &s.n);
    return s;
}

/* ---- the native cache -------------------------------------------------------------------------------------------- */

/* What Wasmtime writes into all code, and demands of code that it is to load, is in the code of an empty module: its
 * version, the target with the processor's features, and all settings. So whatever they are, code made with others has
 * another key. */
qd_status qd_wasm_backend_use_cache(qd_wasm_backend *b, qd_native_cache *cache, qd_error *err)
{
    static const uint8_t empty[] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    qe_code *code = NULL;
    qd_status rc = qd_wasm_backend_compile(b, empty, sizeof empty, &code, err);
    if (rc)
        return rc;
    const qd_str parts[] = {QD_STR("wasmtime " WASMTIME_VERSION), qd_code_str(code)};
    if (qd_hash_sha256_hex_of(parts, 2, b->fingerprint))
        b->cache = cache;
    qe_code_free(code);
    return QD_OK;
}

static bool key_of(const qd_wasm_backend *b, const char *hash, char key[QD_CACHE_KEY_SIZE])
{
    const qd_str parts[] = {qd_str_of(b->fingerprint), qd_str_of(hash)};
    return qd_hash_sha256_hex_of(parts, 2, key);
}

bool qd_wasm_backend_recall(const qd_wasm_backend *b, const char hash[QD_SHA256_HEX_SIZE], wasmtime_module_t **out)
{
    char key[QD_CACHE_KEY_SIZE];
    uint8_t *bytes = NULL;
    qd_str code;
    if (!b->cache || !key_of(b, hash, key) || !qd_native_cache_get(b->cache, key, &bytes, &code))
        return false;
    qd_status rc = qd_wasm_backend_adopt(b, code, out, NULL);
    free(bytes);
    if (rc)
        qd_native_cache_reject(b->cache, key);
    return rc == QD_OK;
}

void qd_wasm_backend_remember(const qd_wasm_backend *b, const char hash[QD_SHA256_HEX_SIZE], qd_str code)
{
    char key[QD_CACHE_KEY_SIZE];
    if (b->cache && key_of(b, hash, key))
        qd_native_cache_put(b->cache, key, code);
}

qd_status qd_wasm_backend_load(const qd_wasm_backend *b, const uint8_t *bytes, size_t n, wasmtime_module_t **out,
                               qd_error *err)
{
    char hash[QD_SHA256_HEX_SIZE];
    qe_code *code = NULL;
    bool is_hashed = b->cache && qd_hash_sha256_hex(bytes, n, hash);
    if (is_hashed && qd_wasm_backend_recall(b, hash, out))
        return QD_OK;
    qd_status rc = qd_wasm_backend_compile(b, bytes, n, &code, err);
    if (!rc)
        rc = qd_wasm_backend_adopt(b, qd_code_str(code), out, err);
    if (!rc && is_hashed)
        qd_wasm_backend_remember(b, hash, qd_code_str(code));
    qe_code_free(code);
    return rc;
}
