/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose functions may run here: a policy and the public keys that are trusted. What is signed and how is in
 * signature.h.
 *
 *   policy   unsigned   unknown key   wrong signature   valid
 *   off      accepted   accepted      not looked at     not looked at
 *   warn     accepted   accepted      refused           accepted
 *   require  refused    refused       refused           accepted
 *
 * The caller tells of what warn lets pass (qd_trust_describe; log, audit). Check when a function is registered, and
 * again when a stored one is loaded: a key that was taken away, or a store that was touched, then counts as well; so a
 * detached signature is kept with its function. Immutable; threads: any. */
#ifndef QD_UDF_TRUST_H
#define QD_UDF_TRUST_H

#include "base/json.h"
#include "base/sign.h"

typedef struct qd_trust qd_trust;

typedef enum qd_trust_policy { QD_TRUST_OFF, QD_TRUST_WARN, QD_TRUST_REQUIRE } qd_trust_policy;

typedef enum qd_trust_state {
    QD_TRUST_UNCHECKED, /* the policy is off */
    QD_TRUST_UNSIGNED,
    QD_TRUST_UNTRUSTED, /* signed by a key that is not trusted here: nothing is known of the signature */
    QD_TRUST_VALID
} qd_trust_state;

#define QD_TRUST_SIGNER_SIZE 64
typedef struct qd_trust_result {
    qd_trust_state state;
    char key_id[QD_SIGN_ID_SIZE];      /* "" when unsigned or unchecked */
    char signer[QD_TRUST_SIGNER_SIZE]; /* the trusted key's name (its file's, without ".pem"); "" unless valid */
} qd_trust_result;

#define QD_TRUST_MAX_KEYS 1000

/* `policy`: "off", "warn", "require". `keys`: files and directories (of which the *.pem count) separated by commas; ""
 * for none. Every key must be readable, whatever the policy says. Errors: QD_EINVAL, QD_EIO, naming the file. */
qd_status qd_trust_open(const char *policy, const char *keys, qd_trust **out, qd_error *err);
void qd_trust_close(qd_trust *t);

qd_trust_policy qd_trust_policy_of(const qd_trust *t); /* NULL: off */
size_t qd_trust_count(const qd_trust *t);              /* of trusted keys */
const char *qd_trust_policy_name(qd_trust_policy p);
const char *qd_trust_state_name(qd_trust_state s); /* "unchecked", "unsigned", "untrusted", "valid" */

/* Checks a module and its whole manifest (qd_manifest.json: the module's own and the given, merged). `signature`: the
 * registration's member of that name; NULL: the one inside the module counts. All borrowed; `t` NULL: policy off.
 * Errors: QD_EUDF_SIGNATURE, QD_ENOMEM. */
qd_status qd_trust_check(const qd_trust *t, const uint8_t *wasm, size_t n, const json_t *manifest,
                         const json_t *signature, qd_trust_result *out, qd_error *err);

/* Ahead-of-time code of a module: nothing can check machine code, so it must be signed by a trusted key under every
 * policy. `signature` NULL: refused. Errors: QD_EUDF_SIGNATURE, QD_ENOMEM. */
qd_status qd_trust_check_native(const qd_trust *t, const uint8_t *wasm, size_t n, const void *code, size_t code_n,
                                const json_t *signature, qd_trust_result *out, qd_error *err);

#define QD_TRUST_TEXT_SIZE 128
/* For the log and the audit: "signed by 'release' (key 0123…)", "not signed", "signed by the unknown key 0123…". */
const char *qd_trust_describe(const qd_trust_result *r, char out[QD_TRUST_TEXT_SIZE]);

#endif
