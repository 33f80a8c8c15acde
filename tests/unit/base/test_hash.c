/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <stdlib.h>

#include "cmocka_qd.h"

static void test_sha256__known_answers(void **state)
{
    (void)state;
    char hex[QD_SHA256_HEX_SIZE];
    assert_true(qd_hash_sha256_hex(NULL, 0, hex));
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_true(qd_hash_sha256_hex("abc", 3, hex));
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_sha256_of__parts__is_that_of_the_whole(void **state)
{
    (void)state;
    char whole[QD_SHA256_HEX_SIZE], parts[QD_SHA256_HEX_SIZE];
    const qd_str texts[] = {QD_STR("a"), {NULL, 0}, QD_STR("bc")};
    assert_true(qd_hash_sha256_hex("abc", 3, whole));
    assert_true(qd_hash_sha256_hex_of(texts, 3, parts));
    assert_string_equal(parts, whole);
    assert_true(qd_hash_sha256_hex_of(NULL, 0, parts));
    assert_string_equal(parts, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void test_hmac__known_answers(void **state)
{
    (void)state;
    /* RFC 4231, test case 2; the second time in parts. */
    static const uint8_t expected[QD_HMAC_BYTES] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24,
                                                    0x26, 0x08, 0x95, 0x75, 0xc7, 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27,
                                                    0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43};
    uint8_t mac[QD_HMAC_BYTES];
    const qd_str whole = QD_STR("what do ya want for nothing?");
    const qd_str parts[] = {QD_STR("what do ya "), {0}, QD_STR("want for nothing?")};
    assert_true(qd_hash_hmac_sha256("Jefe", 4, &whole, 1, mac));
    assert_true(qd_hash_eq(mac, expected, sizeof mac));
    assert_true(qd_hash_hmac_sha256("Jefe", 4, parts, 3, mac));
    assert_true(qd_hash_eq(mac, expected, sizeof mac));
    mac[31] ^= 1;
    assert_false(qd_hash_eq(mac, expected, sizeof mac));
}

static void test_hash64__depends_on_every_byte_length_and_seed(void **state)
{
    (void)state;
    char text[40] = {0};
    uint64_t seen[41];
    for (size_t n = 0; n <= sizeof text; n++) {
        seen[n] = qd_hash64(text, n, 1);
        for (size_t i = 0; i < n; i++)
            assert_true(seen[i] != seen[n]);
    }
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = 1;
        assert_true(qd_hash64(text, sizeof text, 1) != seen[40]);
        text[i] = 0;
    }
    assert_true(qd_hash64(text, sizeof text, 1) == seen[40]);
    assert_true(qd_hash64(text, sizeof text, 2) != seen[40]);
    assert_true(qd_hash64(NULL, 0, 1) == seen[0]);
}

static void test_random__gives_different_bytes(void **state)
{
    (void)state;
    unsigned char a[600] = {0}, b[600] = {0};
    assert_true(qd_hash_random(a, sizeof a));
    assert_true(qd_hash_random(b, sizeof b));
    assert_memory_not_equal(a, b, sizeof a);
    assert_true(qd_hash_random(a, 0));
}

static void test_base64__rfc_4648_vectors(void **state)
{
    (void)state;
    static const char *const VECTORS[][2] = {{"", ""},
                                             {"Zg==", "f"},
                                             {"Zm8=", "fo"},
                                             {"Zm9v", "foo"},
                                             {"Zm9vYg==", "foob"},
                                             {"Zm9vYmE=", "fooba"},
                                             {"Zm9vYmFy", "foobar"},
                                             {"+/+/", "\xFB\xFF\xBF"}};
    for (size_t i = 0; i < sizeof VECTORS / sizeof *VECTORS; i++) {
        uint8_t *bytes = NULL;
        size_t n = 99;
        assert_true(qd_base64_decode(qd_str_of(VECTORS[i][0]), &bytes, &n));
        assert_int_equal(n, strlen(VECTORS[i][1]));
        assert_memory_equal(bytes, VECTORS[i][1], n);
        qd_buf text;
        qd_buf_init(&text, 64);
        qd_base64_encode(bytes, n, &text);
        assert_str_equal(qd_buf_str(&text), VECTORS[i][0]);
        qd_buf_deinit(&text);
        free(bytes);
    }
}

static void test_base64__malformed__is_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "Z", "Zg", "Zg=", "Zm9", "Zg==Zg==", "====", "Z===", "Zm9v\n", "Zm 9", "Zm-_", "=Zg=", "Zh==", "Zm9=", "Zm=v"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        uint8_t *bytes = NULL;
        size_t n = 99;
        assert_false(qd_base64_decode(qd_str_of(BAD[i]), &bytes, &n));
        assert_null(bytes);
        assert_int_equal(n, 99);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256__known_answers),
        cmocka_unit_test(test_sha256_of__parts__is_that_of_the_whole),
        cmocka_unit_test(test_hmac__known_answers),
        cmocka_unit_test(test_hash64__depends_on_every_byte_length_and_seed),
        cmocka_unit_test(test_random__gives_different_bytes),
        cmocka_unit_test(test_base64__rfc_4648_vectors),
        cmocka_unit_test(test_base64__malformed__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
