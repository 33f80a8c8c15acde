/* SPDX-License-Identifier: Apache-2.0
 *
 * `udf keygen`: a pair of keys to sign functions with. Works without a server. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/sign.h"
#include "command.h"
#include "save.h"

/* PREFIX.key is for its owner's eyes; PREFIX.pem goes to the servers. */
static qd_status save_pair(const qd_sign_key *key, const char *private_path, const char *public_path, qd_error *err)
{
    qd_buf private_pem, public_pem;
    qd_buf_init(&private_pem, QD_SIGN_MAX_PEM_BYTES);
    qd_buf_init(&public_pem, QD_SIGN_MAX_PEM_BYTES);
    qd_status rc = qd_sign_key_write_private(key, &private_pem, err);
    if (!rc)
        rc = qd_sign_key_write_public(key, &public_pem, err);
    if (!rc)
        rc = save_new(private_path, qd_buf_str(&private_pem), 0600, err);
    if (!rc && (rc = save_new(public_path, qd_buf_str(&public_pem), 0644, err)))
        remove(private_path); /* half a pair is none */
    if (private_pem.p)
        explicit_bzero(private_pem.p, private_pem.cap);
    qd_buf_deinit(&private_pem);
    qd_buf_deinit(&public_pem);
    return rc;
}

static void print_pair(const qctl *q, const qd_sign_key *key, const char *private_path, const char *public_path)
{
    const char *algorithm = qd_sign_algorithm_name(qd_sign_key_algorithm(key));
    if (q->is_json) {
        json_t *v = json_pack("{s:s, s:s, s:s, s:s}", "key_id", qd_sign_key_id(key), "algorithm", algorithm,
                              "private_key", private_path, "public_key", public_path);
        json_dumpf(v, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(v);
    } else if (q->is_quiet) {
        puts(qd_sign_key_id(key));
    } else {
        printf("key %s (%s)\n  %s  the private key: signs; keep it to yourself\n"
               "  %s  the public key: for the trust.keys of servers\n",
               qd_sign_key_id(key), algorithm, private_path, public_path);
    }
}

qd_status udf_keygen(qctl *q, const args *a, qd_error *err)
{
    qd_sign_algorithm algorithm;
    qd_sign_key *key = NULL;
    char *private_path = NULL, *public_path = NULL;
    const char *type = args_text(a, "type", "ed25519"), *prefix = args_text(a, "out", NULL);
    if (!prefix || !*prefix)
        return usage_error(err, "--out PREFIX is missing: the keys become PREFIX.key and PREFIX.pem");
    if (!qd_sign_algorithm_parse(qd_str_of(type), &algorithm))
        return usage_error(err, "option --type: expected ed25519 or ecdsa-p256, got '%s'", type);
    qd_status rc = QD_OK;
    if (asprintf(&private_path, "%s.key", prefix) < 0 || asprintf(&public_path, "%s.pem", prefix) < 0)
        rc = qd_fail_nomem(err);
    if (!rc)
        rc = qd_sign_key_generate(algorithm, &key, err);
    if (!rc)
        rc = save_pair(key, private_path, public_path, err);
    if (!rc)
        print_pair(q, key, private_path, public_path);
    qd_sign_key_free(key);
    free(private_path);
    free(public_path);
    return rc;
}
