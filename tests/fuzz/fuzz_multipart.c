/* SPDX-License-Identifier: Apache-2.0
 *
 * The first line is a Content-Type, the rest the body. Every part must lie within the body. */
#include <stdlib.h>

#include "fuzz.h"
#include "http/multipart.h"

static void expect_within(qd_str part, qd_str body)
{
    if (part.n && (part.p < body.p || part.p + part.n > body.p + body.n))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static qd_part parts[QD_MULTIPART_MAX_PARTS];
    const char *text = (const char *)data, *line_end = size ? memchr(text, '\n', size) : NULL;
    if (!line_end)
        return 0;
    qd_str type = {text, (size_t)(line_end - text)}, body = {line_end + 1, size - type.n - 1}, boundary;
    size_t n = 0;
    qd_error err = QD_ERROR_INIT;
    if (qd_multipart_boundary(type, &boundary, &err) != QD_OK)
        return 0;
    if (qd_multipart_parse(body, boundary, parts, &n, &err) != QD_OK)
        return 0;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].name.n == 0)
            abort();
        expect_within(parts[i].name, body);
        expect_within(parts[i].filename, body);
        expect_within(parts[i].content_type, body);
        expect_within(parts[i].data, body);
    }
    return 0;
}
