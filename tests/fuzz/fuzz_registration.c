/* SPDX-License-Identifier: Apache-2.0
 *
 * A registration as it comes over the wire: the first line is a Content-Type, the rest the body, a form or JSON. What
 * is taken from it lies within the body or is its own, within the limit; what is signed can be asked for. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "http/registration.h"
#include "udf/signature.h"

#define MAX_MODULE_BYTES 4096

static void expect(bool is_true)
{
    if (!is_true)
        abort();
}

static void expect_within(const uint8_t *bytes, size_t n, const uint8_t *owned, qd_str body)
{
    const uint8_t *first = (const uint8_t *)body.p;
    volatile uint8_t sum = 0;
    expect(n == 0 || bytes == owned || (bytes >= first && bytes + n <= first + body.n));
    for (size_t i = 0; i < n; i++)
        sum = (uint8_t)(sum ^ bytes[i]);
}

static void expect_sound(const qd_upload *u, qd_str body)
{
    qd_error err = QD_ERROR_INIT;
    char text[QD_SIGNATURE_TEXT_SIZE];
    expect(json_is_object(u->manifest) && u->wasm_size <= MAX_MODULE_BYTES);
    expect(!u->signature || json_is_object(u->signature));
    expect(!u->native_signature || json_is_object(u->native_signature));
    expect_within(u->wasm, u->wasm_size, u->wasm_owned, body);
    expect_within(u->native, u->native_size, u->native_owned, body);
    (void)qd_signature_text(u->wasm, u->wasm_size, u->manifest, text, &err);
}

static void read_as(qd_str type, qd_str body, bool with_test)
{
    qd_request rq = {.content_type = type, .body = body, .arena = qd_arena_new((size_t)1 << 20)};
    qd_upload u = {0};
    qd_error err = QD_ERROR_INIT;
    expect(rq.arena != NULL);
    if (qd_upload_read(&rq, MAX_MODULE_BYTES, with_test, &u, &err) == QD_OK)
        expect_sound(&u, body);
    else
        expect(err.code != QD_OK && err.message[0] && qd_str_is_utf8(qd_str_of(err.message)));
    qd_upload_deinit(&u);
    qd_arena_free(rq.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *line_end = size ? memchr(text, '\n', size) : NULL;
    if (!line_end)
        return 0;
    qd_str type = {text, (size_t)(line_end - text)}, body = {line_end + 1, size - type.n - 1};
    read_as(type, body, false);
    read_as(type, body, true);
    return 0;
}
