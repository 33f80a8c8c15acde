/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "node/files.h"

static void on_log(void *arg, const char *line)
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    node_fixture *f = arg;
    pthread_mutex_lock(&one_at_a_time);
    size_t n = strlen(f->log);
    snprintf(f->log + n, sizeof f->log - n, "%s\n", line);
    pthread_mutex_unlock(&one_at_a_time);
}

void fixture_open(node_fixture *f)
{
    qd_error err = QD_ERROR_INIT;
    f->options.data_dir = f->dir;
    f->options.log = on_log;
    f->options.log_arg = f;
    assert_status_ok(qd_node_open(&f->options, &f->node, &err), &err);
}

static void set_up(node_fixture *f, const char *dir)
{
    *f = (node_fixture){.options = QD_NODE_OPTIONS_INIT};
    f->options.refresh_interval_ms = -1;
    f->options.writer_memory_bytes = 32u << 20;
    snprintf(f->dir, sizeof f->dir, "%s", dir);
}

void fixture_init(node_fixture *f)
{
    set_up(f, "/tmp/qd-test-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    fixture_open(f);
}

void fixture_attach(node_fixture *f, const char *dir)
{
    set_up(f, dir);
    fixture_reopen(f);
}

void fixture_close(node_fixture *f)
{
    qd_index_unref(f->index);
    f->index = NULL;
    qd_node_close(f->node);
    f->node = NULL;
}

void fixture_deinit(node_fixture *f)
{
    qd_error err = QD_ERROR_INIT;
    fixture_close(f);
    assert_status_ok(qd_dir_remove(f->dir, &err), &err);
}

void fixture_reopen(node_fixture *f)
{
    fixture_close(f);
    fixture_open(f);
    (void)qd_node_index(f->node, QD_STR("test"), &f->index, NULL);
}

json_t *fixture_json(const char *text)
{
    json_t *v = NULL;
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_json_parse(qd_str_of(text), &v, &err), &err);
    return v;
}

void fixture_create(node_fixture *f, const char *body)
{
    qd_error err = QD_ERROR_INIT;
    json_t *json = body ? fixture_json(body) : NULL;
    assert_status_ok(qd_node_create_index(f->node, QD_STR("test"), json, &err), &err);
    assert_status_ok(qd_node_index(f->node, QD_STR("test"), &f->index, &err), &err);
    json_decref(json);
}

qd_op fixture_write(node_fixture *f, qd_op_type type, const char *id, const char *source)
{
    qd_op op = {.type = type,
                .id = qd_str_of(id),
                .source = qd_str_of(source),
                .if_seq_no = QD_SEQ_ANY,
                .if_primary_term = QD_SEQ_ANY};
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_index_write(f->index, &op, 1, &err), &err);
    return op;
}

void fixture_put(node_fixture *f, const char *id, const char *source)
{
    qd_op op = fixture_write(f, QD_OP_INDEX, id, source);
    assert_status_ok(op.status, &op.error);
}

char *fixture_get(node_fixture *f, const char *id, int64_t *version)
{
    qd_get_result got = {0};
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_index_get(f->index, qd_str_of(id), &got, &err), &err);
    if (version)
        *version = got.version;
    return got.found ? got.source : NULL;
}

void fixture_assert_source(node_fixture *f, const char *id, const char *expected)
{
    char *source = fixture_get(f, id, NULL);
    if (expected) {
        assert_non_null(source);
        assert_string_equal(source, expected);
    } else {
        assert_null(source);
    }
    free(source);
}

void fixture_refresh(node_fixture *f)
{
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_index_refresh(f->index, &err), &err);
}

uint64_t fixture_live_docs(node_fixture *f)
{
    qd_searcher *s = qd_index_searcher(f->index);
    uint64_t docs = qd_searcher_live_docs(s);
    qd_searcher_unref(s);
    return docs;
}

char *fixture_mapping(node_fixture *f)
{
    qd_buf buf;
    qd_json w;
    qd_mapping *m = qd_index_mapping(f->index);
    qd_buf_init(&buf, 1 << 20);
    qd_json_init(&w, &buf, false);
    qd_mapping_write(m, &w, false);
    qd_mapping_unref(m);
    return qd_buf_take(&buf, NULL);
}
