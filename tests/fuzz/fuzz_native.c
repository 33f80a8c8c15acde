/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands before machine code: entries of the native cache, code made ahead of time. Nothing but what was sealed
 * may be opened; the code itself is not looked at here. */
#include <stdlib.h>
#include <string.h>

#include "wasm/cache_entry.h"
#include "wasm/precompile_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t NODE_KEY[QD_CACHE_NODE_KEY_BYTES] = "the key of the node that fuzzes";
static const char KEY[QD_CACHE_KEY_SIZE] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static void open_as_entry(const uint8_t *data, size_t size)
{
    uint8_t header[QD_CACHE_HEADER_BYTES];
    qd_str code;
    if (!qd_cache_entry_open(NODE_KEY, KEY, data, size, &code))
        return;
    if (code.p != (const char *)data + QD_CACHE_HEADER_BYTES || code.n != size - QD_CACHE_HEADER_BYTES ||
        !qd_cache_entry_seal(NODE_KEY, KEY, code, header) || memcmp(header, data, sizeof header) != 0)
        abort();
}

/* Sealed, it opens; with any one bit changed it does not. */
static void seal(const uint8_t *data, size_t size)
{
    qd_str code, found;
    uint8_t *entry = malloc(QD_CACHE_HEADER_BYTES + size);
    if (!entry)
        return;
    code = (qd_str){(const char *)data, size};
    if (!qd_cache_entry_seal(NODE_KEY, KEY, code, entry))
        abort();
    if (size)
        memcpy(entry + QD_CACHE_HEADER_BYTES, data, size);
    size_t n = QD_CACHE_HEADER_BYTES + size, at = size ? (data[0] * 7919u + size) % n : 0;
    if (!qd_cache_entry_open(NODE_KEY, KEY, entry, n, &found) || found.n != size)
        abort();
    entry[at] ^= (uint8_t)(1u << (size % 8));
    if (qd_cache_entry_open(NODE_KEY, KEY, entry, n, &found))
        abort();
    free(entry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    qd_precompiled p;
    open_as_entry(data, size);
    seal(data, size);
    if (qd_precompiled_parse(data, size, &p, NULL) == QD_OK &&
        ((const uint8_t *)p.code.p + p.code.n != data + size || strlen(p.target) > 16 || strlen(p.engine) > 32))
        abort();
    return 0;
}
