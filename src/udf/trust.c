/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/trust.h"

#include <stdio.h>
#include <stdlib.h>

#include "udf/signature.h"
#include "udf/trust_keys.h"

struct qd_trust {
    qd_trust_policy policy;
    qd_trusted_keys keys;
};

static const char *const POLICIES[] = {
    [QD_TRUST_OFF] = "off", [QD_TRUST_WARN] = "warn", [QD_TRUST_REQUIRE] = "require"};
static const char *const STATES[] = {[QD_TRUST_UNCHECKED] = "unchecked",
                                     [QD_TRUST_UNSIGNED] = "unsigned",
                                     [QD_TRUST_UNTRUSTED] = "untrusted",
                                     [QD_TRUST_VALID] = "valid"};
#define COUNT(a) (sizeof(a) / sizeof *(a))

const char *qd_trust_policy_name(qd_trust_policy p)
{
    return (size_t)p < COUNT(POLICIES) ? POLICIES[p] : "unknown";
}

const char *qd_trust_state_name(qd_trust_state s)
{
    return (size_t)s < COUNT(STATES) ? STATES[s] : "unknown";
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static qd_status set_policy(qd_trust *t, const char *policy, qd_error *err)
{
    for (size_t i = 0; i < COUNT(POLICIES); i++) {
        if (strcmp(POLICIES[i], policy) == 0) {
            t->policy = (qd_trust_policy)i;
            return QD_OK;
        }
    }
    return qd_fail_field(err, QD_EINVAL, "trust.policy", "trust.policy: expected off, warn or require, got '%s'",
                         policy);
}

qd_status qd_trust_open(const char *policy, const char *keys, qd_trust **out, qd_error *err)
{
    qd_trust *t = calloc(1, sizeof *t);
    if (!t)
        return qd_fail_nomem(err);
    qd_status st = set_policy(t, policy, err);
    if (st == QD_OK)
        st = qd_trusted_keys_load(&t->keys, qd_str_of(keys), err);
    if (st == QD_OK && t->policy == QD_TRUST_REQUIRE && t->keys.n == 0)
        st = qd_fail_field(err, QD_EINVAL, "trust.keys",
                           "trust.policy is require, but trust.keys names no key: no function could be registered");
    if (st == QD_OK)
        *out = QD_TAKE(t);
    qd_trust_close(t);
    return st;
}

void qd_trust_close(qd_trust *t)
{
    if (!t)
        return;
    qd_trusted_keys_deinit(&t->keys);
    free(t);
}

qd_trust_policy qd_trust_policy_of(const qd_trust *t)
{
    return t ? t->policy : QD_TRUST_OFF;
}

size_t qd_trust_count(const qd_trust *t)
{
    return t ? t->keys.n : 0;
}

/* ---- checking ---------------------------------------------------------------------------------------------------- */

static qd_status refuse(qd_error *err, const char *what)
{
    return qd_fail_field(err, QD_EUDF_SIGNATURE, "signature", "%s", what);
}

/* Compares a signature with the keys. Untrusted is no failure here: the policy decides. */
static qd_status judge(const qd_trust *t, const qd_signature *s, const char *text, const char *what,
                       qd_trust_result *out, qd_error *err)
{
    qd_trust_result r = {.state = QD_TRUST_UNTRUSTED};
    const qd_trusted_key *trusted = qd_trusted_keys_find(&t->keys, s->key_id);
    snprintf(r.key_id, sizeof r.key_id, "%s", s->key_id);
    if (trusted && s->algorithm != qd_sign_key_algorithm(trusted->key))
        return qd_fail_field(err, QD_EUDF_SIGNATURE, "signature",
                             "signature: it says %s, but key %s ('%s') is an %s key",
                             qd_sign_algorithm_name(s->algorithm), s->key_id, trusted->name,
                             qd_sign_algorithm_name(qd_sign_key_algorithm(trusted->key)));
    if (trusted && !qd_signature_verify(s, trusted->key, text))
        return qd_fail_field(err, QD_EUDF_SIGNATURE, "signature",
                             "signature: key %s ('%s') did not sign %s: something was changed after it was signed, "
                             "or the signature belongs to something else",
                             s->key_id, trusted->name, what);
    if (trusted) {
        r.state = QD_TRUST_VALID;
        snprintf(r.signer, sizeof r.signer, "%s", trusted->name);
    }
    *out = r;
    return QD_OK;
}

static qd_status require_valid(const qd_trust_result *r, const char *what, qd_error *err)
{
    if (r->state == QD_TRUST_VALID)
        return QD_OK;
    if (r->state == QD_TRUST_UNTRUSTED)
        return qd_fail_field(err, QD_EUDF_SIGNATURE, "signature",
                             "signature: key %s is not among the trusted ones (trust.keys)", r->key_id);
    return qd_fail_field(err, QD_EUDF_SIGNATURE, "signature",
                         "signature: missing: %s must be signed by a trusted key (`qctl udf sign`)", what);
}

qd_status qd_trust_check(const qd_trust *t, const uint8_t *wasm, size_t n, const json_t *manifest,
                         const json_t *signature, qd_trust_result *out, qd_error *err)
{
    qd_trust_result r = {.state = QD_TRUST_UNCHECKED};
    qd_signature s;
    char text[QD_SIGNATURE_TEXT_SIZE];
    bool is_there = signature != NULL;
    if (qd_trust_policy_of(t) == QD_TRUST_OFF) {
        *out = r;
        return QD_OK;
    }
    qd_status st = signature ? qd_signature_read(signature, &s, err) : qd_signature_find(wasm, n, &is_there, &s, err);
    if (st == QD_OK && is_there)
        st = qd_signature_text(wasm, n, manifest, text, err);
    if (st == QD_OK && is_there)
        st = judge(t, &s, text, "this module with this manifest", &r, err);
    else if (!is_there)
        r.state = QD_TRUST_UNSIGNED;
    if (st == QD_OK && t->policy == QD_TRUST_REQUIRE)
        st = require_valid(&r, "functions", err);
    if (st == QD_OK)
        *out = r;
    return st;
}

qd_status qd_trust_check_native(const qd_trust *t, const uint8_t *wasm, size_t n, const void *code, size_t code_n,
                                const json_t *signature, qd_trust_result *out, qd_error *err)
{
    qd_trust_result r = {.state = QD_TRUST_UNSIGNED};
    qd_signature s;
    char text[QD_SIGNATURE_TEXT_SIZE];
    if (!t || t->keys.n == 0)
        return refuse(
            err, "signature: ahead-of-time code runs only when a trusted key signed it, and trust.keys names none");
    qd_status st = QD_OK;
    if (signature) {
        st = qd_signature_read(signature, &s, err);
        if (st == QD_OK)
            st = qd_signature_native_text(wasm, n, code, code_n, text, err);
        if (st == QD_OK)
            st = judge(t, &s, text, "this ahead-of-time code of this module", &r, err);
    }
    if (st == QD_OK)
        st = require_valid(&r, "ahead-of-time code", err);
    if (st == QD_OK)
        *out = r;
    return st;
}

const char *qd_trust_describe(const qd_trust_result *r, char out[QD_TRUST_TEXT_SIZE])
{
    if (r->state == QD_TRUST_VALID)
        snprintf(out, QD_TRUST_TEXT_SIZE, "signed by '%s' (key %s)", r->signer, r->key_id);
    else if (r->state == QD_TRUST_UNTRUSTED)
        snprintf(out, QD_TRUST_TEXT_SIZE, "signed by the unknown key %s", r->key_id);
    else
        snprintf(out, QD_TRUST_TEXT_SIZE, "%s", r->state == QD_TRUST_UNSIGNED ? "not signed" : "signature not checked");
    return out;
}
