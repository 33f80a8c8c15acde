/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "base/sign.h"
#include "cmocka_qd.h"

#include <stdio.h>
#include <stdlib.h>

/* RFC 8032, 7.1, TEST 2. */
#define RFC_KEY                                                                                                        \
    "-----BEGIN PUBLIC KEY-----\n"                                                                                     \
    "MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\n"                                                   \
    "-----END PUBLIC KEY-----\n"
#define RFC_SIGNATURE "kqAJqfDUyrhyDoILX2QlQKKye1QWUD+Ps3YiI+vbadoIWsHkPhWZbkWPNhPQ8R2MOHsurrQwKu6wDSkWErsMAA=="

/* Made by the openssl program: `openssl dgst -sha256 -sign` over "sample". */
#define P256_KEY                                                                                                       \
    "-----BEGIN PUBLIC KEY-----\n"                                                                                     \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9FlLAjyo4g3K+ilJuugt3WhuNGVC\n"                                               \
    "UaLljcY4a42XFGURaszyU/i7YmYSOhELq8heEjtZ/tQaZEHrqk5b3FuX8A==\n"                                                   \
    "-----END PUBLIC KEY-----\n"
#define P256_COMPRESSED                                                                                                \
    "-----BEGIN PUBLIC KEY-----\n"                                                                                     \
    "MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgAC9FlLAjyo4g3K+ilJuugt3WhuNGVC\n"                                               \
    "UaLljcY4a42XFGU=\n"                                                                                               \
    "-----END PUBLIC KEY-----\n"
#define P256_SIGNATURE                                                                                                 \
    "MEQCIAJ9DNWtdqss7ApeOyuBt/Qyp3Zn9NjYLL+FaE4k4UIWAiBOMUztXXF7cF/ZvynjJgYxCwZblPIB2raE79b2F2FhOA=="

#define P384_KEY                                                                                                       \
    "-----BEGIN PUBLIC KEY-----\n"                                                                                     \
    "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAERw6IR58UJsgGYGS/Ulz6HTPtRYenpuVK\n"                                               \
    "yfITIOPVGxsl3v4hYcVeMcIdevbV8AvARMNPm8s7IZYBzK/G75dgRSWkDMMOOPJp\n"                                               \
    "p6umHjYfUxcNz+C0COP+9ipGVdRlnPdF\n"                                                                               \
    "-----END PUBLIC KEY-----\n"
#define RSA_KEY                                                                                                        \
    "-----BEGIN PUBLIC KEY-----\n"                                                                                     \
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDYhhHbZoMdV2SOZIat11DztYlf\n"                                               \
    "rmR6pGRZWp9SMgb1ayIzk1KPOjjtgK7UNZW2OxgCkyQU4wqf8a17JutIBUuFOL0R\n"                                               \
    "BTtlpinu47WvRZE1EX7Oi7/+edOafvzZAeoD6NjrQyghl0bFUYthv9nbg9eLZrn4\n"                                               \
    "W+CRBOr60Q+6M589cQIDAQAB\n"                                                                                       \
    "-----END PUBLIC KEY-----\n"
#define ENCRYPTED_KEY                                                                                                  \
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"                                                                          \
    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgQ6I5y9hooxAICCAAw\n"                                               \
    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEEC7W1vNiM8e9RauWeYWxyBAEgZAI\n"                                               \
    "wbcHijfWbQb6V083SOBnd70l04CxW6kjz5RaMdaMnkvK4nWdoG49+Fr7hOlUrgWW\n"                                               \
    "OQjxHIHXBtM2/5AAcXOA6ulN3ksK7aymSG6kFWHG4NNdtgyFi9yDgQhBsftjDBHv\n"                                               \
    "aTTAh9n9/Y68Gl8aJq5zIS/vTNBRAZ4J5ibdU3PW8QN+6V7hYpbTRdKwc0YUbMk=\n"                                               \
    "-----END ENCRYPTED PRIVATE KEY-----\n"

static qd_sign_key *read_public(const char *pem)
{
    qd_error err = QD_ERROR_INIT;
    qd_sign_key *key = NULL;
    assert_status_ok(qd_sign_key_read_public(qd_str_of(pem), &key, &err), &err);
    return key;
}

static bool verifies(const qd_sign_key *key, const char *text, const char *base64)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    assert_true(qd_base64_decode(qd_str_of(base64), &bytes, &n));
    bool answer = qd_sign_verify(key, qd_str_of(text), bytes, n);
    free(bytes);
    return answer;
}

static void test_verify__signatures_of_others__are_right_for_their_text_only(void **state)
{
    (void)state;
    qd_sign_key *rfc = read_public(RFC_KEY), *p256 = read_public(P256_KEY);
    assert_int_equal(qd_sign_key_algorithm(rfc), QD_SIGN_ED25519);
    assert_int_equal(qd_sign_key_algorithm(p256), QD_SIGN_ECDSA_P256);
    assert_true(verifies(rfc, "r", RFC_SIGNATURE));
    assert_false(verifies(rfc, "s", RFC_SIGNATURE));
    assert_false(verifies(rfc, "", RFC_SIGNATURE));
    assert_true(verifies(p256, "sample", P256_SIGNATURE));
    assert_false(verifies(p256, "samplf", P256_SIGNATURE));
    assert_false(verifies(p256, "r", RFC_SIGNATURE));
    assert_false(verifies(rfc, "sample", P256_SIGNATURE));
    qd_sign_key_free(rfc);
    qd_sign_key_free(p256);
}

static void test_verify__every_bit_of_a_signature__counts(void **state)
{
    (void)state;
    qd_sign_key *rfc = read_public(RFC_KEY), *p256 = read_public(P256_KEY);
    const struct {
        const qd_sign_key *key;
        const char *text, *signature;
    } CASES[] = {{rfc, "r", RFC_SIGNATURE}, {p256, "sample", P256_SIGNATURE}};
    for (size_t c = 0; c < 2; c++) {
        uint8_t *bytes = NULL;
        size_t n = 0;
        assert_true(qd_base64_decode(qd_str_of(CASES[c].signature), &bytes, &n));
        for (size_t i = 0; i < n; i++) {
            bytes[i] ^= 1;
            assert_false(qd_sign_verify(CASES[c].key, qd_str_of(CASES[c].text), bytes, n));
            bytes[i] ^= 1;
        }
        for (size_t i = 0; i < n; i++)
            assert_false(qd_sign_verify(CASES[c].key, qd_str_of(CASES[c].text), bytes, i));
        free(bytes);
    }
    uint8_t long_one[QD_SIGN_MAX_BYTES + 1] = {0};
    assert_false(qd_sign_verify(rfc, QD_STR("r"), long_one, sizeof long_one));
    assert_false(qd_sign_verify(rfc, QD_STR("r"), long_one, 0));
    qd_sign_key_free(rfc);
    qd_sign_key_free(p256);
}

static void test_key_id__is_that_of_the_der__in_whatever_form_the_point_came(void **state)
{
    (void)state;
    qd_sign_key *rfc = read_public(RFC_KEY), *p256 = read_public(P256_KEY), *same = read_public(P256_COMPRESSED);
    assert_string_equal(qd_sign_key_id(rfc), "deb2ded39dc26fce"); /* openssl pkey -outform DER | sha256sum */
    assert_string_equal(qd_sign_key_id(p256), "ae98fc16de7a87b8");
    assert_string_equal(qd_sign_key_id(same), "ae98fc16de7a87b8");
    qd_sign_key_free(rfc);
    qd_sign_key_free(p256);
    qd_sign_key_free(same);
}

static void test_generate__both_algorithms__sign_after_a_round_through_pem(void **state)
{
    (void)state;
    static const qd_sign_algorithm ALL[] = {QD_SIGN_ED25519, QD_SIGN_ECDSA_P256};
    for (size_t i = 0; i < 2; i++) {
        qd_error err = QD_ERROR_INIT;
        qd_sign_key *made = NULL, *private_key = NULL, *public_key = NULL;
        qd_buf private_pem, public_pem;
        uint8_t signature[QD_SIGN_MAX_BYTES];
        size_t n = 0;
        qd_buf_init(&private_pem, QD_SIGN_MAX_PEM_BYTES);
        qd_buf_init(&public_pem, QD_SIGN_MAX_PEM_BYTES);
        assert_status_ok(qd_sign_key_generate(ALL[i], &made, &err), &err);
        assert_status_ok(qd_sign_key_write_private(made, &private_pem, &err), &err);
        assert_status_ok(qd_sign_key_write_public(made, &public_pem, &err), &err);
        assert_true(qd_str_starts(qd_buf_str(&private_pem), "-----BEGIN PRIVATE KEY-----\n"));
        assert_status_ok(qd_sign_key_read_private(qd_buf_str(&private_pem), &private_key, &err), &err);
        assert_status_ok(qd_sign_key_read_public(qd_buf_str(&public_pem), &public_key, &err), &err);
        assert_int_equal(qd_sign_key_algorithm(private_key), ALL[i]);
        assert_string_equal(qd_sign_key_id(private_key), qd_sign_key_id(made));
        assert_string_equal(qd_sign_key_id(public_key), qd_sign_key_id(made));
        assert_status_ok(qd_sign(private_key, QD_STR("text"), signature, &n, &err), &err);
        assert_true(qd_sign_verify(public_key, QD_STR("text"), signature, n));
        assert_false(qd_sign_verify(public_key, QD_STR("texT"), signature, n));

        qd_status st = qd_sign(public_key, QD_STR("text"), signature, &n, &err);
        char expected[128];
        snprintf(expected, sizeof expected, "key %s is public: signing takes the private key",
                 qd_sign_key_id(public_key));
        assert_failed_with(st, &err, QD_EINVAL, expected);
        st = qd_sign_key_write_private(public_key, &private_pem, &err);
        snprintf(expected, sizeof expected, "key %s is public: it has no private half", qd_sign_key_id(public_key));
        assert_failed_with(st, &err, QD_EINVAL, expected);
        qd_buf_deinit(&private_pem);
        qd_buf_deinit(&public_pem);
        qd_sign_key_free(made);
        qd_sign_key_free(private_key);
        qd_sign_key_free(public_key);
    }
}

static void test_read_public__what_is_no_such_key__is_refused_in_a_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *pem, *message;
    } CASES[] = {
        {"", "it holds no PEM key (-----BEGIN PUBLIC KEY-----)"},
        {"ssh-ed25519 AAAA me@here\n", "it holds no PEM key (-----BEGIN PUBLIC KEY-----)"},
        {P384_KEY, "expected an Ed25519 key or an EC key on P-256, got an EC key on another curve"},
        {RSA_KEY, "expected an Ed25519 key or an EC key on P-256, got RSA"},
        {ENCRYPTED_KEY, "it holds a private key where a public one is expected; keep private keys off servers"},
        {RFC_KEY P256_KEY, "it holds 2 PEM blocks: give each key a file of its own"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
         "it holds no public key (-----BEGIN PUBLIC KEY-----)"},
        {"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n",
         "the PEM block is damaged, or no key that OpenSSL understands"},
        {"-----BEGIN PUBLIC KEY-----\n", "the PEM block is damaged, or no key that OpenSSL understands"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        qd_error err = QD_ERROR_INIT;
        qd_sign_key *key = NULL;
        qd_status st = qd_sign_key_read_public(qd_str_of(CASES[i].pem), &key, &err);
        assert_failed_with(st, &err, QD_EINVAL, CASES[i].message);
        assert_null(key);
    }
    char *big = calloc(1, QD_SIGN_MAX_PEM_BYTES + 1);
    qd_error err = QD_ERROR_INIT;
    qd_sign_key *key = NULL;
    qd_status st = qd_sign_key_read_public((qd_str){big, QD_SIGN_MAX_PEM_BYTES + 1}, &key, &err);
    assert_failed_with(st, &err, QD_EINVAL, "it has 16385 bytes; a key has at most 16384");
    free(big);
}

static void test_read_private__what_is_no_such_key__is_refused_without_asking(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_sign_key *key = NULL;
    qd_status st = qd_sign_key_read_private(QD_STR(RFC_KEY), &key, &err);
    assert_failed_with(st, &err, QD_EINVAL, "it holds no private key (-----BEGIN PRIVATE KEY-----)");
    st = qd_sign_key_read_private(QD_STR(ENCRYPTED_KEY), &key, &err);
    assert_failed_with(st, &err, QD_EINVAL,
                       "the key is encrypted; take the passphrase off a copy first "
                       "(openssl pkey -in KEY -out COPY)");
    assert_null(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verify__signatures_of_others__are_right_for_their_text_only),
        cmocka_unit_test(test_verify__every_bit_of_a_signature__counts),
        cmocka_unit_test(test_key_id__is_that_of_the_der__in_whatever_form_the_point_came),
        cmocka_unit_test(test_generate__both_algorithms__sign_after_a_round_through_pem),
        cmocka_unit_test(test_read_public__what_is_no_such_key__is_refused_in_a_sentence),
        cmocka_unit_test(test_read_private__what_is_no_such_key__is_refused_without_asking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
