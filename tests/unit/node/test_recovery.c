/* SPDX-License-Identifier: Apache-2.0
 *
 * What survives: closing, ending without closing, being killed, damage. */
#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../child.h"
#include "base/clock.h"
#include "node/files.h"
#include "node/record.h"
#include "store/log.h"

/* Runs a role on the closed fixture's directory, in a process that ends without closing anything. */
static void run_and_die(node_fixture *f, const char *role)
{
    int status;
    fixture_close(f);
    pid_t child = child_start(-1, (const char *[]){role, f->dir, NULL});
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    f->log[0] = '\0';
    fixture_reopen(f);
}

static void child_writes_without_refresh(char **args)
{
    node_fixture f;
    fixture_attach(&f, args[0]);
    fixture_put(&f, "a", "{\"v\":1}");
    fixture_put(&f, "b", "{\"v\":1}");
    fixture_refresh(&f);
    fixture_put(&f, "a", "{\"v\":2,\"w\":\"new field\"}");
    fixture_write(&f, QD_OP_DELETE, "b", "");
    fixture_put(&f, "c", "{\"v\":3}");
    fixture_put(&f, "c", "{\"v\":4}");
}

static void test_reopen__without_refresh__replays_every_operation(void **state)
{
    (void)state;
    node_fixture f;
    int64_t version = 0;
    fixture_init(&f);
    fixture_create(&f, NULL);
    run_and_die(&f, "write-without-refresh");
    assert_non_null(strstr(f.log, "index 'test': replayed 4 operations"));
    assert_int_equal(fixture_live_docs(&f), 2);
    fixture_assert_source(&f, "a", "{\"v\":2,\"w\":\"new field\"}");
    fixture_assert_source(&f, "b", NULL);
    fixture_assert_source(&f, "c", "{\"v\":4}");
    free(fixture_get(&f, "c", &version));
    assert_int_equal(version, 2);
    qd_op op = fixture_write(&f, QD_OP_INDEX, "a", "{}");
    assert_int_equal(op.seq_no, 6);
    assert_int_equal(op.version, 3);
    fixture_deinit(&f);
}

static void test_reopen__after_closing__has_nothing_to_replay(void **state)
{
    (void)state;
    node_fixture f;
    fixture_init(&f);
    fixture_create(&f, NULL);
    fixture_put(&f, "a", "{\"v\":1}");
    f.log[0] = '\0';
    fixture_reopen(&f);
    assert_string_equal(f.log, "");
    assert_int_equal(fixture_live_docs(&f), 1);
    assert_int_equal(fixture_write(&f, QD_OP_INDEX, "b", "{}").seq_no, 1);
    fixture_deinit(&f);
}

/* Writes a record into a closed index's log, as a fault would. */
static void append_to_log(const char *dir, const char *uuid, uint64_t seq, qd_str header, qd_str rest)
{
    char path[160];
    qd_log *log = NULL;
    qd_error err = QD_ERROR_INIT;
    snprintf(path, sizeof path, "%s/indices/%s/log", dir, uuid);
    assert_status_ok(qd_log_lmdb_open(path, 64u << 20, &log, &err), &err);
    qd_log_record record = {seq, {header, rest, {"", 0}}};
    qd_log_batch batch = {.records = &record, .n = 1};
    assert_status_ok(qd_log_enqueue(log, &batch, &err), &err);
    assert_status_ok(qd_log_wait(log, &batch, &err), &err);
    qd_log_close(log);
}

static void test_open__damaged_record__keeps_that_index_closed_and_names_it(void **state)
{
    (void)state;
    node_fixture f;
    qd_error err = QD_ERROR_INIT;
    char uuid[32];
    fixture_init(&f);
    assert_status_ok(qd_node_create_index(f.node, QD_STR("good"), NULL, &err), &err);
    fixture_create(&f, NULL);
    fixture_put(&f, "a", "{}");
    snprintf(uuid, sizeof uuid, "%s", qd_index_uuid(f.index));
    fixture_close(&f);
    append_to_log(f.dir, uuid, 1, QD_STR("garbage"), QD_STR("more of it, past the header"));
    fixture_reopen(&f);
    assert_null(f.index);
    assert_int_equal(qd_node_index(f.node, QD_STR("test"), &f.index, &err), QD_EINDEX_FAILED);
    assert_non_null(strstr(err.message, "index 'test': record 1 of the op log has an unknown header"));
    assert_non_null(strstr(f.log, "not opened: index 'test'"));
    assert_status_ok(qd_node_index(f.node, QD_STR("good"), &f.index, &err), &err);
    qd_index_unref(f.index);
    f.index = NULL;
    assert_int_equal(qd_node_create_index(f.node, QD_STR("test"), NULL, &err), QD_EINDEX_EXISTS);
    assert_status_ok(qd_node_delete_index(f.node, QD_STR("test"), &err), &err);
    assert_status_ok(qd_node_create_index(f.node, QD_STR("test"), NULL, &err), &err);
    fixture_deinit(&f);
}

static void test_open__document_that_does_not_fit__names_its_record(void **state)
{
    (void)state;
    node_fixture f;
    qd_error err = QD_ERROR_INIT;
    char uuid[32];
    fixture_init(&f);
    fixture_create(&f, "{\"mappings\":{\"dynamic\":\"strict\"}}");
    fixture_put(&f, "a", "{}");
    snprintf(uuid, sizeof uuid, "%s", qd_index_uuid(f.index));
    fixture_close(&f);
    const qd_record record = {false, false, 1, {"b", 1}, {"", 0}};
    uint8_t header[QD_RECORD_HEADER_SIZE];
    qd_record_write_header(&record, header);
    append_to_log(f.dir, uuid, 1, (qd_str){(const char *)header, sizeof header}, QD_STR("b{\"x\":1}"));
    fixture_reopen(&f);
    assert_int_equal(qd_node_index(f.node, QD_STR("test"), &f.index, &err), QD_EINDEX_FAILED);
    assert_string_equal(
        err.message,
        "index 'test': record 1 of the op log does not fit the mapping: mapping set to strict, dynamic introduction "
        "of [x] within [_doc] is not allowed; opening it is tried again by itself");
    fixture_deinit(&f);
}

static void test_open__gap_in_the_log__is_refused(void **state)
{
    (void)state;
    node_fixture f;
    qd_error err = QD_ERROR_INIT;
    char uuid[32], path[160];
    fixture_init(&f);
    fixture_create(&f, NULL);
    fixture_put(&f, "a", "{}");
    snprintf(uuid, sizeof uuid, "%s", qd_index_uuid(f.index));
    fixture_close(&f);
    snprintf(path, sizeof path, "%s/indices/%s/log", f.dir, uuid);
    assert_status_ok(qd_dir_remove(path, &err), &err);
    append_to_log(f.dir, uuid, 5, QD_STR("x"), QD_STR("y"));
    fixture_reopen(&f);
    assert_int_equal(qd_node_index(f.node, QD_STR("test"), &f.index, &err), QD_EINDEX_FAILED);
    assert_string_equal(err.message,
                        "index 'test': the op log continues with record 5, expected 1; opening it is tried "
                        "again by itself");
    fixture_deinit(&f);
}

/* ---- kill -9 ---- */

#define ROUNDS   6
#define IDS      40
#define MIN_ACKS 40 /* before a child is killed, however slow the machine */

/* Writes batches for ever and tells the parent about each operation that was acked: "id n seq_no". */
static void child_writes_for_ever(char **args)
{
    node_fixture f;
    unsigned n = 0, round = (unsigned)atoi(args[1]);
    fixture_attach(&f, args[0]);
    for (;;) {
        qd_op ops[8];
        char ids[8][16], sources[8][64];
        qd_error err = QD_ERROR_INIT;
        for (size_t k = 0; k < 8; k++, n++) {
            snprintf(ids[k], sizeof ids[k], "%u", (n * 7 + round) % IDS);
            snprintf(sources[k], sizeof sources[k], "{\"n\":%u,\"f%u\":1}", n, n / 64 % 20);
            ops[k] = (qd_op){.type = n % 11 == 10 ? QD_OP_DELETE : QD_OP_INDEX,
                             .id = qd_str_of(ids[k]),
                             .source = qd_str_of(sources[k]),
                             .if_seq_no = QD_SEQ_ANY,
                             .if_primary_term = QD_SEQ_ANY};
        }
        if (qd_index_write(f.index, ops, 8, &err) != QD_OK)
            _exit(3);
        for (size_t k = 0; k < 8; k++) {
            char line[64];
            if (ops[k].status != QD_OK)
                _exit(4);
            bool is_delete = ops[k].type == QD_OP_DELETE;
            int length = snprintf(line, sizeof line, "%s %d %lld\n", ids[k], is_delete ? -1 : (int)(n - 8 + k),
                                  (long long)ops[k].seq_no);
            if (write(CHILD_FD, line, (size_t)length) != length)
                _exit(5);
        }
    }
}

typedef struct acked {
    long long seq_no[IDS]; /* the last acked operation on each id; -1: none */
    int n[IDS];            /* what it wrote; -1: it deleted */
} acked;

/* Reads what was acked: until there was enough of it and the time has come, or until the end. */
static unsigned read_acks(FILE *in, unsigned enough, int64_t until_ns, acked *a)
{
    int id, n;
    long long seq_no;
    unsigned acks = 0;
    while ((acks < enough || qd_clock_mono_ns() < until_ns) && fscanf(in, "%d %d %lld\n", &id, &n, &seq_no) == 3) {
        a->seq_no[id] = seq_no;
        a->n[id] = n;
        acks++;
    }
    return acks;
}

/* Each id must show its last acked operation, or a later one that was durable when the process died before it could say
 * so. */
static void compare(node_fixture *f, const acked *a)
{
    uint64_t live = 0;
    for (int id = 0; id < IDS; id++) {
        char name[16], expected[16];
        qd_get_result got = {0};
        qd_error err = QD_ERROR_INIT;
        snprintf(name, sizeof name, "%d", id);
        assert_status_ok(qd_index_get(f->index, qd_str_of(name), &got, &err), &err);
        live += got.found;
        if (got.found) {
            assert_true(got.seq_no >= a->seq_no[id]);
            snprintf(expected, sizeof expected, "{\"n\":%d,", a->n[id]);
            if (got.seq_no == a->seq_no[id])
                assert_memory_equal(got.source, expected, strlen(expected));
        }
        /* Absent though the last ack was an index: then a later deletion must have been on its way; one batch at most
         * was. */
        if (!got.found && a->seq_no[id] >= 0 && a->n[id] >= 0) {
            qd_index_stats stats;
            qd_index_stats_get(f->index, &stats);
            assert_true(stats.max_seq_no - a->seq_no[id] > 0);
        }
        free(got.source);
    }
    fixture_refresh(f);
    assert_int_equal(fixture_live_docs(f), live); /* none is there twice */
}

static void test_kill__in_the_middle_of_writes__loses_nothing_acked(void **state)
{
    (void)state;
    node_fixture f;
    acked a;
    fixture_init(&f);
    fixture_create(&f, "{\"settings\":{\"refresh_interval\":\"10ms\"}}");
    memset(&a, -1, sizeof a);
    for (unsigned round = 0; round < ROUNDS; round++) {
        int fds[2];
        char number[16];
        snprintf(number, sizeof number, "%u", round);
        fixture_close(&f);
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        pid_t child = child_start(fds[1], (const char *[]){"write-for-ever", f.dir, number, NULL});
        close(fds[1]);
        FILE *in = fdopen(fds[0], "r");
        int64_t until_ns = qd_clock_mono_ns() + (300 + 70 * round) * INT64_C(1000000);
        assert_true(read_acks(in, MIN_ACKS, until_ns, &a) >= MIN_ACKS);
        kill(child, SIGKILL);
        read_acks(in, 0, INT64_MAX, &a);
        fclose(in);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        fixture_reopen(&f);
        if (!f.index)
            fail_msg("round %u: %s", round, f.log);
        compare(&f, &a);
    }
    fixture_deinit(&f);
}

int main(int argc, char **argv)
{
    static const child_role ROLES[] = {
        {"write-without-refresh", child_writes_without_refresh},
        {"write-for-ever", child_writes_for_ever},
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reopen__without_refresh__replays_every_operation),
        cmocka_unit_test(test_reopen__after_closing__has_nothing_to_replay),
        cmocka_unit_test(test_open__damaged_record__keeps_that_index_closed_and_names_it),
        cmocka_unit_test(test_open__document_that_does_not_fit__names_its_record),
        cmocka_unit_test(test_open__gap_in_the_log__is_refused),
        cmocka_unit_test(test_kill__in_the_middle_of_writes__loses_nothing_acked),
    };
    child_main(argc, argv, ROLES, sizeof ROLES / sizeof *ROLES);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
