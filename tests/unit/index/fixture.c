/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "index/document.h"

qd_mapping *fixture_mapping(const char *body)
{
    json_t *json = NULL;
    qd_mapping *m = NULL;
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_json_parse(qd_str_of(body), &json, &err), &err);
    assert_status_ok(qd_mapping_new(json, 1000, &m, &err), &err);
    json_decref(json);
    return m;
}

void fixture_reopen(shard_fixture *f, qd_mapping *m)
{
    qd_error err = QD_ERROR_INIT;
    qd_shard_close(f->shard);
    f->shard = NULL;
    if (m) {
        qd_mapping_unref(f->mapping);
        f->mapping = qd_mapping_ref(m);
    }
    assert_status_ok(qd_shard_open(f->dir, f->mapping, 32u << 20, &f->shard, &err), &err);
}

void fixture_init(shard_fixture *f, const char *mapping)
{
    qd_error err = QD_ERROR_INIT;
    *f = (shard_fixture){.dir = "/tmp/qd-test-XXXXXX"};
    assert_non_null(mkdtemp(f->dir));
    f->mapping = fixture_mapping(mapping);
    assert_status_ok(qd_shard_create(f->dir, f->mapping, &err), &err);
    fixture_reopen(f, NULL);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

void fixture_deinit(shard_fixture *f)
{
    qd_shard_close(f->shard);
    qd_mapping_unref(f->mapping);
    nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void fixture_add(shard_fixture *f, const char *id, const char *source)
{
    qd_error err = QD_ERROR_INIT;
    qe_doc *doc = NULL;
    json_t *additions = NULL;
    assert_status_ok(qd_document_parse(f->mapping, qd_str_of(source), &doc, &additions, &err), &err);
    assert_non_null(doc);
    assert_status_ok(qd_shard_add(f->shard, doc, qd_str_of(id), f->next_seq_no, 1, qd_str_of(source), true, &err),
                     &err);
    f->next_seq_no++;
}

void fixture_commit(shard_fixture *f)
{
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_shard_commit(f->shard, (uint64_t)f->next_seq_no - 1, &err), &err);
}
