/* SPDX-License-Identifier: Apache-2.0
 *
 * The walk over a document's JSON events. The path of the key at hand grows and shrinks in one buffer; each open object
 * or array is a frame that remembers where its own path ends and which field it stands for, so that arrays of objects
 * flatten. */
#include "index/document.h"

#include <stddef.h>

#include "index/dates.h"
#include "index/document_value.h"
#include "index/mapping_build.h"
#include "index/seam.h"

#define MAX_DEPTH 64

/* Of one document, each value counted once per sub-field. Indexing takes some 100 times the memory of a small value,
 * and what has been logged is replayed: a document that was the end of one process would be that of the next too. */
#define MAX_VALUES       (4u << 20)
#define MAX_STRING_BYTES ((size_t)256 << 20)

typedef struct frame {
    size_t path_n;
    const qd_field *field; /* of what the frame stands for; NULL: an object, or unmapped */
    bool is_array;
    unsigned numbers;      /* in an array that is a geo point: how many coordinates so far */
} frame;

typedef struct walker {
    const qd_mapping *m;
    qd_str id;
    qe_doc *doc;
    json_t *additions; /* "path": definition; NULL: none so far */
    qd_error *err;
    qd_status st;
    const qd_field *field; /* of the value that comes next */
    unsigned depth;
    unsigned skipping; /* open containers of a part that is not read */
    bool in_point;     /* within a geo point's object */
    bool has_lat, has_lon;
    bool is_lon;       /* which of the two comes next */
    double lat, lon;
    double numbers[3];
    size_t values, string_bytes;
    size_t path_n;
    frame frames[MAX_DEPTH + 1];
    char path[QD_FIELD_PATH_MAX + 1];
} walker;

static bool stop(walker *w, qd_status st)
{
    w->st = st;
    return st == QD_OK;
}

static qd_str path_of(const walker *w)
{
    return (qd_str){w->path, w->path_n};
}

static bool in_array(const walker *w)
{
    return w->depth > 0 && w->frames[w->depth - 1].is_array;
}

static bool fail_point(walker *w, qe_event event, const qe_json_value *v)
{
    const qd_field *f = w->frames[w->depth - 1].field ? w->frames[w->depth - 1].field : w->field;
    return stop(w, qd_document_fail_value(f, event, v, w->id,
                                          "expected {\"lat\", \"lon\"}, [lon, lat], \"lat,lon\" or \"POINT (lon lat)\"",
                                          w->err));
}

/* ---- what the mapping does not know ---- */

static bool fail_strict(walker *w)
{
    qd_str path = path_of(w), parent = QD_STR("_doc");
    for (size_t i = path.n; i-- > 0;) {
        if (path.p[i] == '.') {
            parent = (qd_str){path.p, i};
            path = (qd_str){path.p + i + 1, path.n - i - 1};
            break;
        }
    }
    return stop(w, qd_fail_field(w->err, QD_EMAPPING, w->path,
                                 "mapping set to strict, dynamic introduction of [%.*s] within [%.*s] is not allowed",
                                 QD_STR_FMT(path), QD_STR_FMT(parent)));
}

/* The type that a value gives to its field, as OpenSearch's dynamic mapping has it. */
static json_t *definition_of(qe_event event, const qe_json_value *v)
{
    switch (event) {
    case QE_BEGIN_OBJECT:
        return json_pack("{s:s}", "type", "object");
    case QE_NUMBER_I64:
        return json_pack("{s:s}", "type", "long");
    case QE_NUMBER_F64:
        return json_pack("{s:s}", "type", "float");
    case QE_STRING:
        if (qd_date_detect((qd_str){v->s, v->n}))
            return json_pack("{s:s}", "type", "date");
        return json_pack("{s:s,s:{s:{s:s,s:i}}}", "type", "text", "fields", "keyword", "type", "keyword",
                         "ignore_above", QD_DYNAMIC_IGNORE_ABOVE);
    default:
        return json_pack("{s:s}", "type", "boolean");
    }
}

/* A field or object that the mapping lacks: noted the first time. */
static bool note_addition(walker *w, qe_event event, const qe_json_value *v)
{
    if (memchr(w->path, '\0', w->path_n))
        return stop(w, qd_fail(w->err, QD_EMAPPING, "field name [%.200s…] contains a null character", w->path));
    if (!w->additions)
        w->additions = json_object();
    if (w->additions && json_object_getn(w->additions, w->path, w->path_n))
        return true;
    json_t *definition = w->additions ? definition_of(event, v) : NULL;
    if (!definition || json_object_setn_new(w->additions, w->path, w->path_n, definition) != 0)
        return stop(w, qd_fail_nomem(w->err));
    return true;
}

/* ---- geo points ---- */

/* Whether the document may have a value more. */
static bool count_value(walker *w, const qd_field *f, size_t string_bytes)
{
    size_t copies = 1;
    for (const qd_field *sub = f->next_sub; sub; sub = sub->next_sub)
        copies++;
    w->values += copies;
    w->string_bytes += copies * string_bytes;
    if (w->values > MAX_VALUES)
        return stop(w, qd_fail_field(w->err, QD_ETOOLARGE, f->path,
                                     "the document has more than %u values, sub-fields included", MAX_VALUES));
    if (w->string_bytes > MAX_STRING_BYTES)
        return stop(w, qd_fail_field(w->err, QD_ETOOLARGE, f->path,
                                     "the strings of the document have more than %zu bytes, sub-fields included",
                                     MAX_STRING_BYTES));
    return true;
}

static bool add_value(walker *w, qe_event event, const qe_json_value *v)
{
    if (w->additions)
        return true;
    return count_value(w, w->field, event == QE_STRING ? v->n : 0) &&
           stop(w, qd_document_add_value(w->doc, w->field, event, v, w->id, w->err));
}

static bool add_point(walker *w, const qd_field *f, double lat, double lon)
{
    if (!w->additions && !count_value(w, f, 0))
        return false;
    return w->additions ? true : stop(w, qd_document_add_point(w->doc, f, lat, lon, w->id, w->err));
}

static bool point_event(walker *w, qe_event event, const qe_json_value *v)
{
    if (event == QE_KEY) {
        qd_str key = {v->s, v->n};
        w->is_lon = qd_str_is(key, "lon");
        return w->is_lon || qd_str_is(key, "lat") || fail_point(w, QE_STRING, v);
    }
    if (event == QE_END_OBJECT) {
        w->in_point = false;
        if (!w->has_lat || !w->has_lon)
            return fail_point(w, QE_NULL, NULL);
        return add_point(w, w->field, w->lat, w->lon);
    }
    if (!qd_document_number(event, v, w->is_lon ? &w->lon : &w->lat))
        return fail_point(w, event, event == QE_STRING ? v : NULL);
    w->has_lon = w->has_lon || w->is_lon;
    w->has_lat = w->has_lat || !w->is_lon;
    return true;
}

static bool add_coordinate(walker *w, qe_event event, const qe_json_value *v)
{
    frame *top = &w->frames[w->depth - 1];
    if (!top->is_array || top->numbers == 3)
        return fail_point(w, event, v);
    return qd_document_number(event, v, &w->numbers[top->numbers++]);
}

/* ---- events ---- */

static bool on_key(walker *w, const qe_json_value *v)
{
    size_t at = w->frames[w->depth - 1].path_n;
    if (at + 1 + v->n > QD_FIELD_PATH_MAX)
        return stop(w, qd_fail(w->err, QD_EMAPPING, "field name [%.60s…] is too long: a path has at most %d bytes",
                               v->s, QD_FIELD_PATH_MAX));
    if (at > 0)
        w->path[at++] = '.';
    if (v->n > 0)
        memcpy(w->path + at, v->s, v->n);
    w->path_n = at + v->n;
    w->path[w->path_n] = '\0';
    w->field = qd_mapping_find(w->m, path_of(w));
    return true;
}

static bool push(walker *w, bool is_array)
{
    w->frames[w->depth++] = (frame){w->path_n, w->field, is_array, 0};
    return true;
}

static bool is_mapped_object(const walker *w)
{
    return qd_map_get(w->m->objects, path_of(w)) != NULL;
}

static bool begin_object(walker *w)
{
    if (w->depth == 0)
        return push(w, false);
    if (w->field && w->field->type == QD_FIELD_GEO_POINT) {
        if (w->frames[w->depth - 1].numbers > 0)
            return fail_point(w, QE_NULL, NULL);
        w->in_point = true;
        w->has_lat = w->has_lon = false;
        return true;
    }
    if (w->field)
        return stop(w,
                    qd_document_fail_value(w->field, QE_NULL, NULL, w->id, "expected a value, got an object", w->err));
    if (!is_mapped_object(w)) {
        if (w->m->dynamic == QD_DYNAMIC_STRICT)
            return fail_strict(w);
        if (w->m->dynamic == QD_DYNAMIC_FALSE) {
            w->skipping = 1;
            return true;
        }
        if (!note_addition(w, QE_BEGIN_OBJECT, NULL))
            return false;
    }
    return push(w, false);
}

static bool fail_root(walker *w)
{
    return stop(w, qd_fail(w->err, QD_EMAPPING, "failed to parse: a document must be a JSON object"));
}

static bool begin_array(walker *w)
{
    if (w->depth == 0)
        return fail_root(w);
    if (w->frames[w->depth - 1].numbers > 0)
        return fail_point(w, QE_NULL, NULL);
    if (!w->field && !is_mapped_object(w)) {
        if (w->m->dynamic == QD_DYNAMIC_STRICT)
            return fail_strict(w);
        if (w->m->dynamic == QD_DYNAMIC_FALSE) {
            w->skipping = 1;
            return true;
        }
    }
    return push(w, true);
}

static bool end_container(walker *w)
{
    frame closed = w->frames[--w->depth];
    if (w->depth > 0) {
        /* Back to what the surrounding frame is about; a key will set both anew, the next element of an array will not.
         */
        const frame *top = &w->frames[w->depth - 1];
        w->path_n = top->path_n;
        w->path[w->path_n] = '\0';
        w->field = top->field;
    }
    if (closed.numbers == 0)
        return true;
    if (closed.numbers < 2)
        return stop(w, qd_document_fail_value(closed.field, QE_NULL, NULL, w->id,
                                              "[geo_point] in array form needs [lon, lat]", w->err));
    return add_point(w, closed.field, w->numbers[1], w->numbers[0]);
}

static bool on_scalar(walker *w, qe_event event, const qe_json_value *v)
{
    if (w->depth == 0)
        return fail_root(w);
    if (event == QE_NULL)
        return true;
    if (w->field) {
        if (w->field->is_sub_field)
            return stop(w, qd_fail_field(w->err, QD_EMAPPING, w->field->path,
                                         "field [%s] is a sub-field: its values come from the field that it belongs to",
                                         w->field->path));
        if (w->field->type == QD_FIELD_GEO_POINT && (event == QE_NUMBER_I64 || event == QE_NUMBER_F64))
            return add_coordinate(w, event, v);
        if (in_array(w) && w->frames[w->depth - 1].numbers > 0)
            return fail_point(w, event, v);
        return add_value(w, event, v);
    }
    if (is_mapped_object(w))
        return stop(
            w, qd_fail_field(
                   w->err, QD_EMAPPING, w->path,
                   "object mapping for [%.200s] tried to parse field [%.200s] as object, but found a concrete value",
                   w->path, w->path));
    if (w->m->dynamic == QD_DYNAMIC_STRICT)
        return fail_strict(w);
    return w->m->dynamic == QD_DYNAMIC_FALSE || note_addition(w, event, v);
}

static bool on_event(void *arg, qe_event event, const qe_json_value *v)
{
    walker *w = arg;
    if (w->skipping) {
        w->skipping += event == QE_BEGIN_OBJECT || event == QE_BEGIN_ARRAY;
        w->skipping -= event == QE_END_OBJECT || event == QE_END_ARRAY;
        return true;
    }
    if (w->in_point)
        return point_event(w, event, v);
    switch (event) {
    case QE_KEY:
        return on_key(w, v);
    case QE_BEGIN_OBJECT:
        return begin_object(w);
    case QE_BEGIN_ARRAY:
        return begin_array(w);
    case QE_END_OBJECT:
    case QE_END_ARRAY:
        return end_container(w);
    default:
        return on_scalar(w, event, v);
    }
}

static qd_status run(walker *w, qd_str source)
{
    qe_error seam = {0};
    int rc = qe_json_read(source.p ? source.p : "", source.n, MAX_DEPTH, on_event, w, &seam);
    if (w->st != QD_OK)
        return w->st;
    qd_status st = qd_seam_status(rc, &seam, "failed to parse", w->err);
    return st;
}

qd_status qd_document_parse_named(const qd_mapping *m, qd_str id, qd_str source, qe_doc **out, json_t **additions,
                                  qd_error *err)
{
    walker w; /* not zeroed whole: it is large, and this is the hot path of indexing */
    memset(&w, 0, offsetof(walker, frames));
    w.m = m;
    w.id = id;
    w.err = err;
    w.path[0] = '\0';
    w.doc = qe_doc_new();
    qd_status st = w.doc ? run(&w, source) : qd_fail_nomem(err);
    if (st == QD_OK && !w.additions) {
        *out = QD_TAKE(w.doc);
    } else if (st == QD_OK) {
        *additions = json_pack("{s:O}", "properties", w.additions);
        if (!*additions)
            st = qd_fail_nomem(err);
    }
    json_decref(w.additions);
    qe_doc_free(w.doc);
    return st;
}

qd_status qd_document_parse(const qd_mapping *m, qd_str source, qe_doc **out, json_t **additions, qd_error *err)
{
    return qd_document_parse_named(m, (qd_str){"", 0}, source, out, additions, err);
}
