/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading trusted public keys from files and directories. */
#ifndef QD_UDF_TRUST_KEYS_H
#define QD_UDF_TRUST_KEYS_H

#include "base/sign.h"
#include "udf/trust.h"

typedef struct qd_trusted_key {
    qd_sign_key *key;
    char name[QD_TRUST_SIGNER_SIZE]; /* for people: its file's, without ".pem" */
} qd_trusted_key;

typedef struct qd_trusted_keys {
    qd_trusted_key *items; /* sorted by id */
    size_t n, cap;
} qd_trusted_keys;

/* Adds the keys of a list of files and directories; the same key twice counts once. Errors: QD_EINVAL, QD_EIO, naming
 * the file; what was added stays in `k`, for the caller to free. */
qd_status qd_trusted_keys_load(qd_trusted_keys *k, qd_str list, qd_error *err);
const qd_trusted_key *qd_trusted_keys_find(const qd_trusted_keys *k, const char *id);
void qd_trusted_keys_deinit(qd_trusted_keys *k);

#endif
