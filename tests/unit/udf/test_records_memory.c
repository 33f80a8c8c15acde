/* SPDX-License-Identifier: Apache-2.0
 *
 * What is kept about functions, out of memory: statistics, audit log, quarantine, trust; and the stores below. */
#include <stdio.h>

#include "../failing_alloc.h"
#include "audit_fixture.h"
#include "udf/quarantine.h"
#include "udf/stats_keeper.h"
#include "udf/trust.h"
#include "wat_udf.h"

/* ---- statistics, on LMDB ---- */

static qd_kv *kv;
static qd_stats_keeper *keeper;
static qd_udf_stats *stats;

static void begin_store(void)
{
    qd_error err = QD_ERROR_INIT;
    setup(NULL);
    assert_status_ok(qd_kv_lmdb_open(dir.path, 16 << 20, &kv, &err), &err);
}

static void end_store(qd_status st)
{
    (void)st;
    qd_kv_close(kv);
    kv = NULL;
    teardown(NULL);
}

static void begin_keeper(void)
{
    static const qd_stats_keeper_options o = {.flush_interval_ms = 0};
    qd_error err = QD_ERROR_INIT;
    begin_store();
    assert_status_ok(qd_stats_keeper_open(kv, &o, &keeper, &err), &err);
}

static void end_keeper(qd_status st)
{
    qd_stats_keeper_close(keeper);
    end_store(st);
}

static void count_one(qd_udf_stats *s)
{
    const qd_stats_block block = {.documents = 10, .calls = 10, .ns = 1000};
    const qd_str document = QD_STR("d");
    qd_error why = QD_ERROR_INIT;
    qd_fail(&why, QD_EUDF_FAILED, "trap");
    qd_udf_stats_add(s, &block);
    qd_udf_stats_error(s, &why, &document);
}

static qd_status get_stats(qd_error *err)
{
    qd_udf_stats *s = NULL;
    qd_status st = qd_stats_keeper_get(keeper, QD_STR("f"), QD_STR("1.0.0"), &s, err);
    if (st == QD_OK)
        count_one(s); /* what cannot be counted is not */
    qd_udf_stats_unref(s);
    return st;
}

static void begin_stats(void)
{
    qd_error err = QD_ERROR_INIT;
    begin_keeper();
    assert_status_ok(qd_stats_keeper_get(keeper, QD_STR("f"), QD_STR("1.0.0"), &stats, &err), &err);
    count_one(stats);
}

/* Whatever failed: all that was counted is there. */
static void end_stats(qd_status st)
{
    qd_error err = QD_ERROR_INIT;
    qd_stats_summary s;
    assert_status_ok(qd_stats_keeper_flush(keeper, &err), &err);
    assert_status_ok(qd_udf_stats_read(stats, &s, &err), &err);
    assert_int_equal(s.calls, 10);
    assert_int_equal(s.errors, 1);
    qd_udf_stats_unref(stats);
    end_keeper(st);
}

static qd_status flush_stats(qd_error *err)
{
    return qd_stats_keeper_flush(keeper, err);
}

static qd_status read_stats(qd_error *err)
{
    qd_stats_summary s;
    return qd_udf_stats_read(stats, &s, err);
}

static qd_status write_stats(qd_error *err)
{
    qd_buf out;
    qd_json w;
    qd_buf_init(&out, 1 << 20);
    qd_json_init(&w, &out, false);
    qd_status st = qd_udf_stats_write_json(stats, NULL, &w, err);
    if (st == QD_OK && out.failed)
        st = qd_fail_nomem(err);
    qd_buf_deinit(&out);
    return st;
}

static qd_status list_recent(qd_error *err)
{
    qd_udf_stats **list = NULL;
    size_t n = 0, left_out = 0;
    qd_status st = qd_stats_keeper_recent(keeper, 10, &list, &n, &left_out, err);
    if (st == QD_OK) {
        assert_int_equal(n, 1);
        qd_stats_keeper_release(list, n);
    }
    return st;
}

static qd_status open_keeper(qd_error *err)
{
    static const qd_stats_keeper_options o = {.flush_interval_ms = 0};
    qd_stats_keeper *k = NULL;
    qd_status st = qd_stats_keeper_open(kv, &o, &k, err);
    qd_stats_keeper_close(k);
    return st;
}

/* ---- the store itself ---- */

static qd_status use_store(qd_error *err)
{
    const qd_kv_item items[] = {{QD_STR("b"), QD_STR("k1"), QD_STR("one"), QD_KV_ANY, false},
                                {QD_STR("b"), QD_STR("k2"), QD_STR("two"), QD_KV_KEEP, false}};
    qd_buf value;
    qd_buf_init(&value, 100);
    qd_status st = qd_kv_put(kv, QD_STR("b"), QD_STR("k"), QD_STR("value"), QD_KV_ANY, NULL, err);
    if (st == QD_OK)
        st = qd_kv_change_many(kv, items, 2, err);
    if (st == QD_OK)
        st = qd_kv_get(kv, QD_STR("b"), QD_STR("k"), &value, NULL, err);
    if (st == QD_OK)
        assert_str_equal(qd_buf_str(&value), "value");
    if (st == QD_OK)
        st = qd_kv_remove(kv, QD_STR("b"), QD_STR("k"), QD_KV_ANY, err);
    qd_buf_deinit(&value);
    return st;
}

static qd_status open_store(qd_error *err)
{
    qd_kv *other = NULL;
    scratch_dir place;
    failing_alloc_pause();
    scratch_dir_init(&place);
    failing_alloc_resume();
    qd_status st = qd_kv_lmdb_open(place.path, 16 << 20, &other, err);
    qd_kv_close(other);
    failing_alloc_pause();
    scratch_dir_deinit(&place);
    failing_alloc_resume();
    return st;
}

static void begin_memory(void)
{
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_kv_memory_open(&kv, &err), &err);
}

static void end_memory(qd_status st)
{
    (void)st;
    qd_kv_close(kv);
    kv = NULL;
}

/* ---- audit ---- */

static qd_audit *audit;

static void begin_audit(void)
{
    setup(NULL);
    audit = open_audit(1 << 20);
    append(audit, QD_AUDIT_REGISTER, "f", "1.0.0");
}

/* One chain, with what was acknowledged in it. */
static void end_appending(qd_status st)
{
    qd_audit_report r = verify(audit);
    if (!r.is_intact)
        fail_msg("entry %d: %s", (int)r.bad_seq, r.reason);
    assert_int_equal(r.last_seq, st == QD_OK ? 2 : 1);
    append(audit, QD_AUDIT_DELETE, "f", "1.0.0");
    qd_audit_close(audit);
    audit = open_audit(1 << 20);
    assert_intact(audit, st == QD_OK ? 3 : 2);
    qd_audit_close(audit);
    teardown(NULL);
}

static void end_audit(qd_status st)
{
    (void)st;
    assert_intact(audit, 1);
    qd_audit_close(audit);
    teardown(NULL);
}

static qd_status append_one(qd_error *err)
{
    qd_audit_entry e = entry(QD_AUDIT_ACTIVATE, "f", "1.0.0");
    return qd_audit_append(audit, &e, err);
}

static qd_status list_entries(qd_error *err)
{
    const qd_audit_filter filter = {
        .udf = QD_STR("f"), .since_ms = INT64_MIN, .until_ms = INT64_MAX, .page = 1, .size = 20};
    qd_buf out;
    qd_json w;
    qd_buf_init(&out, 1 << 20);
    qd_json_init(&w, &out, false);
    qd_status st = qd_audit_list(audit, &filter, &w, err);
    if (st == QD_OK && out.failed)
        st = qd_fail_nomem(err);
    if (st == QD_OK)
        assert_null(memmem(out.p, out.n, "damaged", 7));
    qd_buf_deinit(&out);
    return st;
}

static qd_status verify_entries(qd_error *err)
{
    qd_audit_report r;
    qd_status st = qd_audit_verify(audit, &r, err);
    if (st == QD_OK)
        assert_true(r.is_intact);
    return st;
}

static void begin_closed_audit(void)
{
    begin_audit();
    qd_audit_close(audit);
}

static qd_status open_and_close_audit(qd_error *err)
{
    qd_audit *a = NULL;
    qd_audit_options o = options();
    o.max_bytes = 1 << 20;
    qd_status st = qd_audit_open_with(open_in_dir, NULL, &o, &a, err);
    qd_audit_close(a);
    return st;
}

static void end_closed_audit(qd_status st)
{
    audit = open_audit(1 << 20);
    end_audit(st);
}

/* ---- quarantine ---- */

static const qd_quarantine_options QUARANTINE = {.failures = 1, .window_ms = 60000};

static void begin_quarantine(void)
{
    qd_error err = QD_ERROR_INIT, why = QD_ERROR_INIT;
    qd_quarantine *q = NULL;
    begin_store();
    qd_fail(&why, QD_EUDF_FAILED, "trap");
    assert_status_ok(qd_quarantine_open(kv, &QUARANTINE, &q, &err), &err);
    qd_quarantine_failed(q, "f@1.0.0", "", &why);
    qd_quarantine_close(q);
}

/* None is forgotten. */
static qd_status open_quarantine(qd_error *err)
{
    qd_quarantine *q = NULL;
    qd_status st = qd_quarantine_open(kv, &QUARANTINE, &q, err);
    if (st == QD_OK)
        assert_true(qd_quarantine_is_on(q, "f@1.0.0"));
    qd_quarantine_close(q);
    return st;
}

static const memory_case CASES[] = {
    {"store: use, LMDB", begin_store, use_store, end_store},
    {"store: use, memory", begin_memory, use_store, end_memory},
    {"store: open", NULL, open_store, NULL},
    {"statistics: open", begin_store, open_keeper, end_store},
    {"statistics: get and count", begin_keeper, get_stats, end_keeper},
    {"statistics: flush", begin_stats, flush_stats, end_stats},
    {"statistics: read", begin_stats, read_stats, end_stats},
    {"statistics: write", begin_stats, write_stats, end_stats},
    {"statistics: recent", begin_stats, list_recent, end_stats},
    {"quarantine: open", begin_quarantine, open_quarantine, end_store},
    {"audit: open", begin_closed_audit, open_and_close_audit, end_closed_audit},
    {"audit: append", begin_audit, append_one, end_appending},
    {"audit: list", begin_audit, list_entries, end_audit},
    {"audit: verify", begin_audit, verify_entries, end_audit},
};

int main(void)
{
    return memory_cases_run(CASES, sizeof CASES / sizeof *CASES, NULL, NULL);
}
