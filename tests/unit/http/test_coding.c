/* SPDX-License-Identifier: Apache-2.0 */
#include "http/coding.h"

#include <stdlib.h>
#include <zlib.h>

#include "cmocka_qd.h"

#define GZIP_BITS (15 + 16)

/* What a client would send. */
static void pack(qd_str plain, int window_bits, qd_buf *out)
{
    z_stream z = {.next_in = (Bytef *)plain.p, .avail_in = (uInt)plain.n};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_true(qd_buf_reserve(out, deflateBound(&z, plain.n)));
    z.next_out = (Bytef *)out->p + out->n;
    z.avail_out = (uInt)(out->cap - out->n);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    out->n = out->cap - z.avail_out;
    deflateEnd(&z);
}

static char *zeros(size_t n)
{
    char *p = calloc(1, n);
    assert_non_null(p);
    return p;
}

static void test_parse__names(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        bool is_known;
        qd_coding coding;
    } CASES[] = {
        {"", true, QD_CODING_NONE},
        {"identity", true, QD_CODING_NONE},
        {"gzip", true, QD_CODING_GZIP},
        {" GZip\t", true, QD_CODING_GZIP},
        {"x-gzip", true, QD_CODING_GZIP},
        {"deflate", true, QD_CODING_DEFLATE},
        {"br", false, 0},
        {"gzip, gzip", false, 0},
        {"gzi", false, 0},
        {"gzipp", false, 0},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        qd_coding coding = QD_CODING_NONE;
        assert_int_equal(qd_coding_parse(qd_str_of(CASES[i].header), &coding), CASES[i].is_known);
        assert_int_equal(coding, CASES[i].coding);
    }
}

static void test_wants_gzip__by_name_and_weight(void **state)
{
    (void)state;
    static const char *const YES[] = {
        "gzip",   "deflate, gzip", "gzip;q=0.001", "*", "br;q=1.0, GZIP ; q=0.5", "identity, *;q=0.1",
        "x-gzip", "gzip;x=0",      "*;q=0,gzip"};
    static const char *const NO[] = {"",  "identity", "gzip;q=0",    "gzip; q=0.000", "br, deflate",  "*;q=0",
                                     ",", ";",        "*, gzip;q=0", "gzipped",       "gzip ;; q = 0"};
    for (size_t i = 0; i < sizeof YES / sizeof *YES; i++)
        assert_true(qd_coding_wants_gzip(qd_str_of(YES[i])));
    for (size_t i = 0; i < sizeof NO / sizeof *NO; i++)
        assert_false(qd_coding_wants_gzip(qd_str_of(NO[i])));
}

static void test_unpack__each_coding__gives_the_body(void **state)
{
    (void)state;
    static const struct {
        int window_bits;
        qd_coding coding;
    } CASES[] = {{GZIP_BITS, QD_CODING_GZIP}, {15, QD_CODING_DEFLATE}, {-15, QD_CODING_DEFLATE}};
    const size_t sizes[] = {0, 1, 1000, QD_UNPACK_STEP_BYTES, 300001};
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            char *plain = zeros(sizes[k] + 1);
            for (size_t at = 0; at < sizes[k]; at++)
                plain[at] = (char)(at * at >> 3);
            qd_buf packed, out;
            qd_error err = QD_ERROR_INIT;
            qd_buf_init(&packed, 1 << 20);
            qd_buf_init(&out, sizes[k]); /* and not a byte more */
            pack((qd_str){plain, sizes[k]}, CASES[i].window_bits, &packed);
            assert_status_ok(qd_unpack(CASES[i].coding, qd_buf_str(&packed), &out, NULL, NULL, &err), &err);
            assert_int_equal(out.n, sizes[k]);
            if (out.n)
                assert_memory_equal(out.p, plain, out.n);
            qd_buf_deinit(&packed);
            qd_buf_deinit(&out);
            free(plain);
        }
    }
}

static void test_unpack__members__follow_each_other(void **state)
{
    (void)state;
    qd_buf packed, out;
    qd_error err = QD_ERROR_INIT;
    qd_buf_init(&packed, 1 << 20);
    qd_buf_init(&out, 100);
    pack(QD_STR("one "), GZIP_BITS, &packed);
    pack(QD_STR(""), GZIP_BITS, &packed);
    pack(QD_STR("two"), GZIP_BITS, &packed);
    assert_status_ok(qd_unpack(QD_CODING_GZIP, qd_buf_str(&packed), &out, NULL, NULL, &err), &err);
    assert_str_equal(qd_buf_str(&out), "one two");
    qd_buf_deinit(&packed);
    qd_buf_deinit(&out);
}

/* 20 MB of zeros in 20 KB: no more memory than the bound. */
static void test_unpack__bomb__stops_at_the_bound(void **state)
{
    (void)state;
    const size_t n = 20 << 20, bound = (1 << 20) + 77;
    char *plain = zeros(n);
    qd_buf packed, out;
    qd_error err = QD_ERROR_INIT;
    qd_buf_init(&packed, 2 * n);
    qd_buf_init(&out, bound);
    pack((qd_str){plain, n}, GZIP_BITS, &packed);
    assert_true(packed.n < 25000);
    assert_failed_with(qd_unpack(QD_CODING_GZIP, qd_buf_str(&packed), &out, NULL, NULL, &err), &err, QD_ETOOLARGE,
                       "the request body has more than 1048653 bytes when it is unpacked");
    assert_true(out.cap <= bound);
    qd_buf_deinit(&packed);
    qd_buf_deinit(&out);
    free(plain);
}

static void test_unpack__one_byte_over__is_too_large(void **state)
{
    (void)state;
    for (size_t bound = 0; bound < 12; bound++) {
        qd_buf packed, out;
        qd_error err = QD_ERROR_INIT;
        qd_buf_init(&packed, 1000);
        qd_buf_init(&out, bound);
        pack(QD_STR("0123456789"), GZIP_BITS, &packed);
        assert_int_equal(qd_unpack(QD_CODING_GZIP, qd_buf_str(&packed), &out, NULL, NULL, &err),
                         bound < 10 ? QD_ETOOLARGE : QD_OK);
        assert_true(out.n <= bound);
        qd_buf_deinit(&packed);
        qd_buf_deinit(&out);
    }
}

static void test_unpack__each_cut_and_each_changed_byte__is_an_error_or_the_same(void **state)
{
    (void)state;
    static const struct {
        int window_bits;
        qd_coding coding;
        size_t checked_from; /* header bytes before it (time, system) may be anything */
    } CASES[] = {{GZIP_BITS, QD_CODING_GZIP, 10}, {15, QD_CODING_DEFLATE, 2}};
    const qd_str plain = QD_STR("{\"query\": {\"match\": {\"title\": \"broom broom broom\"}}}");
    for (size_t i = 0; i < 2; i++) {
        qd_buf packed, out;
        qd_error err = QD_ERROR_INIT;
        qd_buf_init(&packed, 1000);
        qd_buf_init(&out, 1000);
        pack(plain, CASES[i].window_bits, &packed);
        for (size_t n = 0; n < packed.n; n++) {
            qd_buf_clear(&out);
            assert_int_equal(qd_unpack(CASES[i].coding, (qd_str){packed.p, n}, &out, NULL, NULL, &err), QD_EINVAL);
            assert_non_null(strstr(err.message, "the request body ends before its "));
        }
        for (size_t at = CASES[i].checked_from; at < packed.n; at++) {
            packed.p[at] ^= 0x10;
            qd_buf_clear(&out);
            qd_status st = qd_unpack(CASES[i].coding, qd_buf_str(&packed), &out, NULL, NULL, &err);
            if (st == QD_OK) /* the last bits before the checksum are padding */
                assert_str_equal(qd_buf_str(&out), plain.p);
            else
                assert_true(st == QD_EINVAL || st == QD_ETOOLARGE);
            packed.p[at] ^= 0x10;
        }
        qd_buf_deinit(&packed);
        qd_buf_deinit(&out);
    }
}

static void test_unpack__what_is_no_gzip__is_told(void **state)
{
    (void)state;
    qd_buf packed, out;
    qd_error err = QD_ERROR_INIT;
    qd_buf_init(&packed, 1000);
    qd_buf_init(&out, 1000);
    assert_failed_with(qd_unpack(QD_CODING_GZIP, QD_STR("{\"query\": {}}"), &out, NULL, NULL, &err), &err, QD_EINVAL,
                       "the request body is not valid gzip (Content-Encoding), at byte 2: incorrect header check");
    pack(QD_STR("x"), GZIP_BITS, &packed);
    qd_buf_add_z(&packed, "no member");
    qd_buf_clear(&out);
    assert_int_equal(qd_unpack(QD_CODING_GZIP, qd_buf_str(&packed), &out, NULL, NULL, &err), QD_EINVAL);
    assert_non_null(strstr(err.message, "incorrect header check"));
    qd_buf_clear(&packed);
    qd_buf_clear(&out);
    pack(QD_STR("x"), 15, &packed);
    qd_buf_add_z(&packed, "behind");
    assert_int_equal(qd_unpack(QD_CODING_DEFLATE, qd_buf_str(&packed), &out, NULL, NULL, &err), QD_EINVAL);
    assert_non_null(strstr(err.message, "at byte 9: not the data that should be there"));
    qd_buf_deinit(&packed);
    qd_buf_deinit(&out);
}

static qd_status stop_at_200000(void *arg, const qd_buf *out, qd_error *err)
{
    ++*(int *)arg;
    return out->n < 200000 ? QD_OK : qd_fail(err, QD_ECANCELED, "enough");
}

static void test_unpack__check__stops_it(void **state)
{
    (void)state;
    char *plain = zeros(1 << 20);
    qd_buf packed, out;
    qd_error err = QD_ERROR_INIT;
    int n_asked = 0;
    qd_buf_init(&packed, 2 << 20);
    qd_buf_init(&out, 1 << 20);
    pack((qd_str){plain, 1 << 20}, GZIP_BITS, &packed);
    assert_failed_with(qd_unpack(QD_CODING_GZIP, qd_buf_str(&packed), &out, stop_at_200000, &n_asked, &err), &err,
                       QD_ECANCELED, "enough");
    assert_int_equal(n_asked, 4);
    assert_int_equal(out.n, 4 * QD_UNPACK_STEP_BYTES);
    qd_buf_deinit(&packed);
    qd_buf_deinit(&out);
    free(plain);
}

static void test_pack__text__comes_back_and_noise_is_left(void **state)
{
    (void)state;
    char text[5000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "{\"hits\": 17}\n"[i % 13];
    for (int level = 1; level <= 9; level++) {
        qd_buf packed, out;
        qd_error err = QD_ERROR_INIT;
        qd_buf_init(&packed, sizeof text);
        qd_buf_init(&out, sizeof text);
        assert_true(qd_pack_gzip((qd_str){text, sizeof text}, level, &packed));
        assert_true(packed.n < 200);
        assert_status_ok(qd_unpack(QD_CODING_GZIP, qd_buf_str(&packed), &out, NULL, NULL, &err), &err);
        assert_int_equal(out.n, sizeof text);
        assert_memory_equal(out.p, text, sizeof text);
        qd_buf_deinit(&packed);
        qd_buf_deinit(&out);
    }
    uint64_t random = 88172645463325252u;
    for (size_t i = 0; i < sizeof text; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        text[i] = (char)random;
    }
    qd_buf packed;
    qd_buf_init(&packed, sizeof text);
    assert_false(qd_pack_gzip((qd_str){text, sizeof text}, 3, &packed));
    assert_int_equal(packed.n, 0);
    assert_false(qd_pack_gzip(QD_STR(""), 3, &packed));
    qd_buf_deinit(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse__names),
        cmocka_unit_test(test_wants_gzip__by_name_and_weight),
        cmocka_unit_test(test_unpack__each_coding__gives_the_body),
        cmocka_unit_test(test_unpack__members__follow_each_other),
        cmocka_unit_test(test_unpack__bomb__stops_at_the_bound),
        cmocka_unit_test(test_unpack__one_byte_over__is_too_large),
        cmocka_unit_test(test_unpack__each_cut_and_each_changed_byte__is_an_error_or_the_same),
        cmocka_unit_test(test_unpack__what_is_no_gzip__is_told),
        cmocka_unit_test(test_unpack__check__stops_it),
        cmocka_unit_test(test_pack__text__comes_back_and_noise_is_left),
    };
    return cmocka_run_group_tests_name("coding", tests, NULL, NULL);
}
