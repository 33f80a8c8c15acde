/* SPDX-License-Identifier: Apache-2.0 */
#include "query/fetch.h"

#include "query/source_filter.h"

#define MAX_SOURCE_BYTES ((size_t)256 << 20)

void qd_fetcher_init(qd_fetcher *f, const qd_collection *c, const qd_script_fields *fields)
{
    *f = (qd_fetcher){.c = c, .fields = fields, .columns_of = SIZE_MAX};
    qd_buf_init(&f->source, MAX_SOURCE_BYTES);
}

static void close_columns(qd_fetcher *f)
{
    qd_column_free(f->version);
    qd_column_free(f->seq_no);
    f->version = f->seq_no = NULL;
    f->columns_of = SIZE_MAX;
}

void qd_fetcher_deinit(qd_fetcher *f)
{
    close_columns(f);
    qd_buf_deinit(&f->source);
}

static int64_t column_value(const qd_column *c, uint32_t doc)
{
    int64_t v = 0;
    uint8_t valid = 0;
    return c && qd_column_i64(c, 1, &doc, &v, &valid, NULL) && valid ? v : 0;
}

/* `_version`, `_seq_no`: hits of one segment mostly follow each other. */
static qd_status write_versions(qd_fetcher *f, const qd_hit *hit, const qd_searcher *s, uint32_t segment, qd_json *w,
                                qd_error *err)
{
    const qd_body *b = &f->c->run->body;
    if (!b->wants_version && !b->wants_seq_no)
        return QD_OK;
    if (f->columns_of != hit->task) {
        close_columns(f);
        qd_status st = qd_column_open(s, segment, QE_FIELD_VERSION, &f->version, err);
        if (st == QD_OK)
            st = qd_column_open(s, segment, QE_FIELD_SEQ_NO, &f->seq_no, err);
        if (st != QD_OK)
            return st;
        f->columns_of = hit->task;
    }
    if (b->wants_version)
        qd_json_kv_i64(w, "_version", column_value(f->version, hit->doc));
    if (b->wants_seq_no) {
        qd_json_kv_i64(w, "_seq_no", column_value(f->seq_no, hit->doc));
        qd_json_kv_i64(w, "_primary_term", 1);
    }
    return QD_OK;
}

static qd_status write_source(qd_fetcher *f, qd_str source, qd_json *w, qd_error *err)
{
    const qd_source_spec *spec = &f->c->run->body.source;
    if (!spec->is_wanted)
        return QD_OK;
    qd_json_key(w, "_source");
    if (spec->n_includes + spec->n_excludes == 0) {
        qd_json_raw(w, source);
        return QD_OK;
    }
    qd_buf_clear(&f->source);
    qd_status st = qd_source_filter(spec, source, &f->source, err);
    if (st == QD_OK)
        qd_json_raw(w, qd_buf_str(&f->source));
    return st;
}

static void write_sort(const qd_fetcher *f, const qd_hit *hit, uint32_t target, qd_json *w)
{
    const qd_sort *sort = &f->c->sorts[target];
    qd_json_key(w, "sort");
    qd_json_begin_array(w);
    for (size_t i = 0; i < sort->n; i++)
        qd_sort_write(&sort->keys[i], hit->ranks[i], hit->texts[i], w);
    qd_json_end_array(w);
}

qd_status qd_fetch_write(qd_fetcher *f, size_t i, qd_json *w, qd_error *err)
{
    const qd_hit *hit = &f->c->hits[i];
    const qd_run *run = f->c->run;
    const qd_task *t = &run->tasks[hit->task];
    const qd_search_target *target = &run->rq->targets[t->target];
    qd_stored stored = {0};
    qd_status st = qd_searcher_stored(target->searcher, (qd_doc_address){t->segment, hit->doc}, &stored, err);
    if (st != QD_OK)
        return st;
    qd_json_begin_object(w);
    qd_json_kv_z(w, "_index", target->index_name);
    qd_json_key(w, "_id");
    qd_json_str(w, stored.id);
    st = write_versions(f, hit, target->searcher, t->segment, w, err);
    qd_json_key(w, "_score");
    if (!f->c->sorts || f->c->sorts[t->target].needs_scores)
        qd_json_f32(w, hit->score);
    else
        qd_json_null(w);
    if (st == QD_OK)
        st = write_source(f, stored.source, w, err);
    qd_script_fields_write(f->fields, i, w);
    if (f->c->sorts)
        write_sort(f, hit, t->target, w);
    qd_json_end_object(w);
    qd_stored_free(&stored);
    return st;
}
