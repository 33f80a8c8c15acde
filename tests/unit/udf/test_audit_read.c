/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit log listed, trimmed, damaged and forged. */
#include "audit_fixture.h"

/* ---- listing ----------------------------------------------------------------------------------------------------- */

/* 3,000 entries, one a second: functions f0 … f2 in turn, each 10th of version 2.0.0, each 100th a delete. */
static qd_audit *fill(void)
{
    enum { BATCH = 500 };
    qd_audit *a = open_audit(8 << 20);
    qd_audit_record records[BATCH];
    static const char *const NAMES[] = {"f0", "f1", "f2"};
    qd_error err = QD_ERROR_INIT;
    for (int i = 0; i < 3000; i += BATCH) {
        for (int k = 0; k < BATCH; k++) {
            int n = i + k;
            qd_audit_entry e = entry(n % 100 == 99 ? QD_AUDIT_DELETE : QD_AUDIT_REGISTER, NAMES[n % 3],
                                     n % 10 == 9 ? "2.0.0" : "1.0.0");
            e.actor = n % 2 ? QD_STR("alice") : QD_STR("bob");
            qd_audit_record_from(&e, &records[k]);
        }
        assert_status_ok(qd_audit_write(a, &(qd_audit_batch){.records = records, .n = BATCH}, &err), &err);
        now_ms += 1000; /* a batch has one time */
    }
    return a;
}

static void test_list__filters__count_and_page_newest_first(void **state)
{
    (void)state;
    const int64_t start = now_ms;
    qd_audit *a = fill();
    const struct {
        qd_audit_filter f;
        json_int_t total, first_seq;
        size_t count;
    } CASES[] = {
        {{.since_ms = INT64_MIN, .until_ms = INT64_MAX, .page = 1, .size = 7}, 3000, 3000, 7},
        {{.since_ms = INT64_MIN, .until_ms = INT64_MAX, .page = 3, .size = 1000}, 3000, 1000, 1000},
        {{.since_ms = INT64_MIN, .until_ms = INT64_MAX, .page = 4, .size = 1000}, 3000, 0, 0},
        {{.since_ms = INT64_MIN, .until_ms = INT64_MAX, .page = UINT32_MAX, .size = 1000}, 3000, 0, 0},
        {{.udf = QD_STR("f1"), .since_ms = INT64_MIN, .until_ms = INT64_MAX, .page = 1, .size = 1}, 1000, 2999, 1},
        {{.udf = QD_STR("f1@2.0.0"), .since_ms = INT64_MIN, .until_ms = INT64_MAX, .page = 2, .size = 60},
         100,
         1190,
         40},
        {{.udf = QD_STR("f"), .since_ms = INT64_MIN, .until_ms = INT64_MAX, .page = 1, .size = 1}, 0, 0, 0},
        {{.action = QD_AUDIT_DELETE, .since_ms = INT64_MIN, .until_ms = INT64_MAX, .page = 2, .size = 20},
         30,
         1000,
         10},
        {{.actor = QD_STR("alice"), .since_ms = INT64_MIN, .until_ms = INT64_MAX, .page = 1, .size = 2}, 1500, 3000, 2},
        {{.since_ms = start, .until_ms = start, .page = 1, .size = 1000}, 500, 500, 500},
        {{.since_ms = start + 1, .until_ms = start + 1000, .page = 1, .size = 10}, 500, 1000, 10},
        {{.since_ms = start + 5000, .until_ms = INT64_MAX, .page = 1, .size = 10}, 500, 3000, 10},
        {{.since_ms = start + 5001, .until_ms = INT64_MAX, .page = 1, .size = 10}, 0, 0, 0},
        {{.since_ms = INT64_MIN, .until_ms = start - 1, .page = 1, .size = 10}, 0, 0, 0},
        {{.since_ms = start + 2000, .until_ms = start + 1000, .page = 1, .size = 10}, 0, 0, 0},
        {{.action = QD_AUDIT_DELETE,
          .actor = QD_STR("alice"),
          .since_ms = start + 1000,
          .until_ms = start + 2000,
          .page = 1,
          .size = 1000},
         10,
         1500,
         10},
        {{.action = QD_AUDIT_DELETE,
          .actor = QD_STR("bob"),
          .since_ms = INT64_MIN,
          .until_ms = INT64_MAX,
          .page = 1,
          .size = 1000},
         0,
         0,
         0},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        json_t *v = list(a, &CASES[i].f);
        if (total(v) != CASES[i].total || count(v) != CASES[i].count ||
            (CASES[i].count && number(v, 0, "seq") != CASES[i].first_seq))
            fail_msg("case %zu: total %d, %zu entries, the first is %d", i, (int)total(v), count(v),
                     (int)number(v, 0, "seq"));
        for (size_t k = 1; k < count(v); k++)
            assert_true(number(v, k, "seq") < number(v, k - 1, "seq"));
        json_decref(v);
    }
    assert_intact(a, 3000);
    qd_audit_close(a);
}

static void test_list__pages__are_together_the_whole(void **state)
{
    (void)state;
    qd_audit *a = fill();
    json_int_t expected = 2996; /* f1: 2, 5, … 2999; of them alice's, the even numbers */
    qd_audit_filter f = {.udf = QD_STR("f1"),
                         .actor = QD_STR("alice"),
                         .since_ms = INT64_MIN,
                         .until_ms = INT64_MAX,
                         .page = 1,
                         .size = 33};
    for (size_t n = 1; n > 0; f.page++) {
        json_t *v = list(a, &f);
        n = count(v);
        for (size_t i = 0; i < n; i++, expected -= 6)
            assert_int_equal(number(v, i, "seq"), expected);
        json_decref(v);
    }
    assert_int_equal(expected, -4);
    qd_audit_close(a);
}

static void test_list__empty_log_and_bad_pages(void **state)
{
    (void)state;
    qd_audit *a = open_audit(1 << 20);
    json_t *v = list(a, NULL);
    assert_int_equal(total(v), 0);
    assert_int_equal(count(v), 0);
    json_decref(v);
    qd_audit_report r = verify(a);
    assert_true(r.is_intact);
    assert_int_equal(r.entries, 0);
    assert_string_equal(r.head, "");
    const qd_audit_filter BAD[] = {{.page = 0, .size = 1}, {.page = 1, .size = 0}, {.page = 1, .size = 1001}};
    for (size_t i = 0; i < 3; i++) {
        qd_error err = QD_ERROR_INIT;
        qd_json w = {0};
        qd_status st = qd_audit_list(a, &BAD[i], &w, &err);
        assert_failed_with(st, &err, QD_EINVAL, "page: expected 1 or more, and size 1 to 1000");
    }
    qd_audit_close(a);
}

/* ---- bounds ------------------------------------------------------------------------------------------------------ */

static void append_ten(qd_audit *a)
{
    qd_audit_record records[10];
    qd_error err = QD_ERROR_INIT;
    qd_audit_entry e = entry(QD_AUDIT_REGISTER, "f", "1.0.0");
    for (size_t i = 0; i < 10; i++)
        qd_audit_record_from(&e, &records[i]);
    assert_status_ok(qd_audit_write(a, &(qd_audit_batch){.records = records, .n = 10}, &err), &err);
}

static void test_trim__a_full_log__keeps_the_newest_in_one_chain(void **state)
{
    (void)state;
    qd_audit *a = open_audit(QD_AUDIT_MIN_BYTES);
    uint64_t most = 0;
    qd_audit_entry e = entry(QD_AUDIT_REGISTER, "f", "1.0.0");
    qd_audit_record r;
    qd_audit_record_from(&e, &r);
    const uint64_t each = qd_audit_record_bytes(&r);
    for (uint64_t n = 10; n <= 700; n += 10) {
        append_ten(a);
        qd_audit_report report = verify(a);
        assert_true(report.is_intact);
        most = report.entries > most ? report.entries : most;
        assert_int_equal(report.last_seq, n);
    }
    assert_true(most * each <= QD_AUDIT_MIN_BYTES);
    qd_audit_report before = verify(a);
    assert_true(before.first_seq > 1);
    assert_true(before.entries * each >= QD_AUDIT_MIN_BYTES / 8 * 7 - each);
    json_t *v = list(a, NULL);
    assert_int_equal(total(v), before.entries);
    json_decref(v);
    qd_audit_close(a);

    a = open_audit(QD_AUDIT_MIN_BYTES); /* the size is known again */
    for (int i = 0; i < 30; i++)
        append_ten(a);
    qd_audit_report after = verify(a);
    assert_true(after.is_intact);
    assert_true(after.first_seq > before.first_seq);
    assert_true(after.entries * each <= QD_AUDIT_MIN_BYTES);
    qd_audit_close(a);
}

static void test_open__too_little_room__is_refused(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_audit *a = NULL;
    qd_audit_options o = options();
    o.max_bytes = QD_AUDIT_MIN_BYTES - 1;
    qd_status st = qd_audit_open_with(open_in_dir, NULL, &o, &a, &err);
    assert_failed_with(st, &err, QD_EINVAL,
                       "the audit log: expected room for at least 65536 bytes (audit.max_bytes), got 65535");
    assert_null(a);
}

/* ---- damage ------------------------------------------------------------------------------------------------------ */

static size_t read_store(char **out)
{
    char path[128];
    snprintf(path, sizeof path, "%s/data.mdb", dir.path);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    size_t n = (size_t)ftell(file);
    rewind(file);
    *out = malloc(n);
    assert_int_equal(fread(*out, 1, n, file), n);
    fclose(file);
    return n;
}

static void write_store(const char *bytes, size_t n)
{
    char path[128];
    snprintf(path, sizeof path, "%s/data.mdb", dir.path);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    fclose(file);
}

static void test_verify__any_byte_changed_in_the_store__names_the_entry(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"first", "second", "third", "fourth"};
    char *good = NULL;
    qd_audit *a = open_audit(1 << 20);
    for (size_t i = 0; i < 4; i++)
        append(a, QD_AUDIT_REGISTER, NAMES[i], "1.0.0");
    qd_audit_close(a);
    size_t n = read_store(&good), found = 0;
    for (size_t at = 0; at + 6 < n; at++) {
        if (memcmp(good + at, "third1", 6) != 0) /* name and version stand side by side; old pages may hold a copy */
            continue;
        char *bad = malloc(n);
        memcpy(bad, good, n);
        bad[at] = 'T';
        write_store(bad, n);
        free(bad);
        a = open_audit(1 << 20);
        qd_audit_report r = verify(a);
        if (!r.is_intact) {
            found++;
            assert_int_equal(r.bad_seq, 3);
            assert_int_equal(r.entries, 2);
            assert_string_equal(r.reason, "its digest is not that of its content: it was changed");
            json_t *v = list(a, NULL);
            assert_int_equal(total(v), 4);
            assert_string_equal(member(v, 1, "name"), "Third");
            assert_true(json_is_true(json_object_get(json_array_get(json_object_get(v, "entries"), 1), "damaged")));
            assert_null(json_object_get(json_array_get(json_object_get(v, "entries"), 0), "damaged"));
            json_decref(v);
        }
        qd_audit_close(a);
        write_store(good, n);
    }
    assert_int_equal(found, 1);
    free(good);
}

/* Replaces a record of a closed log by writing it anew with what `change` makes of it. */
typedef struct copier {
    qd_log *to;
    uint64_t at;
    void (*change)(qd_audit_record *r);
    bool drop, raw;
} copier;

static bool copy_record(void *arg, uint64_t seq, qd_str data)
{
    copier *c = arg;
    char bytes[QD_AUDIT_RECORD_MAX];
    qd_audit_record r;
    qd_error err = QD_ERROR_INIT;
    assert_true(qd_audit_record_decode(seq, data, &r));
    if (seq == c->at && c->change)
        c->change(&r);
    qd_audit_record_encode(&r, bytes);
    qd_log_record record = {seq, {{bytes, seq == c->at && c->raw ? data.n / 2 : data.n}}};
    qd_log_batch batch = {.records = &record, .n = 1};
    assert_status_ok(qd_log_enqueue(c->to, &batch, &err), &err);
    assert_status_ok(qd_log_wait(c->to, &batch, &err), &err);
    return true;
}

static void forge(copier c)
{
    qd_error err = QD_ERROR_INIT;
    qd_log *from = NULL;
    scratch_dir other;
    char path[128], target[128];
    scratch_dir_init(&other);
    assert_status_ok(qd_log_lmdb_open(dir.path, 64 << 20, &from, &err), &err);
    assert_status_ok(qd_log_lmdb_open(other.path, 64 << 20, &c.to, &err), &err);
    assert_status_ok(qd_log_read_from(from, 1, copy_record, &c, &err), &err);
    qd_log_close(from);
    qd_log_close(c.to);
    snprintf(path, sizeof path, "%s/data.mdb", other.path);
    snprintf(target, sizeof target, "%s/data.mdb", dir.path);
    assert_int_equal(rename(path, target), 0);
    scratch_dir_deinit(&other);
}

/* Changes an entry and its digest with it. */
static void change_name(qd_audit_record *r)
{
    r->text[QD_AUDIT_NAME].p = "forged";
    assert_int_equal(qd_audit_record_digest(r, r->digest, NULL), QD_OK);
}

static void change_time(qd_audit_record *r)
{
    r->at_ms -= 3600000;
    assert_int_equal(qd_audit_record_digest(r, r->digest, NULL), QD_OK);
}

static void change_end(qd_audit_record *r)
{
    r->end_bytes += 1000;
}

static void test_verify__a_forged_entry__breaks_the_chain(void **state)
{
    (void)state;
    static const struct {
        copier c;
        uint64_t bad;
        const char *reason;
    } CASES[] = {
        {{.at = 3, .change = change_name},
         4,
         "it does not name the digest of the entry before: one of the two was replaced"},
        {{.at = 3, .change = change_time}, 3, "its time or its place does not follow from the entry before"},
        {{.at = 2, .change = change_end}, 2, "its time or its place does not follow from the entry before"},
        {{.at = 2, .raw = true}, 2, "it cannot be read: its bytes are no entry"},
        {{.at = 5, .raw = true}, 5, "it cannot be read: its bytes are no entry"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        scratch_dir_deinit(&dir);
        scratch_dir_init(&dir);
        qd_audit *a = open_audit(1 << 20);
        for (int k = 0; k < 5; k++) {
            now_ms += 1000;
            append(a, QD_AUDIT_REGISTER, "f_____", "1.0.0");
        }
        qd_audit_close(a);
        forge(CASES[i].c);
        a = open_audit(1 << 20);
        qd_audit_report r = verify(a);
        assert_false(r.is_intact);
        assert_int_equal(r.bad_seq, CASES[i].bad);
        assert_string_equal(r.reason, CASES[i].reason);
        json_t *v = list(a, NULL);
        assert_int_equal(total(v), 5); /* nothing is hidden */
        assert_int_equal(count(v), 5);
        json_decref(v);
        append(a, QD_AUDIT_REGISTER, "f", "1.0.0"); /* and it goes on */
        v = list(a, NULL);
        assert_int_equal(number(v, 0, "seq"), 6);
        json_decref(v);
        qd_audit_close(a);
    }
}

static void test_report_write__both_kinds(void **state)
{
    (void)state;
    const struct {
        qd_audit_report r;
        const char *json;
    } CASES[] = {
        {{true, 2, 5, 6, "ab", 0, ""},
         "{\"intact\":true,\"entries\":2,\"first_seq\":5,\"last_seq\":6,\"head\":\"ab\"}"},
        {{false, 1, 5, 7, "cd", 6, "it is missing"},
         "{\"intact\":false,\"entries\":1,\"first_seq\":5,\"last_seq\":7,\"head\":\"cd\",\"bad_seq\":6,"
         "\"reason\":\"it is missing\"}"},
    };
    for (size_t i = 0; i < 2; i++) {
        qd_buf text;
        qd_json w;
        qd_buf_init(&text, 4096);
        qd_json_init(&w, &text, false);
        qd_audit_report_write(&CASES[i].r, &w);
        assert_str_equal(qd_buf_str(&text), CASES[i].json);
        qd_buf_deinit(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_list__filters__count_and_page_newest_first),
        TEST(test_list__pages__are_together_the_whole),
        TEST(test_list__empty_log_and_bad_pages),
        TEST(test_trim__a_full_log__keeps_the_newest_in_one_chain),
        TEST(test_open__too_little_room__is_refused),
        TEST(test_verify__any_byte_changed_in_the_store__names_the_entry),
        TEST(test_verify__a_forged_entry__breaks_the_chain),
        TEST(test_report_write__both_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
