/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sign.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"

struct qd_sign_key {
    EVP_PKEY *pkey;
    qd_sign_algorithm algorithm;
    bool is_private;
    char id[QD_SIGN_ID_SIZE];
};

static const struct algorithm {
    const char *name, *type, *group, *digest; /* OpenSSL's words; NULL: has none */
} ALGORITHMS[] = {
    [QD_SIGN_ED25519] = {"ed25519", "ED25519", NULL, NULL},
    [QD_SIGN_ECDSA_P256] = {"ecdsa-p256", "EC", "prime256v1", "SHA256"},
};
#define N_ALGORITHMS (sizeof ALGORITHMS / sizeof *ALGORITHMS)

const char *qd_sign_algorithm_name(qd_sign_algorithm a)
{
    return (size_t)a < N_ALGORITHMS ? ALGORITHMS[a].name : "unknown";
}

bool qd_sign_algorithm_parse(qd_str name, qd_sign_algorithm *out)
{
    for (size_t i = 0; i < N_ALGORITHMS; i++) {
        if (qd_str_is(name, ALGORITHMS[i].name)) {
            *out = (qd_sign_algorithm)i;
            return true;
        }
    }
    return false;
}

/* ---- keys -------------------------------------------------------------------------------------------------------- */

void qd_sign_key_free(qd_sign_key *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->pkey); /* clears private parts */
    free(key);
}

static bool find_algorithm(EVP_PKEY *pkey, qd_sign_algorithm *out)
{
    char group[32] = "";
    for (size_t i = 0; i < N_ALGORITHMS; i++) {
        const struct algorithm *a = &ALGORITHMS[i];
        if (!EVP_PKEY_is_a(pkey, a->type))
            continue;
        if (a->group && (EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) != 1 || strcmp(group, a->group) != 0))
            continue;
        *out = (qd_sign_algorithm)i;
        return true;
    }
    return false;
}

/* The same key has the same id in whatever form its point was written. */
static bool compute_id(qd_sign_key *key)
{
    char digest[QD_SHA256_HEX_SIZE];
    unsigned char *der = NULL;
    if (ALGORITHMS[key->algorithm].group)
        EVP_PKEY_set_utf8_string_param(key->pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed");
    int n = i2d_PUBKEY(key->pkey, &der);
    bool is_ok = n > 0 && qd_hash_sha256_hex(der, (size_t)n, digest);
    OPENSSL_free(der);
    if (is_ok)
        snprintf(key->id, sizeof key->id, "%.*s", QD_SIGN_ID_SIZE - 1, digest);
    return is_ok;
}

/* Takes `pkey`, even on failure. */
static qd_status new_key(EVP_PKEY *pkey, bool is_private, qd_sign_key **out, qd_error *err)
{
    qd_sign_key *key = calloc(1, sizeof *key);
    qd_status st = QD_OK;
    if (!key) {
        EVP_PKEY_free(pkey);
        return qd_fail_nomem(err);
    }
    key->pkey = pkey;
    key->is_private = is_private;
    if (!find_algorithm(pkey, &key->algorithm)) {
        const char *type = EVP_PKEY_get0_type_name(pkey);
        st = qd_fail(err, QD_EINVAL, "expected an Ed25519 key or an EC key on P-256, got %s",
                     !type                       ? "a key of another kind"
                     : EVP_PKEY_is_a(pkey, "EC") ? "an EC key on another curve"
                                                 : type);
    } else if (!compute_id(key)) {
        st = qd_fail(err, QD_EINTERNAL, "the key's id could not be computed");
    }
    if (st == QD_OK)
        *out = QD_TAKE(key);
    qd_sign_key_free(key);
    ERR_clear_error();
    return st;
}

/* OpenSSL would ask on the terminal. */
static int refuse_password(char *buf, int size, int is_writing, void *asked)
{
    (void)buf, (void)size, (void)is_writing;
    *(bool *)asked = true;
    return -1;
}

static size_t count_blocks(qd_str pem)
{
    static const char BEGIN[] = "-----BEGIN ";
    size_t n = 0;
    const char *p = pem.p, *end = pem.p + pem.n, *at;
    while (p < end && (at = memmem(p, (size_t)(end - p), BEGIN, sizeof BEGIN - 1))) {
        p = at + sizeof BEGIN - 1;
        n++;
    }
    return n;
}

/* `label`: what follows "BEGIN". A private key may not stand where a public one is expected: whoever put it there has
 * given it away, and must hear of it. */
static qd_status check_pem(qd_str pem, bool wants_private, qd_error *err)
{
    static const char PRIVATE[] = "PRIVATE KEY-----", PUBLIC[] = "-----BEGIN PUBLIC KEY-----";
    if (pem.n > QD_SIGN_MAX_PEM_BYTES)
        return qd_fail(err, QD_EINVAL, "it has %zu bytes; a key has at most %d", pem.n, QD_SIGN_MAX_PEM_BYTES);
    size_t n = count_blocks(pem);
    if (n == 0)
        return qd_fail(err, QD_EINVAL, "it holds no PEM key (-----BEGIN %s KEY-----)",
                       wants_private ? "PRIVATE" : "PUBLIC");
    bool has_private = memmem(pem.p, pem.n, PRIVATE, sizeof PRIVATE - 1) != NULL;
    if (has_private && !wants_private)
        return qd_fail(err, QD_EINVAL,
                       "it holds a private key where a public one is expected; "
                       "keep private keys off servers");
    if (!has_private && wants_private)
        return qd_fail(err, QD_EINVAL, "it holds no private key (-----BEGIN PRIVATE KEY-----)");
    /* Old EC private keys come with a block of parameters. */
    if (n > 1 && !wants_private)
        return qd_fail(err, QD_EINVAL, "it holds %zu PEM blocks: give each key a file of its own", n);
    if (!wants_private && !memmem(pem.p, pem.n, PUBLIC, sizeof PUBLIC - 1))
        return qd_fail(err, QD_EINVAL, "it holds no public key (-----BEGIN PUBLIC KEY-----)");
    return QD_OK;
}

static qd_status read_key(qd_str pem, bool is_private, qd_sign_key **out, qd_error *err)
{
    bool asked = false;
    qd_status st = check_pem(pem, is_private, err);
    if (st != QD_OK)
        return st;
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    if (!bio)
        return qd_fail_nomem(err);
    EVP_PKEY *pkey = is_private ? PEM_read_bio_PrivateKey(bio, NULL, refuse_password, &asked)
                                : PEM_read_bio_PUBKEY(bio, NULL, refuse_password, &asked);
    BIO_free(bio);
    ERR_clear_error();
    if (asked)
        return qd_fail(err, QD_EINVAL,
                       "the key is encrypted; take the passphrase off a copy first "
                       "(openssl pkey -in KEY -out COPY)");
    if (!pkey)
        return qd_fail(err, QD_EINVAL, "the PEM block is damaged, or no key that OpenSSL understands");
    return new_key(pkey, is_private, out, err);
}

qd_status qd_sign_key_read_public(qd_str pem, qd_sign_key **out, qd_error *err)
{
    return read_key(pem, false, out, err);
}

qd_status qd_sign_key_read_private(qd_str pem, qd_sign_key **out, qd_error *err)
{
    return read_key(pem, true, out, err);
}

qd_status qd_sign_key_generate(qd_sign_algorithm a, qd_sign_key **out, qd_error *err)
{
    if ((size_t)a >= N_ALGORITHMS)
        return qd_fail(err, QD_EINVAL, "unknown signature algorithm");
    EVP_PKEY *pkey = ALGORITHMS[a].group ? EVP_PKEY_Q_keygen(NULL, NULL, ALGORITHMS[a].type, ALGORITHMS[a].group)
                                         : EVP_PKEY_Q_keygen(NULL, NULL, ALGORITHMS[a].type);
    ERR_clear_error();
    return pkey ? new_key(pkey, true, out, err) : qd_fail(err, QD_EINTERNAL, "OpenSSL could not make a key");
}

static qd_status write_key(const qd_sign_key *key, bool is_private, qd_buf *out, qd_error *err)
{
    char *text = NULL;
    BIO *bio = BIO_new(BIO_s_secmem());
    int is_ok = bio && (is_private ? PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL)
                                   : PEM_write_bio_PUBKEY(bio, key->pkey));
    long n = is_ok ? BIO_get_mem_data(bio, &text) : 0;
    if (n > 0)
        qd_buf_add(out, text, (size_t)n);
    BIO_free(bio);
    ERR_clear_error();
    if (n <= 0)
        return qd_fail(err, QD_EINTERNAL, "OpenSSL could not write the key");
    return out->failed ? qd_fail_nomem(err) : QD_OK;
}

qd_status qd_sign_key_write_public(const qd_sign_key *key, qd_buf *out, qd_error *err)
{
    return write_key(key, false, out, err);
}

qd_status qd_sign_key_write_private(const qd_sign_key *key, qd_buf *out, qd_error *err)
{
    return key->is_private ? write_key(key, true, out, err)
                           : qd_fail(err, QD_EINVAL, "key %s is public: it has no private half", key->id);
}

qd_sign_algorithm qd_sign_key_algorithm(const qd_sign_key *key)
{
    return key->algorithm;
}

const char *qd_sign_key_id(const qd_sign_key *key)
{
    return key->id;
}

/* ---- signatures -------------------------------------------------------------------------------------------------- */

qd_status qd_sign(const qd_sign_key *key, qd_str text, uint8_t out[QD_SIGN_MAX_BYTES], size_t *n, qd_error *err)
{
    uint8_t made[QD_SIGN_MAX_BYTES];
    size_t length = sizeof made;
    if (!key->is_private)
        return qd_fail(err, QD_EINVAL, "key %s is public: signing takes the private key", key->id);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx)
        return qd_fail_nomem(err);
    bool is_ok =
        EVP_DigestSignInit_ex(ctx, NULL, ALGORITHMS[key->algorithm].digest, NULL, NULL, key->pkey, NULL) == 1 &&
        EVP_DigestSign(ctx, made, &length, (const unsigned char *)text.p, text.n) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    if (!is_ok)
        return qd_fail(err, QD_EINTERNAL, "OpenSSL could not sign with key %s", key->id);
    memcpy(out, made, length);
    *n = length;
    return QD_OK;
}

bool qd_sign_verify(const qd_sign_key *key, qd_str text, const uint8_t *signature, size_t n)
{
    EVP_MD_CTX *ctx = n <= QD_SIGN_MAX_BYTES ? EVP_MD_CTX_new() : NULL;
    bool is_ok =
        ctx &&
        EVP_DigestVerifyInit_ex(ctx, NULL, ALGORITHMS[key->algorithm].digest, NULL, NULL, key->pkey, NULL) == 1 &&
        EVP_DigestVerify(ctx, signature, n, (const unsigned char *)text.p, text.n) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return is_ok;
}
