/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/trust.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "cmocka_qd.h"
#include "store/scratch_dir.h"
#include "udf/signature.h"
#include "udf/trust_keys.h"

#define MANIFEST                                                                                                       \
    "{\"version\":\"1.0.0\",\"name\":\"f\",\"tags\":[\"b\",\"a\"],\"limits\":{\"memory_bytes\":1,\"call_ms\":2}}"

/* A module of a memory and a code section: what stands in them does not matter to signatures. */
static const uint8_t MODULE[] = {0, 'a', 's', 'm', 1, 0, 0, 0, 5, 3, 1, 0, 1, 10, 4, 1, 2, 0, 11};
#define MEMORY_AT 8 /* where the first section begins */
#define CODE_AT   13

/* Two keys that are trusted, one of each algorithm, and one that is not. */
static struct {
    scratch_dir dir;
    qd_sign_key *ed, *ec, *stranger;
    char ed_path[80], ec_path[80];
    json_t *manifest;
    qd_trust *off, *warn, *require;
} f;

static void write_file(const char *path, qd_str text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text.p, 1, text.n, file), text.n);
    assert_int_equal(fclose(file), 0);
}

static void write_key(const qd_sign_key *key, const char *path)
{
    qd_buf pem;
    qd_error err = QD_ERROR_INIT;
    qd_buf_init(&pem, QD_SIGN_MAX_PEM_BYTES);
    assert_status_ok(qd_sign_key_write_public(key, &pem, &err), &err);
    write_file(path, qd_buf_str(&pem));
    qd_buf_deinit(&pem);
}

static json_t *parse(const char *text)
{
    json_t *v = NULL;
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_json_parse(qd_str_of(text), &v, &err), &err);
    return v;
}

static int setup(void **state)
{
    (void)state;
    char keys[200];
    qd_error err = QD_ERROR_INIT;
    scratch_dir_init(&f.dir);
    assert_status_ok(qd_sign_key_generate(QD_SIGN_ED25519, &f.ed, &err), &err);
    assert_status_ok(qd_sign_key_generate(QD_SIGN_ECDSA_P256, &f.ec, &err), &err);
    assert_status_ok(qd_sign_key_generate(QD_SIGN_ED25519, &f.stranger, &err), &err);
    snprintf(f.ed_path, sizeof f.ed_path, "%s/release.pem", f.dir.path);
    snprintf(f.ec_path, sizeof f.ec_path, "%s/ci.pem", f.dir.path);
    write_key(f.ed, f.ed_path);
    write_key(f.ec, f.ec_path);
    snprintf(keys, sizeof keys, "%s , %s", f.ed_path, f.ec_path);
    assert_status_ok(qd_trust_open("off", keys, &f.off, &err), &err);
    assert_status_ok(qd_trust_open("warn", keys, &f.warn, &err), &err);
    assert_status_ok(qd_trust_open("require", keys, &f.require, &err), &err);
    f.manifest = parse(MANIFEST);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    qd_trust_close(f.off);
    qd_trust_close(f.warn);
    qd_trust_close(f.require);
    qd_sign_key_free(f.ed);
    qd_sign_key_free(f.ec);
    qd_sign_key_free(f.stranger);
    json_decref(f.manifest);
    scratch_dir_deinit(&f.dir);
    return 0;
}

/* ---- helpers ----------------------------------------------------------------------------------------------------- */

static qd_signature sign(const qd_sign_key *key, const void *wasm, size_t n, const json_t *manifest)
{
    qd_signature s;
    char text[QD_SIGNATURE_TEXT_SIZE];
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_signature_text(wasm, n, manifest, text, &err), &err);
    assert_status_ok(qd_signature_make(key, text, &s, &err), &err);
    return s;
}

static json_t *json_of(const qd_signature *s)
{
    qd_buf text;
    qd_buf_init(&text, QD_SIGNATURE_MAX_JSON_BYTES);
    qd_signature_write(s, &text);
    qd_buf_add_char(&text, '\0');
    assert_false(text.failed);
    json_t *v = parse(text.p);
    qd_buf_deinit(&text);
    return v;
}

static json_t *signed_by(const qd_sign_key *key)
{
    qd_signature s = sign(key, MODULE, sizeof MODULE, f.manifest);
    return json_of(&s);
}

/* What a check answered: the state on success, else -1 with the error. */
typedef struct answer {
    int state;
    qd_trust_result result;
    qd_status st;
    qd_error err;
} answer;

static answer check(const qd_trust *t, const void *wasm, size_t n, const json_t *manifest, const json_t *signature)
{
    answer a = {.state = -1, .err = QD_ERROR_INIT};
    a.st = qd_trust_check(t, wasm, n, manifest, signature, &a.result, &a.err);
    if (a.st == QD_OK)
        a.state = (int)a.result.state;
    return a;
}

static answer check_plain(const qd_trust *t, const json_t *signature)
{
    return check(t, MODULE, sizeof MODULE, f.manifest, signature);
}

#define assert_refused(answer_, message_)                                                                              \
    do {                                                                                                               \
        answer got = (answer_);                                                                                        \
        assert_int_equal(got.state, -1);                                                                               \
        assert_failed_with(got.st, &got.err, QD_EUDF_SIGNATURE, message_);                                             \
        assert_string_equal(got.err.field, "signature");                                                               \
    } while (0)

static const char *did_not_sign(const qd_sign_key *key, const char *name)
{
    static char text[256];
    snprintf(text, sizeof text,
             "signature: key %s ('%s') did not sign this module with this manifest: something was changed after it was "
             "signed, or the signature belongs to something else",
             qd_sign_key_id(key), name);
    return text;
}

/* The module with a custom section "quidditch.signature" of this content before the byte at `at`. */
static void insert_section(const void *wasm, size_t n, size_t at, qd_str content, qd_buf *out)
{
    static const char NAME[] = "quidditch.signature";
    size_t body = 1 + sizeof NAME - 1 + content.n;
    qd_buf_init(out, 1 << 20);
    qd_buf_add(out, wasm, at);
    qd_buf_add(out, "", 1);
    for (size_t v = body; v > 0; v >>= 7)
        qd_buf_add_char(out, (char)((v & 0x7F) | (v >> 7 ? 0x80 : 0)));
    qd_buf_add_char(out, (char)(sizeof NAME - 1));
    qd_buf_add(out, NAME, sizeof NAME - 1);
    qd_buf_add_str(out, content);
    qd_buf_add(out, (const char *)wasm + at, n - at);
    assert_false(out->failed);
}

static void write_signature(const qd_signature *s, qd_buf *out)
{
    qd_buf_init(out, QD_SIGNATURE_MAX_JSON_BYTES);
    qd_signature_write(s, out);
    assert_false(out->failed);
}

/* ---- what is signed ---------------------------------------------------------------------------------------------- */

static void test_text__is_what_the_documentation_says(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    char text[QD_SIGNATURE_TEXT_SIZE], expected[QD_SIGNATURE_TEXT_SIZE], module[QD_SHA256_HEX_SIZE],
        manifest[QD_SHA256_HEX_SIZE];
    static const char CANONICAL[] =
        "{\"limits\":{\"call_ms\":2,\"memory_bytes\":1},\"name\":\"f\",\"tags\":[\"b\",\"a\"],\"version\":\"1.0.0\"}";
    json_t *with = json_copy(f.manifest);
    json_object_set_new(with, "signature", json_string("not part of it"));
    assert_true(qd_hash_sha256_hex(MODULE, sizeof MODULE, module));
    assert_true(qd_hash_sha256_hex(CANONICAL, sizeof CANONICAL - 1, manifest));
    snprintf(expected, sizeof expected, "quidditch-udf-v1\n%s\n%s\n", module, manifest);
    assert_status_ok(qd_signature_text(MODULE, sizeof MODULE, f.manifest, text, &err), &err);
    assert_string_equal(text, expected);
    assert_status_ok(qd_signature_text(MODULE, sizeof MODULE, with, text, &err), &err);
    assert_string_equal(text, expected);
    assert_non_null(json_object_get(with, "signature")); /* borrowed, not changed */
    json_decref(with);

    assert_status_ok(qd_signature_native_text(MODULE, sizeof MODULE, "code", 4, text, &err), &err);
    assert_true(qd_hash_sha256_hex("code", 4, manifest));
    snprintf(expected, sizeof expected, "quidditch-aot-v1\n%s\n%s\n", module, manifest);
    assert_string_equal(text, expected);
}

/* ---- policies ---------------------------------------------------------------------------------------------------- */

static void test_check__policies__are_those_of_the_table(void **state)
{
    (void)state;
    json_t *good = signed_by(f.ed), *unknown = signed_by(f.stranger), *wrong = json_deep_copy(good),
           *no_signature = json_string("yes");
    json_object_set_new(wrong, "key_id", json_string(qd_sign_key_id(f.ed)));
    json_object_set(wrong, "signature", json_object_get(unknown, "signature"));
    char missing[128], untrusted[128];
    snprintf(missing, sizeof missing,
             "signature: missing: functions must be signed by a trusted key (`qctl udf sign`)");
    snprintf(untrusted, sizeof untrusted, "signature: key %s is not among the trusted ones (trust.keys)",
             qd_sign_key_id(f.stranger));

    const json_t *const all[] = {NULL, unknown, wrong, good, no_signature};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(check_plain(f.off, all[i]).state, QD_TRUST_UNCHECKED);
        assert_int_equal(check_plain(NULL, all[i]).state, QD_TRUST_UNCHECKED);
    }
    assert_int_equal(check_plain(f.warn, NULL).state, QD_TRUST_UNSIGNED);
    assert_int_equal(check_plain(f.warn, unknown).state, QD_TRUST_UNTRUSTED);
    assert_int_equal(check_plain(f.warn, good).state, QD_TRUST_VALID);
    assert_refused(check_plain(f.warn, wrong), did_not_sign(f.ed, "release"));
    assert_refused(check_plain(f.warn, no_signature),
                   "signature: expected an object with algorithm, key_id and signature, got a string");
    assert_refused(check_plain(f.require, NULL), missing);
    assert_refused(check_plain(f.require, unknown), untrusted);
    assert_refused(check_plain(f.require, wrong), did_not_sign(f.ed, "release"));
    assert_int_equal(check_plain(f.require, good).state, QD_TRUST_VALID);
    json_decref(good);
    json_decref(unknown);
    json_decref(wrong);
    json_decref(no_signature);
}

static void test_check__both_algorithms__name_the_signer(void **state)
{
    (void)state;
    char text[QD_TRUST_TEXT_SIZE], expected[QD_TRUST_TEXT_SIZE];
    const struct {
        const qd_sign_key *key;
        const char *name;
    } CASES[] = {{f.ed, "release"}, {f.ec, "ci"}};
    for (size_t i = 0; i < 2; i++) {
        json_t *s = signed_by(CASES[i].key);
        answer a = check_plain(f.require, s);
        assert_int_equal(a.state, QD_TRUST_VALID);
        assert_string_equal(a.result.signer, CASES[i].name);
        assert_string_equal(a.result.key_id, qd_sign_key_id(CASES[i].key));
        snprintf(expected, sizeof expected, "signed by '%s' (key %s)", CASES[i].name, a.result.key_id);
        assert_string_equal(qd_trust_describe(&a.result, text), expected);
        json_decref(s);
    }
    json_t *s = signed_by(f.stranger);
    answer a = check_plain(f.warn, s);
    snprintf(expected, sizeof expected, "signed by the unknown key %s", qd_sign_key_id(f.stranger));
    assert_string_equal(qd_trust_describe(&a.result, text), expected);
    assert_string_equal(a.result.signer, "");
    a = check_plain(f.warn, NULL);
    assert_string_equal(qd_trust_describe(&a.result, text), "not signed");
    a = check_plain(f.off, s);
    assert_string_equal(qd_trust_describe(&a.result, text), "signature not checked");
    json_decref(s);
}

/* ---- what was changed -------------------------------------------------------------------------------------------- */

static void test_check__any_byte_of_the_module__counts(void **state)
{
    (void)state;
    json_t *s = signed_by(f.ed);
    uint8_t changed[sizeof MODULE];
    memcpy(changed, MODULE, sizeof changed);
    for (size_t i = 0; i < sizeof changed; i++) {
        changed[i] ^= 0x40;
        assert_refused(check(f.require, changed, sizeof changed, f.manifest, s), did_not_sign(f.ed, "release"));
        changed[i] ^= 0x40;
    }
    assert_refused(check(f.require, MODULE, sizeof MODULE - 1, f.manifest, s), did_not_sign(f.ed, "release"));
    assert_int_equal(check(f.require, changed, sizeof changed, f.manifest, s).state, QD_TRUST_VALID);
    json_decref(s);
}

static void test_check__any_change_of_the_manifest__counts(void **state)
{
    (void)state;
    static const char *const CHANGED[] = {
        "{\"version\":\"1.0.1\",\"name\":\"f\",\"tags\":[\"b\",\"a\"],\"limits\":{\"memory_bytes\":1,\"call_ms\":2}}",
        "{\"version\":\"1.0.0\",\"name\":\"g\",\"tags\":[\"b\",\"a\"],\"limits\":{\"memory_bytes\":1,\"call_ms\":2}}",
        "{\"version\":\"1.0.0\",\"name\":\"f\",\"tags\":[\"a\",\"b\"],\"limits\":{\"memory_bytes\":1,\"call_ms\":2}}",
        "{\"version\":\"1.0.0\",\"name\":\"f\",\"tags\":[\"b\",\"a\"],\"limits\":{\"memory_bytes\":1,\"call_ms\":3}}",
        "{\"version\":\"1.0.0\",\"name\":\"f\",\"tags\":[\"b\",\"a\"],\"limits\":{\"memory_bytes\":1.0,\"call_ms\":2}}",
        "{\"version\":\"1.0.0\",\"name\":\"f\",\"tags\":[\"b\",\"a\"],\"limits\":{\"memory_bytes\":1,\"call_ms\":2},"
        "\"permissions\":[\"clock\"]}",
        "{\"version\":\"1.0.0\",\"name\":\"f\",\"tags\":[\"b\",\"a\"]}",
        "{}",
    };
    json_t *s = signed_by(f.ec);
    for (size_t i = 0; i < sizeof CHANGED / sizeof *CHANGED; i++) {
        json_t *manifest = parse(CHANGED[i]);
        assert_refused(check(f.require, MODULE, sizeof MODULE, manifest, s), did_not_sign(f.ec, "ci"));
        json_decref(manifest);
    }
    /* Order and spaces are not part of it. */
    json_t *same = parse("{ \"limits\": {\"call_ms\":2, \"memory_bytes\":1}, \"tags\":[\"b\",\"a\"], \"name\":\"f\", "
                         "\"version\":\"1.0.0\"}");
    assert_int_equal(check(f.require, MODULE, sizeof MODULE, same, s).state, QD_TRUST_VALID);
    json_decref(same);
    json_decref(s);
}

static void test_check__signatures_of_two_versions_swapped__are_refused(void **state)
{
    (void)state;
    json_t *next = json_deep_copy(f.manifest);
    json_object_set_new(next, "version", json_string("2.0.0"));
    qd_signature two = sign(f.ed, MODULE, sizeof MODULE, next);
    json_t *of_one = signed_by(f.ed), *of_two = json_of(&two);
    assert_int_equal(check(f.require, MODULE, sizeof MODULE, next, of_two).state, QD_TRUST_VALID);
    assert_refused(check(f.require, MODULE, sizeof MODULE, f.manifest, of_two), did_not_sign(f.ed, "release"));
    assert_refused(check(f.require, MODULE, sizeof MODULE, next, of_one), did_not_sign(f.ed, "release"));
    json_decref(next);
    json_decref(of_one);
    json_decref(of_two);
}

static void test_check__another_algorithm_or_key_than_said__is_refused(void **state)
{
    (void)state;
    char expected[200];
    json_t *s = signed_by(f.ed);
    json_object_set_new(s, "algorithm", json_string("ecdsa-p256"));
    snprintf(expected, sizeof expected, "signature: it says ecdsa-p256, but key %s ('release') is an ed25519 key",
             qd_sign_key_id(f.ed));
    assert_refused(check_plain(f.require, s), expected);
    json_object_set_new(s, "key_id", json_string(qd_sign_key_id(f.ec)));
    assert_refused(check_plain(f.require, s), did_not_sign(f.ec, "ci"));
    json_decref(s);
}

static void test_check__a_malformed_signature__is_refused_by_the_member(void **state)
{
    (void)state;
    static const char BASE64[] = "signature: 'signature': expected base64 (RFC 4648, with padding) of at most 72 bytes";
    static const struct {
        const char *json, *message;
    } CASES[] = {
        {"{}", "signature: 'algorithm': expected ed25519 or ecdsa-p256"},
        {"{\"algorithm\":5}", "signature: 'algorithm': expected a string, got the number 5"},
        {"{\"algorithm\":\"rsa\",\"key_id\":\"0123456789abcdef\",\"signature\":\"AAAA\"}",
         "signature: 'algorithm': expected ed25519 or ecdsa-p256"},
        {"{\"algorithm\":\"ed25519\",\"signature\":\"AAAA\"}",
         "signature: 'key_id': expected 16 lower-case hex digits"},
        {"{\"algorithm\":\"ed25519\",\"key_id\":\"0123456789ABCDEF\",\"signature\":\"AAAA\"}",
         "signature: 'key_id': expected 16 lower-case hex digits"},
        {"{\"algorithm\":\"ed25519\",\"key_id\":\"0123456789abcdef0\",\"signature\":\"AAAA\"}",
         "signature: 'key_id': expected 16 lower-case hex digits"},
        {"{\"algorithm\":\"ed25519\",\"key_id\":\"0123456789abcdef\"}", BASE64},
        {"{\"algorithm\":\"ed25519\",\"key_id\":\"0123456789abcdef\",\"signature\":\"AAA\"}", BASE64},
        {"{\"algorithm\":\"ed25519\",\"key_id\":\"0123456789abcdef\",\"signature\":\"AAA*\"}", BASE64},
        {"{\"algorithm\":\"ed25519\",\"key_id\":\"0123456789abcdef\",\"signature\":\"AAAA\",\"x\":1}",
         "signature: unknown member 'x'; expected only 'algorithm', 'key_id', 'signature'"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        json_t *s = parse(CASES[i].json);
        assert_refused(check_plain(f.warn, s), CASES[i].message);
        json_decref(s);
    }
    /* A whole signature cut at each place: too short is not base64, or not the signature. */
    json_t *s = signed_by(f.ed);
    char text[128];
    snprintf(text, sizeof text, "%s", json_string_value(json_object_get(s, "signature")));
    for (size_t n = strlen(text); n-- > 0;) {
        text[n] = '\0';
        json_object_set_new(s, "signature", json_string(text));
        answer a = check_plain(f.warn, s);
        assert_string_equal(a.err.message, n % 4 || n == 0 ? BASE64 : did_not_sign(f.ed, "release"));
    }
    char long_one[2048];
    memset(long_one, 'A', sizeof long_one);
    json_object_set_new(s, "signature", json_stringn(long_one, sizeof long_one));
    assert_refused(check_plain(f.warn, s), BASE64);
    json_decref(s);
}

/* ---- inside the module ------------------------------------------------------------------------------------------- */

static void test_check__a_section_anywhere__is_found_and_left_out_of_the_hash(void **state)
{
    (void)state;
    static const size_t PLACES[] = {MEMORY_AT, CODE_AT, sizeof MODULE};
    qd_signature s = sign(f.ed, MODULE, sizeof MODULE, f.manifest);
    qd_buf content, module;
    write_signature(&s, &content);
    for (size_t i = 0; i < 3; i++) {
        insert_section(MODULE, sizeof MODULE, PLACES[i], qd_buf_str(&content), &module);
        assert_int_equal(check(f.require, module.p, module.n, f.manifest, NULL).state, QD_TRUST_VALID);
        module.p[module.n - 1] ^= 1; /* of the section, or of what stands behind it */
        assert_int_equal(check(f.require, module.p, module.n, f.manifest, NULL).state, -1);
        qd_buf_deinit(&module);
    }
    qd_buf_deinit(&content);
}

static void test_embed__puts_it_at_the_end_once(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_signature first = sign(f.stranger, MODULE, sizeof MODULE, f.manifest),
                 second = sign(f.ec, MODULE, sizeof MODULE, f.manifest);
    qd_buf once, twice;
    qd_buf_init(&once, 1 << 20);
    qd_buf_init(&twice, 1 << 20);
    assert_status_ok(qd_signature_embed(MODULE, sizeof MODULE, &first, &once, &err), &err);
    assert_memory_equal(once.p, MODULE, sizeof MODULE);
    assert_int_equal(check(f.warn, once.p, once.n, f.manifest, NULL).state, QD_TRUST_UNTRUSTED);
    assert_status_ok(qd_signature_embed((const uint8_t *)once.p, once.n, &second, &twice, &err), &err);
    assert_int_equal(check(f.require, twice.p, twice.n, f.manifest, NULL).state, QD_TRUST_VALID);
    /* Signing what is signed covers the same bytes. */
    qd_signature again = sign(f.ed, twice.p, twice.n, f.manifest),
                 plain = sign(f.ed, MODULE, sizeof MODULE, f.manifest);
    assert_memory_equal(again.bytes, plain.bytes, plain.n);
    qd_buf_deinit(&once);
    qd_buf_deinit(&twice);
}

static void test_check__two_sections__are_refused(void **state)
{
    (void)state;
    static const char TWO[] = "the module holds more than one section 'quidditch.signature': leave one";
    qd_signature s = sign(f.ed, MODULE, sizeof MODULE, f.manifest);
    qd_buf content, once, twice;
    write_signature(&s, &content);
    insert_section(MODULE, sizeof MODULE, CODE_AT, qd_buf_str(&content), &once);
    insert_section(once.p, once.n, once.n, qd_buf_str(&content), &twice);
    assert_refused(check(f.warn, twice.p, twice.n, f.manifest, NULL), TWO);
    /* Beside a detached one too: what is signed must be one thing. */
    json_t *detached = signed_by(f.ed);
    assert_refused(check(f.warn, twice.p, twice.n, f.manifest, detached), TWO);
    assert_int_equal(check(f.require, once.p, once.n, f.manifest, detached).state, QD_TRUST_VALID);
    json_decref(detached);
    qd_buf_deinit(&content);
    qd_buf_deinit(&once);
    qd_buf_deinit(&twice);
}

static void test_check__a_section_of_nonsense__is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *content, *message;
    } CASES[] = {
        {"", "the module's section 'quidditch.signature': signature: malformed JSON at line 1, column 1: the text is "
             "empty"},
        {"[]", "the module's section 'quidditch.signature': signature: expected an object with algorithm, key_id and "
               "signature, got an array"},
        {"{}", "the module's section 'quidditch.signature': signature: 'algorithm': expected ed25519 or ecdsa-p256"},
    };
    qd_buf module;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        insert_section(MODULE, sizeof MODULE, CODE_AT, qd_str_of(CASES[i].content), &module);
        assert_refused(check(f.warn, module.p, module.n, f.manifest, NULL), CASES[i].message);
        qd_buf_deinit(&module);
    }
    char *big = malloc(QD_SIGNATURE_MAX_JSON_BYTES + 1);
    memset(big, ' ', QD_SIGNATURE_MAX_JSON_BYTES + 1);
    insert_section(MODULE, sizeof MODULE, CODE_AT, (qd_str){big, QD_SIGNATURE_MAX_JSON_BYTES + 1}, &module);
    assert_refused(
        check(f.warn, module.p, module.n, f.manifest, NULL),
        "the module's section 'quidditch.signature': signature: 1025 bytes of JSON; at most 1024 are expected");
    qd_buf_deinit(&module);
    free(big);
}

static void test_check__bytes_that_are_no_module__are_unsigned_or_refused(void **state)
{
    (void)state;
    qd_signature s = sign(f.ed, MODULE, sizeof MODULE, f.manifest);
    qd_buf content, module;
    write_signature(&s, &content);
    insert_section(MODULE, sizeof MODULE, CODE_AT, qd_buf_str(&content), &module);
    for (size_t n = 0; n < module.n; n++) { /* cut anywhere */
        answer a = check(f.warn, module.p, n, f.manifest, NULL);
        assert_true(a.state == -1 || a.state == QD_TRUST_UNSIGNED);
    }
    qd_buf_deinit(&content);
    qd_buf_deinit(&module);
}

/* ---- ahead-of-time code ------------------------------------------------------------------------------------------ */

static answer check_native(const qd_trust *t, const char *code, const json_t *signature)
{
    answer a = {.state = -1, .err = QD_ERROR_INIT};
    a.st = qd_trust_check_native(t, MODULE, sizeof MODULE, code, strlen(code), signature, &a.result, &a.err);
    if (a.st == QD_OK)
        a.state = (int)a.result.state;
    return a;
}

static void test_check_native__under_every_policy__wants_a_trusted_key(void **state)
{
    (void)state;
    char text[QD_SIGNATURE_TEXT_SIZE], expected[256];
    qd_error err = QD_ERROR_INIT;
    qd_signature good, unknown;
    qd_trust *no_keys = NULL;
    assert_status_ok(qd_signature_native_text(MODULE, sizeof MODULE, "code", 4, text, &err), &err);
    assert_status_ok(qd_signature_make(f.ec, text, &good, &err), &err);
    assert_status_ok(qd_signature_make(f.stranger, text, &unknown, &err), &err);
    assert_status_ok(qd_trust_open("off", "", &no_keys, &err), &err);
    json_t *s = json_of(&good), *other = json_of(&unknown), *of_module = signed_by(f.ec);
    const qd_trust *const all[] = {f.off, f.warn, f.require};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(check_native(all[i], "code", s).state, QD_TRUST_VALID);
        assert_refused(check_native(all[i], "code", NULL), "signature: missing: ahead-of-time code must be signed by a "
                                                           "trusted key (`qctl udf sign`)");
        snprintf(expected, sizeof expected, "signature: key %s is not among the trusted ones (trust.keys)",
                 qd_sign_key_id(f.stranger));
        assert_refused(check_native(all[i], "code", other), expected);
        snprintf(expected, sizeof expected,
                 "signature: key %s ('ci') did not sign this ahead-of-time code of this module: something was changed "
                 "after it was signed, or the signature belongs to something else",
                 qd_sign_key_id(f.ec));
        assert_refused(check_native(all[i], "cod3", s), expected);
        assert_refused(check_native(all[i], "code", of_module), expected); /* that of the function is another text */
    }
    assert_refused(check_native(no_keys, "code", s),
                   "signature: ahead-of-time code runs only when a trusted key signed "
                   "it, and trust.keys names none");
    assert_int_equal(check_native(NULL, "code", s).state, -1);
    assert_refused(check_plain(f.require, s), did_not_sign(f.ec, "ci"));
    qd_trust_close(no_keys);
    json_decref(s);
    json_decref(other);
    json_decref(of_module);
}

/* ---- keys -------------------------------------------------------------------------------------------------------- */

static void expect_open_fails(const char *policy, const char *keys, qd_status code, const char *message)
{
    qd_error err = QD_ERROR_INIT;
    qd_trust *t = NULL;
    qd_status st = qd_trust_open(policy, keys, &t, &err);
    assert_failed_with(st, &err, code, message);
    assert_null(t);
}

static void test_open__a_directory__takes_its_pem_files_each_key_once(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_trust *t = NULL;
    char path[128], keys[256];
    snprintf(path, sizeof path, "%s/again.pem", f.dir.path);
    write_key(f.ed, path);
    snprintf(path, sizeof path, "%s/README", f.dir.path);
    write_file(path, QD_STR("no key"));
    snprintf(path, sizeof path, "%s/.hidden.pem", f.dir.path);
    write_file(path, QD_STR("no key"));
    snprintf(keys, sizeof keys, ",%s,,%s", f.dir.path, f.ed_path);
    assert_status_ok(qd_trust_open("warn", keys, &t, &err), &err);
    assert_int_equal(qd_trust_count(t), 2);
    assert_int_equal(qd_trust_policy_of(t), QD_TRUST_WARN);
    json_t *s = signed_by(f.ed);
    answer a = check_plain(t, s);
    assert_string_equal(a.result.signer, "again"); /* files in order of their names */
    json_decref(s);
    qd_trust_close(t);
}

static void test_open__bad_configuration__names_the_thing(void **state)
{
    (void)state;
    char path[128], message[512];
    expect_open_fails("maybe", "", QD_EINVAL, "trust.policy: expected off, warn or require, got 'maybe'");
    expect_open_fails("require", "", QD_EINVAL,
                      "trust.policy is require, but trust.keys names no key: no function could be registered");
    snprintf(path, sizeof path, "%s/none.pem", f.dir.path);
    snprintf(message, sizeof message, "trusted key '%s': cannot be read: No such file or directory", path);
    expect_open_fails("off", path, QD_EIO, message);
    snprintf(path, sizeof path, "%s/bad.pem", f.dir.path);
    write_file(path, QD_STR("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"));
    snprintf(message, sizeof message, "trusted key '%s': the PEM block is damaged, or no key that OpenSSL understands",
             path);
    expect_open_fails("off", path, QD_EINVAL, message);
    expect_open_fails("off", f.dir.path, QD_EINVAL, message);
    snprintf(path, sizeof path, "%s/fifo.pem", f.dir.path);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(message, sizeof message, "trusted key '%s': expected a file", path);
    expect_open_fails("off", path, QD_EINVAL, message); /* without waiting for a writer */
    assert_int_equal(chmod(f.ed_path, 0666), 0);
    snprintf(message, sizeof message, "trusted key '%s': every user may write to it; take that right away (chmod o-w)",
             f.ed_path);
    expect_open_fails("off", f.ed_path, QD_EINVAL, message);
}

static void test_keys__many__are_found_by_id(void **state)
{
    (void)state;
    enum { N = 40 };
    qd_sign_key *made[N];
    qd_trusted_keys k = {0};
    qd_error err = QD_ERROR_INIT;
    for (size_t i = 0; i < N; i++) {
        char path[128];
        assert_status_ok(qd_sign_key_generate(QD_SIGN_ED25519, &made[i], &err), &err);
        snprintf(path, sizeof path, "%s/k%zu.pem", f.dir.path, i);
        write_key(made[i], path);
        assert_status_ok(qd_trusted_keys_load(&k, qd_str_of(path), &err), &err);
    }
    assert_int_equal(k.n, N);
    for (size_t i = 0; i < N; i++) {
        const qd_trusted_key *found = qd_trusted_keys_find(&k, qd_sign_key_id(made[i]));
        char name[16];
        assert_non_null(found);
        snprintf(name, sizeof name, "k%zu", i);
        assert_string_equal(found->name, name);
        qd_sign_key_free(made[i]);
    }
    assert_null(qd_trusted_keys_find(&k, "ffffffffffffffff"));
    qd_trusted_keys_deinit(&k);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_text__is_what_the_documentation_says),
        TEST(test_check__policies__are_those_of_the_table),
        TEST(test_check__both_algorithms__name_the_signer),
        TEST(test_check__any_byte_of_the_module__counts),
        TEST(test_check__any_change_of_the_manifest__counts),
        TEST(test_check__signatures_of_two_versions_swapped__are_refused),
        TEST(test_check__another_algorithm_or_key_than_said__is_refused),
        TEST(test_check__a_malformed_signature__is_refused_by_the_member),
        TEST(test_check__a_section_anywhere__is_found_and_left_out_of_the_hash),
        TEST(test_embed__puts_it_at_the_end_once),
        TEST(test_check__two_sections__are_refused),
        TEST(test_check__a_section_of_nonsense__is_refused),
        TEST(test_check__bytes_that_are_no_module__are_unsigned_or_refused),
        TEST(test_check_native__under_every_policy__wants_a_trusted_key),
        TEST(test_open__a_directory__takes_its_pem_files_each_key_once),
        TEST(test_open__bad_configuration__names_the_thing),
        TEST(test_keys__many__are_found_by_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
