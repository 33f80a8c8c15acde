/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/random.h>

bool qd_hash_sha256_hex_of(const qd_str *parts, size_t n, char out[QD_SHA256_HEX_SIZE])
{
    static const char HEX[] = "0123456789abcdef";
    unsigned char digest[32];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool is_ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; is_ok && i < n; i++)
        is_ok = EVP_DigestUpdate(ctx, parts[i].n ? parts[i].p : "", parts[i].n) == 1;
    is_ok = is_ok && EVP_DigestFinal_ex(ctx, digest, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    if (!is_ok)
        return false;
    for (size_t i = 0; i < sizeof digest; i++) {
        out[2 * i] = HEX[digest[i] >> 4];
        out[2 * i + 1] = HEX[digest[i] & 15];
    }
    out[QD_SHA256_HEX_SIZE - 1] = '\0';
    return true;
}

bool qd_hash_sha256_hex(const void *p, size_t n, char out[QD_SHA256_HEX_SIZE])
{
    return qd_hash_sha256_hex_of(&(qd_str){p, n}, 1, out);
}

bool qd_hash_hmac_sha256(const void *key, size_t key_n, const qd_str *parts, size_t n, uint8_t out[QD_HMAC_BYTES])
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                 OSSL_PARAM_construct_end()};
    size_t size = 0;
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
    bool is_ok = ctx && EVP_MAC_init(ctx, key, key_n, params) == 1;
    for (size_t i = 0; is_ok && i < n; i++)
        is_ok = EVP_MAC_update(ctx, (const unsigned char *)parts[i].p, parts[i].n) == 1;
    is_ok = is_ok && EVP_MAC_final(ctx, out, &size, QD_HMAC_BYTES) == 1 && size == QD_HMAC_BYTES;
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
    return is_ok;
}

bool qd_hash_eq(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

/* SipHash-1-3 (Aumasson and Bernstein 2012): keyed, so that who chooses the keys cannot choose collisions. */
uint64_t qd_hash64(const void *p, size_t n, uint64_t seed)
{
    const unsigned char *at = p;
    uint64_t k0 = seed, k1 = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    uint64_t v[4] = {k0 ^ UINT64_C(0x736F6D6570736575), k1 ^ UINT64_C(0x646F72616E646F6D),
                     k0 ^ UINT64_C(0x6C7967656E657261), k1 ^ UINT64_C(0x7465646279746573)};
    uint64_t word;
    size_t left = n;
    for (; left >= sizeof word; left -= sizeof word, at += sizeof word) {
        memcpy(&word, at, sizeof word);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = 0;
    if (left)
        memcpy(&word, at, left);
    word |= (uint64_t)n << 56;
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xFF;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

bool qd_hash_random(void *p, size_t n)
{
    char *at = p;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        n -= (size_t)got;
    }
    return true;
}

void qd_base64_encode(const uint8_t *p, size_t n, qd_buf *out)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t bits = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0u);
        char quad[4] = {DIGITS[bits >> 18], DIGITS[bits >> 12 & 63], left > 1 ? DIGITS[bits >> 6 & 63] : '=',
                        left > 2 ? DIGITS[bits & 63] : '='};
        qd_buf_add(out, quad, sizeof quad);
    }
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters to three bytes, of which the padding leaves 3, 2 or 1. 0: malformed. */
static size_t base64_group(const char *in, size_t padding, uint8_t out[3])
{
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        int digit = i < 4 - padding ? base64_digit(in[i]) : 0;
        if (digit < 0)
            return 0;
        bits = bits << 6 | (uint32_t)digit;
    }
    /* One text per content: the bits that padding leaves over are zero. */
    if (padding && (bits & (padding == 1 ? 0xFFu : 0xFFFFu)))
        return 0;
    out[0] = (uint8_t)(bits >> 16);
    out[1] = (uint8_t)(bits >> 8);
    out[2] = (uint8_t)bits;
    return 3 - padding;
}

bool qd_base64_decode(qd_str s, uint8_t **out, size_t *n)
{
    if (s.n % 4 != 0)
        return false;
    uint8_t *bytes = malloc(s.n / 4 * 3 + 1);
    if (!bytes)
        return false;
    size_t length = 0;
    for (size_t i = 0; i < s.n; i += 4) {
        size_t padding = 0;
        if (i + 4 == s.n && s.p[i + 3] == '=')
            padding = s.p[i + 2] == '=' ? 2 : 1;
        uint8_t group[3];
        size_t got = base64_group(s.p + i, padding, group);
        if (got == 0) {
            free(bytes);
            return false;
        }
        memcpy(bytes + length, group, got);
        length += got;
    }
    *out = bytes;
    *n = length;
    return true;
}
