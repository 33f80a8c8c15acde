/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading stored documents in place. A path or pattern in the first line, JSON text in the rest; text that is not JSON
 * must only end the walk. What is filtered out of valid JSON must be valid JSON again. */
#include <stdlib.h>

#include "query/json_locate.h"
#include "query/source_filter.h"
#include "query/source_path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void find(qd_str source, qd_str path)
{
    qd_str token = {0};
    if (qd_source_find(source, path, &token) && (token.p < source.p || token.p + token.n > source.p + source.n))
        abort();
}

static void filter(qd_str source, qd_str pattern, bool is_valid)
{
    qd_buf out;
    json_t *json = NULL;
    for (int excludes = 0; excludes < 2; excludes++) {
        qd_source_spec spec = {.is_wanted = true};
        *(excludes ? &spec.excludes : &spec.includes) = &pattern;
        *(excludes ? &spec.n_excludes : &spec.n_includes) = 1;
        qd_buf_init(&out, (size_t)1 << 24);
        if (qd_source_filter(&spec, source, &out, NULL) == QD_OK && is_valid) {
            if (qd_json_parse(qd_buf_str(&out), &json, NULL) != QD_OK)
                abort();
            json_decref(json);
        }
        qd_buf_deinit(&out);
    }
}

static void locate(qd_str source, qd_str key)
{
    uint32_t line = 0, column = 0;
    const qd_json_at first = {NULL, key, 0}, second = {&first, {NULL, 0}, 1}, third = {&second, QD_STR("a"), 0};
    qd_json_locate(source, &third, &line, &column);
    if (line == 0 || column == 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *line_end = size ? memchr(text, '\n', size) : NULL;
    json_t *json = NULL;
    if (!line_end)
        return 0;
    qd_str path = {text, (size_t)(line_end - text)}, source = {line_end + 1, size - path.n - 1};
    bool is_valid = qd_json_parse(source, &json, NULL) == QD_OK && json_is_object(json);
    find(source, path);
    filter(source, path, is_valid);
    locate(source, path);
    json_decref(json);
    return 0;
}
