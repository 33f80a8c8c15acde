/* SPDX-License-Identifier: Apache-2.0
 *
 * Hashes: SHA-256 (FIPS 180-4, by OpenSSL) for content addresses; a fast seeded 64-bit one for tables. */
#ifndef QD_BASE_HASH_H
#define QD_BASE_HASH_H

#include "base/buf.h"

#define QD_SHA256_HEX_SIZE 65
/* Lower-case hex with NUL; false when OpenSSL fails. */
bool qd_hash_sha256_hex(const void *p, size_t n, char out[QD_SHA256_HEX_SIZE]);
/* The same of several texts, one after the other. */
bool qd_hash_sha256_hex_of(const qd_str *parts, size_t n, char out[QD_SHA256_HEX_SIZE]);
#define QD_HMAC_BYTES 32
/* HMAC-SHA-256 (RFC 2104) of several texts, one after the other; false when OpenSSL fails. */
bool qd_hash_hmac_sha256(const void *key, size_t key_n, const qd_str *parts, size_t n, uint8_t out[QD_HMAC_BYTES]);
/* In a time that does not tell where they differ. */
bool qd_hash_eq(const void *a, const void *b, size_t n);
uint64_t qd_hash64(const void *p, size_t n, uint64_t seed);
/* Random bytes from the system (getrandom); false when it fails. */
bool qd_hash_random(void *p, size_t n);
/* Appends RFC 4648 base64 (standard alphabet, padded). */
void qd_base64_encode(const uint8_t *p, size_t n, qd_buf *out);
/* The same read back, padding required. *out: owned by caller (free). False when malformed. */
bool qd_base64_decode(qd_str s, uint8_t **out, size_t *n);

#endif
