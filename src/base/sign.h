/* SPDX-License-Identifier: Apache-2.0
 *
 * Signatures and their keys, by OpenSSL: Ed25519 (RFC 8032) and ECDSA on P-256 with SHA-256 (FIPS 186-5, signatures in
 * DER). Keys are PEM: SubjectPublicKeyInfo for public ones, PKCS#8 for private ones. Threads: any, a key never changes.
 *
 * Verifying handles no secret, so nothing here depends on time: the key, the text and the signature are all public. */
#ifndef QD_BASE_SIGN_H
#define QD_BASE_SIGN_H

#include "base/buf.h"
#include "base/error.h"

typedef enum qd_sign_algorithm { QD_SIGN_ED25519, QD_SIGN_ECDSA_P256 } qd_sign_algorithm;

typedef struct qd_sign_key qd_sign_key;

#define QD_SIGN_MAX_BYTES     72         /* of a signature: P-256 in DER */
#define QD_SIGN_ID_SIZE       17         /* of a key's id, with its NUL */
#define QD_SIGN_MAX_PEM_BYTES (16 << 10) /* of a key's text */

const char *qd_sign_algorithm_name(qd_sign_algorithm a); /* "ed25519", "ecdsa-p256" */
bool qd_sign_algorithm_parse(qd_str name, qd_sign_algorithm *out);

/* A PEM text with exactly one key. *out: owned by caller (qd_sign_key_free). Errors: QD_EINVAL, one sentence that does
 * not name the file. */
qd_status qd_sign_key_read_public(qd_str pem, qd_sign_key **out, qd_error *err);
qd_status qd_sign_key_read_private(qd_str pem, qd_sign_key **out, qd_error *err);
qd_status qd_sign_key_generate(qd_sign_algorithm a, qd_sign_key **out, qd_error *err);
void qd_sign_key_free(qd_sign_key *key);

/* Append the PEM text. A private key also has its public half. Whoever writes a private key clears the buffer. Errors:
 * QD_EINVAL (a public key has no private half), QD_EINTERNAL. */
qd_status qd_sign_key_write_public(const qd_sign_key *key, qd_buf *out, qd_error *err);
qd_status qd_sign_key_write_private(const qd_sign_key *key, qd_buf *out, qd_error *err);

qd_sign_algorithm qd_sign_key_algorithm(const qd_sign_key *key);
/* The first 16 hex digits of the SHA-256 of its SubjectPublicKeyInfo in DER (points uncompressed): names a key, proves
 * nothing. */
const char *qd_sign_key_id(const qd_sign_key *key);

/* Signs with a private key. Errors: QD_EINVAL (a public one), QD_EINTERNAL. */
qd_status qd_sign(const qd_sign_key *key, qd_str text, uint8_t out[QD_SIGN_MAX_BYTES], size_t *n, qd_error *err);
/* Is it this key's signature of this text? False for anything else, malformed ones too. */
bool qd_sign_verify(const qd_sign_key *key, qd_str text, const uint8_t *signature, size_t n);

#endif
