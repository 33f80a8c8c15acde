/* SPDX-License-Identifier: Apache-2.0
 *
 * An entry of the native cache: a header, then native code. The engine runs what it finds there and cannot check it, so
 * an entry says for which key it is and proves by a MAC under the node's own key that this node wrote it. Numbers are
 * little endian.
 *
 *     0  "QDNATIV\1"
 *     8  bytes of native code behind the header, 64 bits
 *    16  the entry's key: 64 hexadecimal digits
 *    80  16 bytes of 0
 *    96  HMAC-SHA-256, by the node's key, of the 96 bytes before and of the native code */
#ifndef QD_WASM_CACHE_ENTRY_H
#define QD_WASM_CACHE_ENTRY_H

#include "base/hash.h"

#define QD_CACHE_NODE_KEY_BYTES 32
#define QD_CACHE_HEADER_BYTES   128
#define QD_CACHE_KEY_SIZE       QD_SHA256_HEX_SIZE

/* The header for `code`; false when OpenSSL fails. */
bool qd_cache_entry_seal(const uint8_t node_key[QD_CACHE_NODE_KEY_BYTES], const char key[QD_CACHE_KEY_SIZE],
                         qd_str code, uint8_t header[QD_CACHE_HEADER_BYTES]);
/* *code: view into `bytes`. False unless it is, whole, what was sealed with this node key for this key. */
bool qd_cache_entry_open(const uint8_t node_key[QD_CACHE_NODE_KEY_BYTES], const char key[QD_CACHE_KEY_SIZE],
                         const uint8_t *bytes, size_t n, qd_str *code);

#endif
