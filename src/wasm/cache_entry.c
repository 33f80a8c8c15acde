/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/cache_entry.h"

#include <string.h>

#define MAGIC      "QDNATIV\1"
#define AT_LENGTH  8
#define AT_KEY     16
#define AT_MAC     96
#define KEY_DIGITS (QD_CACHE_KEY_SIZE - 1)

static void fill(uint8_t header[QD_CACHE_HEADER_BYTES], const char key[QD_CACHE_KEY_SIZE], uint64_t n)
{
    memset(header, 0, QD_CACHE_HEADER_BYTES);
    memcpy(header, MAGIC, sizeof MAGIC - 1);
    for (int i = 0; i < 8; i++)
        header[AT_LENGTH + i] = (uint8_t)(n >> 8 * i);
    memcpy(header + AT_KEY, key, KEY_DIGITS);
}

static bool authenticate(const uint8_t *node_key, const uint8_t *header, qd_str code, uint8_t mac[QD_HMAC_BYTES])
{
    const qd_str parts[] = {{(const char *)header, AT_MAC}, code};
    return qd_hash_hmac_sha256(node_key, QD_CACHE_NODE_KEY_BYTES, parts, 2, mac);
}

bool qd_cache_entry_seal(const uint8_t node_key[QD_CACHE_NODE_KEY_BYTES], const char key[QD_CACHE_KEY_SIZE],
                         qd_str code, uint8_t header[QD_CACHE_HEADER_BYTES])
{
    fill(header, key, code.n);
    return authenticate(node_key, header, code, header + AT_MAC);
}

bool qd_cache_entry_open(const uint8_t node_key[QD_CACHE_NODE_KEY_BYTES], const char key[QD_CACHE_KEY_SIZE],
                         const uint8_t *bytes, size_t n, qd_str *code)
{
    uint8_t expected[QD_CACHE_HEADER_BYTES], mac[QD_HMAC_BYTES];
    if (n < QD_CACHE_HEADER_BYTES)
        return false;
    qd_str found = {(const char *)bytes + QD_CACHE_HEADER_BYTES, n - QD_CACHE_HEADER_BYTES};
    fill(expected, key, found.n);
    if (memcmp(bytes, expected, AT_MAC) != 0 || !authenticate(node_key, bytes, found, mac) ||
        !qd_hash_eq(mac, bytes + AT_MAC, sizeof mac))
        return false;
    *code = found;
    return true;
}
