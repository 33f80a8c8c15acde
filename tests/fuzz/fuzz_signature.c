/* SPDX-License-Identifier: Apache-2.0
 *
 * A function's signature, as JSON and inside a module. What is read must be written and read again as the same; a
 * module that a signature was put into must hold that one and be the same module to the next signature. */
#include <stdlib.h>

#include "fuzz.h"
#include "udf/signature.h"

static void expect(bool is_true)
{
    if (!is_true)
        abort();
}

static bool is_same(const qd_signature *a, const qd_signature *b)
{
    return a->algorithm == b->algorithm && strcmp(a->key_id, b->key_id) == 0 && a->n == b->n &&
           memcmp(a->bytes, b->bytes, a->n) == 0;
}

/* An error must be a sentence of the right kind, in characters. */
static void expect_error(const qd_error *err)
{
    expect(err->code == QD_EUDF_SIGNATURE && err->message[0] && qd_str_is_utf8(qd_str_of(err->message)));
}

static void read_json(qd_str text)
{
    qd_signature s, again;
    qd_error err = QD_ERROR_INIT;
    qd_buf written;
    if (qd_signature_parse(text, &s, &err) != QD_OK) {
        expect_error(&err);
        return;
    }
    qd_buf_init(&written, QD_SIGNATURE_MAX_JSON_BYTES);
    qd_signature_write(&s, &written);
    expect(!written.failed && qd_signature_parse(qd_buf_str(&written), &again, &err) == QD_OK && is_same(&s, &again));
    qd_buf_deinit(&written);
}

static void read_module(const uint8_t *wasm, size_t n)
{
    static const qd_signature OURS = {QD_SIGN_ED25519, "0123456789abcdef", {1, 2, 3}, 3};
    char before[QD_SIGNATURE_TEXT_SIZE], after[QD_SIGNATURE_TEXT_SIZE];
    bool is_there = false;
    qd_signature found;
    qd_error err = QD_ERROR_INIT;
    qd_buf module;
    json_t *manifest = json_object();
    expect(manifest != NULL);
    qd_status st = qd_signature_find(wasm, n, &is_there, &found, &err);
    if (st != QD_OK)
        expect_error(&err);
    qd_status text = qd_signature_text(wasm, n, manifest, before, &err);
    if (text == QD_OK) {
        qd_buf_init(&module, n + 4096);
        expect(qd_signature_embed(wasm, n, &OURS, &module, &err) == QD_OK);
        /* Behind bytes that are no module a section is not found, and nobody would run them. */
        if (qd_signature_find((const uint8_t *)module.p, module.n, &is_there, &found, &err) == QD_OK && is_there &&
            is_same(&found, &OURS)) {
            expect(qd_signature_text((const uint8_t *)module.p, module.n, manifest, after, &err) == QD_OK);
            expect(strcmp(before, after) == 0);
        }
        qd_buf_deinit(&module);
    } else {
        expect_error(&err);
        expect(st == text);
    }
    json_decref(manifest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_json((qd_str){(const char *)data, size});
    read_module(data, size);
    return 0;
}
