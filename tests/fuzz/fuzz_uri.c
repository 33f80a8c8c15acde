/* SPDX-License-Identifier: Apache-2.0
 *
 * A request's target. What is accepted must be UTF-8 without zero bytes. */
#include <stdlib.h>

#include "fuzz.h"
#include "http/uri.h"

static void expect_text(qd_str s)
{
    if (!qd_str_is_utf8(s) || strlen(s.p) != s.n)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    qd_uri uri;
    qd_error err = QD_ERROR_INIT;
    qd_arena *arena = qd_arena_new((size_t)1 << 20);
    if (!arena)
        return 0;
    if (qd_uri_parse((qd_str){(const char *)data, size}, arena, &uri, &err) == QD_OK) {
        for (size_t i = 0; i < uri.n_segments; i++)
            expect_text(uri.segments[i]);
        for (size_t i = 0; i < uri.n_params; i++) {
            expect_text(uri.params[i].name);
            expect_text(uri.params[i].value);
        }
    }
    qd_arena_free(arena);
    return 0;
}
