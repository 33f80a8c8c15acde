/* SPDX-License-Identifier: Apache-2.0
 *
 * A bulk body split into its items, and a record of the op log. */
#include <stdlib.h>

#include "node/bulk_parse.h"
#include "node/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_within(qd_str part, const uint8_t *data, size_t size)
{
    const char *start = (const char *)data;
    if (part.n && (part.p < start || part.p + part.n > start + size))
        abort();
}

static void split(const uint8_t *data, size_t size)
{
    qd_bulk_item *items = NULL;
    size_t n = 0;
    qd_error err = QD_ERROR_INIT;
    qd_arena *arena = qd_arena_new((size_t)1 << 24);
    if (!arena)
        return;
    qd_str body = {(const char *)data, size}, index = size % 2 ? QD_STR("default") : QD_STR("");
    if (qd_bulk_parse(body, index, arena, &items, &n, &err) == QD_OK) {
        for (size_t i = 0; i < n; i++) {
            if (items[i].action > QD_BULK_UPDATE || !qd_str_is_utf8(items[i].id))
                abort();
            expect_within(items[i].source, data, size);
        }
    } else if (err.message[0] == '\0') {
        abort();
    }
    free(items);
    qd_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    qd_record record;
    qd_error err = QD_ERROR_INIT;
    split(data, size);
    if (qd_record_read(7, (qd_str){(const char *)data, size}, &record, &err) == QD_OK) {
        expect_within(record.id, data, size);
        expect_within(record.source, data, size);
    }
    return 0;
}
