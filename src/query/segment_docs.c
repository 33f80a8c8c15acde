/* SPDX-License-Identifier: Apache-2.0 */
#include "query/segment_docs_impl.h"

#include <stdlib.h>

#include "query/source_path.h"
#include "wasm/program.h"

#define MAX_SLOTS        1024
#define MAX_KEPT_BYTES   ((size_t)16 << 20)  /* of stored documents in a block; past it they are read again */
#define MAX_TEXT_BYTES   ((size_t)256 << 20) /* of strings in a block */
#define TEXT_RENEW_BYTES ((size_t)1 << 20)   /* strings of a column are remembered across blocks up to this */
#define DICT_ENTRIES     256

static bool fail(qd_segment_docs *d, qd_status status, const qd_error *err)
{
    if (d->status == QD_OK) {
        d->status = status;
        d->err = *err;
    }
    return false;
}

static bool fail_memory(qd_segment_docs *d)
{
    qd_error err = QD_ERROR_INIT;
    return fail(d,
                qd_fail(&err, QD_ELIMIT,
                        "the strings that functions read in one block of documents take more than %zu MiB",
                        MAX_TEXT_BYTES >> 20),
                &err);
}

/* ---- slots ---- */

/* "loc.lat", "loc.lon" of a geo point. */
static const qd_field *geo_half(const qd_mapping *m, qd_str path, uint32_t *id)
{
    if (path.n <= 4)
        return NULL;
    qd_str parent = {path.p, path.n - 4}, half = {path.p + path.n - 4, 4};
    bool is_lat = qd_str_is(half, ".lat");
    if (!is_lat && !qd_str_is(half, ".lon"))
        return NULL;
    const qd_field *f = qd_mapping_find(m, parent);
    if (!f || f->type != QD_FIELD_GEO_POINT || !f->has_column)
        return NULL;
    *id = is_lat ? f->id : f->id + 1;
    return f;
}

static slot_kind kind_of(const qd_field *f)
{
    static const slot_kind KINDS[] = {
        [QD_FIELD_TEXT] = SLOT_SOURCE,    [QD_FIELD_KEYWORD] = SLOT_STRING, [QD_FIELD_LONG] = SLOT_NUMBER,
        [QD_FIELD_INTEGER] = SLOT_NUMBER, [QD_FIELD_DOUBLE] = SLOT_NUMBER,  [QD_FIELD_FLOAT] = SLOT_NUMBER,
        [QD_FIELD_BOOLEAN] = SLOT_BOOL,   [QD_FIELD_DATE] = SLOT_NUMBER,    [QD_FIELD_GEO_POINT] = SLOT_SOURCE,
    };
    return f->has_column ? KINDS[f->type] : SLOT_SOURCE;
}

/* A sub-field ("title.keyword") has no value of its own in `_source`. */
static qd_str source_path_of(const qd_field *f, qd_str path)
{
    if (!f || !f->is_sub_field)
        return path;
    while (path.n && path.p[path.n - 1] != '.')
        path.n--;
    return (qd_str){path.p, path.n ? path.n - 1 : 0};
}

static bool fill_slot(const qd_segment_docs *d, qd_str path, slot *s)
{
    const qd_mapping *m = d->searcher->mapping;
    const qd_field *f = qd_mapping_find(m, path);
    uint32_t id = f ? f->id : 0;
    qd_str in_source = source_path_of(f, path);
    if (!f)
        f = geo_half(m, path, &id);
    s->path = qd_str_dup(in_source);
    s->kind = !f ? SLOT_SOURCE : id != f->id || !qd_str_eq(path, qd_str_of(f->path)) ? SLOT_NUMBER : kind_of(f);
    s->is_float = f && (f->type == QD_FIELD_DOUBLE || f->type == QD_FIELD_FLOAT || f->type == QD_FIELD_GEO_POINT);
    s->field_id = id;
    /* With a dynamic mapping, a path that is nowhere in it is in no document: no need to read them. */
    if (!f && m->dynamic == QD_DYNAMIC_TRUE && !memchr(path.p, '[', path.n))
        s->kind = SLOT_MISSING;
    return s->path != NULL;
}

static bool room_for_slot(qd_segment_docs *d)
{
    if (d->n_slots < d->cap_slots)
        return true;
    int cap = d->cap_slots ? d->cap_slots * 2 : 8;
    slot *grown = cap <= MAX_SLOTS ? realloc(d->slots, (size_t)cap * sizeof *grown) : NULL;
    if (!grown)
        return false;
    d->slots = grown;
    d->cap_slots = cap;
    return true;
}

static int resolve(void *arg, qd_str path)
{
    qd_segment_docs *d = arg;
    slot candidate = {0};
    if (path.n == 0 || path.n > QD_MAX_PATH)
        return QD_SLOT_TOO_MANY;
    if (!fill_slot(d, path, &candidate))
        return QD_SLOT_NO_MEMORY;
    for (int i = 0; i < d->n_slots; i++) {
        const slot *s = &d->slots[i];
        if (s->kind == candidate.kind && s->field_id == candidate.field_id && strcmp(s->path, candidate.path) == 0) {
            free(candidate.path);
            return i;
        }
    }
    if (!room_for_slot(d)) {
        free(candidate.path);
        return d->n_slots == MAX_SLOTS ? QD_SLOT_TOO_MANY : QD_SLOT_NO_MEMORY;
    }
    d->slots[d->n_slots] = candidate;
    return d->n_slots++;
}

bool qd_segment_open_column(qd_segment_docs *d, slot *s)
{
    if (s->is_open)
        return s->column != NULL;
    s->is_open = true;
    qd_error err = QD_ERROR_INIT;
    qd_status st = qd_column_open(d->searcher, d->segment, s->field_id, &s->column, &err);
    if (st != QD_OK)
        return fail(d, st, &err);
    return s->column != NULL;
}

slot *qd_segment_slot(qd_segment_docs *d, int i)
{
    return i >= 0 && i < d->n_slots ? &d->slots[i] : NULL;
}

/* ---- whole blocks ---- */

static bool all_missing(const qd_segment_docs *d, void *out, uint8_t *valid, bool *all_valid)
{
    memset(out, 0, d->n * sizeof(int64_t));
    memset(valid, 0, d->n);
    if (all_valid)
        *all_valid = d->n == 0;
    return true;
}

static bool block_f64(void *arg, int i, double *out, uint8_t *valid, bool *all_valid)
{
    qd_segment_docs *d = arg;
    slot *s = qd_segment_slot(d, i);
    if (!s || s->kind == SLOT_MISSING)
        return all_missing(d, out, valid, all_valid);
    if (s->kind != SLOT_NUMBER)
        return false;
    if (!qd_segment_open_column(d, s))
        return all_missing(d, out, valid, all_valid);
    return qd_column_f64(s->column, d->n, d->docs, out, valid, all_valid);
}

static bool block_i64(void *arg, int i, int64_t *out, uint8_t *valid, bool *all_valid)
{
    qd_segment_docs *d = arg;
    slot *s = qd_segment_slot(d, i);
    if (!s || s->kind == SLOT_MISSING)
        return all_missing(d, out, valid, all_valid);
    if (s->kind != SLOT_NUMBER && s->kind != SLOT_BOOL)
        return false;
    if (!qd_segment_open_column(d, s))
        return all_missing(d, out, valid, all_valid);
    return qd_column_i64(s->column, d->n, d->docs, out, valid, all_valid);
}

/* ---- single values ---- */

static bool number_value(const slot *s, uint32_t doc, qd_value *out)
{
    uint8_t valid = 0;
    bool is_read;
    if (s->is_float) {
        out->type = QD_F64;
        is_read = qd_column_f64(s->column, 1, &doc, &out->as.f, &valid, NULL);
    } else {
        out->type = QD_I64;
        is_read = qd_column_i64(s->column, 1, &doc, &out->as.i, &valid, NULL);
    }
    return is_read && valid;
}

static bool bool_value(const slot *s, uint32_t doc, qd_value *out)
{
    uint8_t valid = 0;
    int64_t i = 0;
    bool is_read = qd_column_i64(s->column, 1, &doc, &i, &valid, NULL);
    *out = (qd_value){QD_BOOL, {.b = i != 0}};
    return is_read && valid;
}

/* The view's ordinals in one go, when its first string is asked for. */
bool qd_segment_read_ords(qd_segment_docs *d, slot *s)
{
    if (s->view == d->view)
        return true;
    if (!s->ords) {
        s->ords = malloc(QD_BLOCK_DOCS * sizeof *s->ords);
        s->ord_valid = malloc(QD_BLOCK_DOCS);
        if (!s->ords || !s->ord_valid)
            return fail_memory(d);
    }
    if (!qd_column_ords(s->column, d->n, d->docs, s->ords, s->ord_valid, NULL))
        return false;
    if (s->strings.n == 0)
        qd_column_strings(s->column, d->n, &s->strings);
    s->view = d->view;
    return true;
}

/* Without all strings in memory: one by one, each copied, since the column keeps no more than one. */
static bool remembered_string(qd_segment_docs *d, slot *s, uint64_t ord, qd_value *out)
{
    if (!s->dict)
        s->dict = calloc(DICT_ENTRIES, sizeof *s->dict);
    if (!s->dict)
        return fail_memory(d);
    dict_entry *e = &s->dict[ord % DICT_ENTRIES];
    if (e->ord_plus_1 != ord + 1) {
        qd_error err = QD_ERROR_INIT;
        qd_str text;
        qd_status st = qd_column_string(s->column, ord, &text, &err);
        if (st != QD_OK)
            return fail(d, st, &err);
        text = qd_arena_str(d->text, text);
        if (!text.p)
            return fail_memory(d);
        *e = (dict_entry){ord + 1, text};
    }
    *out = (qd_value){QD_STRING, {.s = e->text}};
    return true;
}

bool qd_segment_string_of(qd_segment_docs *d, slot *s, uint64_t ord, qd_value *out)
{
    if (ord >= s->strings.n)
        return remembered_string(d, s, ord, out);
    *out = (qd_value){QD_STRING, {.s = qd_strings_at(&s->strings, ord)}};
    return true;
}

static bool string_value(qd_segment_docs *d, slot *s, uint32_t row, qd_value *out)
{
    return qd_segment_read_ords(d, s) && s->ord_valid[row] && qd_segment_string_of(d, s, s->ords[row], out);
}

/* ---- stored documents ---- */

static size_t index_in_block(const qd_segment_docs *d, uint32_t doc)
{
    size_t low = 0, high = d->block_n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (d->block[middle] < doc)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* *is_loose: valid only until the next one is read. */
const qd_stored *qd_segment_stored(qd_segment_docs *d, uint32_t row, bool *is_loose)
{
    size_t at = index_in_block(d, d->docs[row]);
    if (!d->kept) {
        d->kept = calloc(QD_BLOCK_DOCS, sizeof *d->kept);
        d->kept_at = calloc(QD_BLOCK_DOCS, sizeof *d->kept_at);
    }
    if (!d->kept || !d->kept_at || at >= d->block_n) {
        fail_memory(d);
        return NULL;
    }
    *is_loose = false;
    if (d->kept_at[at])
        return &d->kept[d->kept_at[at] - 1];

    qd_error err = QD_ERROR_INIT;
    qd_stored one = {0};
    qd_status st = qd_searcher_stored(d->searcher, (qd_doc_address){d->segment, d->docs[row]}, &one, &err);
    if (st != QD_OK) {
        fail(d, st, &err);
        return NULL;
    }
    size_t bytes = one.id.n + one.source.n;
    if (d->kept_bytes + bytes > MAX_KEPT_BYTES) {
        qd_stored_free(&d->loose);
        d->loose = one;
        *is_loose = true;
        return &d->loose;
    }
    d->kept_bytes += bytes;
    d->kept[d->n_kept++] = one;
    d->kept_at[at] = (uint16_t)d->n_kept;
    return &d->kept[d->n_kept - 1];
}

bool qd_segment_keep_text(qd_segment_docs *d, bool is_loose, qd_str *s)
{
    if (!is_loose)
        return true;
    *s = qd_arena_str(d->text, *s);
    return s->p ? true : fail_memory(d);
}

static bool source_value(qd_segment_docs *d, const slot *s, uint32_t row, qd_value *out)
{
    bool is_loose;
    qd_str token;
    const qd_stored *doc = qd_segment_stored(d, row, &is_loose);
    if (!doc || !qd_source_find(doc->source, qd_str_of(s->path), &token) || !qd_scan_scalar(token, d->text, out))
        return false;
    return out->type != QD_STRING || qd_segment_keep_text(d, is_loose, &out->as.s);
}

static bool value(void *arg, int i, uint32_t row, qd_value *out)
{
    qd_segment_docs *d = arg;
    slot *s = qd_segment_slot(d, i);
    if (!s || row >= d->n || s->kind == SLOT_MISSING)
        return false;
    if (s->kind == SLOT_SOURCE)
        return source_value(d, s, row, out);
    if (!qd_segment_open_column(d, s))
        return false;
    if (s->kind == SLOT_STRING)
        return string_value(d, s, row, out);
    return s->kind == SLOT_BOOL ? bool_value(s, d->docs[row], out) : number_value(s, d->docs[row], out);
}

static bool id(void *arg, uint32_t row, qd_str *out)
{
    qd_segment_docs *d = arg;
    bool is_loose;
    const qd_stored *doc = row < d->n ? qd_segment_stored(d, row, &is_loose) : NULL;
    if (!doc)
        return false;
    *out = doc->id;
    return qd_segment_keep_text(d, is_loose, out);
}

/* ---- the life of it ---- */

qd_segment_docs *qd_segment_docs_open(const qd_searcher *s, uint32_t segment)
{
    qd_segment_docs *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->source = (qd_doc_source){d, resolve, block_f64, block_i64, value, id, qd_segment_count, qd_segment_value_at};
    d->searcher = s;
    d->segment = segment;
    d->text = qd_arena_new(MAX_TEXT_BYTES);
    if (!d->text) {
        free(d);
        return NULL;
    }
    return d;
}

static void drop_stored(qd_segment_docs *d)
{
    for (size_t i = 0; i < d->n_kept; i++)
        qd_stored_free(&d->kept[i]);
    if (d->n_kept)
        memset(d->kept_at, 0, QD_BLOCK_DOCS * sizeof *d->kept_at);
    qd_stored_free(&d->loose);
    d->loose = (qd_stored){0};
    d->n_kept = 0;
    d->kept_bytes = 0;
}

static void renew_text(qd_segment_docs *d)
{
    qd_arena *fresh = qd_arena_new(MAX_TEXT_BYTES);
    if (!fresh)
        return; /* the old one serves on, up to its bound */
    qd_arena_free(d->text);
    d->text = fresh;
    for (int i = 0; i < d->n_slots; i++)
        if (d->slots[i].dict)
            memset(d->slots[i].dict, 0, DICT_ENTRIES * sizeof *d->slots[i].dict);
}

void qd_segment_docs_begin(qd_segment_docs *d, size_t n, const uint32_t *docs)
{
    if (d->n_kept || d->loose.owner.owner)
        drop_stored(d);
    if (qd_arena_used(d->text) > TEXT_RENEW_BYTES)
        renew_text(d);
    d->block = docs;
    d->block_n = n;
    qd_segment_docs_view(d, n, docs);
}

void qd_segment_docs_view(qd_segment_docs *d, size_t n, const uint32_t *docs)
{
    d->docs = docs;
    d->n = n;
    d->view++;
}

qd_status qd_segment_docs_status(const qd_segment_docs *d, qd_error *err)
{
    if (d->status != QD_OK && err)
        *err = d->err;
    return d->status;
}

const qd_doc_source *qd_segment_docs_source(const qd_segment_docs *d)
{
    return &d->source;
}

void qd_segment_docs_close(qd_segment_docs *d)
{
    if (!d)
        return;
    drop_stored(d);
    for (int i = 0; i < d->n_slots; i++) {
        slot *s = &d->slots[i];
        qd_column_free(s->column);
        free(s->path);
        free(s->ords);
        free(s->ord_valid);
        free(s->dict);
    }
    free(d->slots);
    free(d->kept);
    free(d->kept_at);
    qd_arena_free(d->text);
    free(d);
}
