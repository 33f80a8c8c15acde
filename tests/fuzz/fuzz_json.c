/* SPDX-License-Identifier: Apache-2.0
 *
 * A request's JSON. What is accepted must come back equal after it was written and read again. */
#include <stdlib.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *first = NULL, *second = NULL;
    qd_buf text;
    qd_json w;
    qd_error err = QD_ERROR_INIT;
    char description[128];
    if (qd_json_parse((qd_str){(const char *)data, size}, &first, &err) != QD_OK) {
        if (err.message[0] == '\0' || !qd_str_is_utf8(qd_str_of(err.message)))
            abort();
        return 0;
    }
    qd_buf_init(&text, (size_t)1 << 30);
    qd_json_init(&w, &text, size % 2);
    qd_json_value(&w, first);
    if (qd_json_parse(qd_buf_str(&text), &second, &err) != QD_OK || !json_equal(first, second))
        abort();
    qd_json_describe(first, description, sizeof description);
    qd_buf_deinit(&text);
    json_decref(first);
    json_decref(second);
    return 0;
}
