/* SPDX-License-Identifier: Apache-2.0 */
#include "index/mapping.h"

#include <stdlib.h>

#include "index/mapping_build.h"

static const char *const TYPE_NAMES[] = {
    [QD_FIELD_TEXT] = "text",       [QD_FIELD_KEYWORD] = "keyword", [QD_FIELD_LONG] = "long",
    [QD_FIELD_INTEGER] = "integer", [QD_FIELD_DOUBLE] = "double",   [QD_FIELD_FLOAT] = "float",
    [QD_FIELD_BOOLEAN] = "boolean", [QD_FIELD_DATE] = "date",       [QD_FIELD_GEO_POINT] = "geo_point",
};

const char *qd_field_type_name(qd_field_type t)
{
    return TYPE_NAMES[t];
}

const qd_field *qd_mapping_find(const qd_mapping *m, qd_str path)
{
    return qd_map_get(m->by_path, path);
}

/* ---- life ---- */

static void free_field(qd_field *f)
{
    if (!f)
        return;
    free(f->path);
    free(f);
}

static void free_mapping(qd_mapping *m)
{
    for (size_t i = 0; i < m->n_fields; i++)
        free_field(m->fields[i]);
    free(m->fields);
    qd_map_free(m->by_path, NULL);
    qd_map_free(m->objects, NULL);
    free(m);
}

qd_mapping *qd_mapping_ref(qd_mapping *m)
{
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

void qd_mapping_unref(qd_mapping *m)
{
    if (m && atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) == 1)
        free_mapping(m);
}

/* ---- building ---- */

qd_mapping *qd_mapping_alloc(uint32_t max_fields)
{
    qd_mapping *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    atomic_init(&m->refs, 1);
    m->max_fields = max_fields;
    m->by_path = qd_map_new();
    m->objects = qd_map_new();
    if (m->by_path && m->objects)
        return m;
    qd_mapping_unref(m);
    return NULL;
}

/* `fields` has room for a power of two. */
static bool reserve_field(qd_mapping *m)
{
    size_t n = m->n_fields;
    if ((n & (n - 1)) != 0)
        return true;
    qd_field **grown = realloc(m->fields, (n ? 2 * n : 1) * sizeof *grown);
    if (!grown)
        return false;
    m->fields = grown;
    return true;
}

qd_field *qd_mapping_append(qd_mapping *m, qd_str path, qd_field_type type, qd_field *parent)
{
    qd_field *f = calloc(1, sizeof *f);
    if (!f || !(f->path = qd_str_dup(path)) || !reserve_field(m) || !qd_map_put(m->by_path, path, f, NULL)) {
        free_field(f);
        return NULL;
    }
    f->type = type;
    f->indexed = true;
    f->has_column = type != QD_FIELD_TEXT;
    f->is_sub_field = parent != NULL;
    f->id = m->n_ids;
    m->n_ids += type == QD_FIELD_GEO_POINT ? 2 : 1;
    m->fields[m->n_fields++] = f;
    if (parent) {
        while (parent->next_sub)
            parent = parent->next_sub;
        parent->next_sub = f;
    }
    return f;
}

bool qd_mapping_add_object(qd_mapping *m, qd_str path)
{
    static char is_object;
    return qd_map_put(m->objects, path, &is_object, NULL);
}

void qd_mapping_number(qd_mapping *m)
{
    m->n_ids = 0;
    for (size_t i = 0; i < m->n_fields; i++) {
        m->fields[i]->id = m->n_ids;
        m->n_ids += m->fields[i]->type == QD_FIELD_GEO_POINT ? 2 : 1;
    }
}

/* The field that a sub-field's path extends by one name. */
static qd_field *parent_of(const qd_mapping *m, const qd_field *sub)
{
    const char *dot = strrchr(sub->path, '.');
    return dot ? qd_map_get(m->by_path, (qd_str){sub->path, (size_t)(dot - sub->path)}) : NULL;
}

qd_mapping *qd_mapping_copy(const qd_mapping *m)
{
    qd_mapping *copy = qd_mapping_alloc(m->max_fields);
    if (!copy)
        return NULL;
    copy->dynamic = m->dynamic;
    for (size_t i = 0; i < m->n_fields; i++) {
        const qd_field *from = m->fields[i];
        qd_field *parent = from->is_sub_field ? parent_of(copy, from) : NULL;
        qd_field *f = qd_mapping_append(copy, qd_str_of(from->path), from->type, parent);
        if (!f) {
            qd_mapping_unref(copy);
            return NULL;
        }
        f->indexed = from->indexed;
        f->has_column = from->has_column;
        f->ignore_above = from->ignore_above;
    }
    qd_str path;
    for (size_t i = 0; qd_map_next(m->objects, &i, &path, NULL);) {
        if (!qd_mapping_add_object(copy, path)) {
            qd_mapping_unref(copy);
            return NULL;
        }
    }
    return copy;
}

/* ---- writing ---- */

typedef struct entry {
    qd_str path;
    const qd_field *field; /* NULL: an object */
} entry;

/* By names from the left, so that what is in an object stands right behind it: a dot comes before every other byte. */
static int compare_entries(const void *a, const void *b)
{
    qd_str x = ((const entry *)a)->path, y = ((const entry *)b)->path;
    for (size_t i = 0; i < x.n && i < y.n; i++) {
        int p = x.p[i] == '.' ? 0 : (unsigned char)x.p[i] + 1, q = y.p[i] == '.' ? 0 : (unsigned char)y.p[i] + 1;
        if (p != q)
            return p < q ? -1 : 1;
    }
    return x.n < y.n ? -1 : x.n > y.n;
}

static void write_options(const qd_field *f, qd_json *w)
{
    qd_json_kv_z(w, "type", qd_field_type_name(f->type));
    if (!f->indexed)
        qd_json_kv_bool(w, "index", false);
    if (!f->has_column && f->type != QD_FIELD_TEXT)
        qd_json_kv_bool(w, "doc_values", false);
    if (f->ignore_above)
        qd_json_kv_i64(w, "ignore_above", f->ignore_above);
}

static void write_field(const qd_field *f, qd_json *w)
{
    qd_json_begin_object(w);
    write_options(f, w);
    if (f->next_sub) {
        qd_json_key(w, "fields");
        qd_json_begin_object(w);
        for (const qd_field *sub = f->next_sub; sub; sub = sub->next_sub) {
            qd_json_key(w, strrchr(sub->path, '.') + 1);
            qd_json_begin_object(w);
            write_options(sub, w);
            qd_json_end_object(w);
        }
        qd_json_end_object(w);
    }
    qd_json_end_object(w);
}

static bool is_under(qd_str path, qd_str object)
{
    return path.n > object.n && path.p[object.n] == '.' && memcmp(path.p, object.p, object.n) == 0;
}

/* Writes what stands in `object` (the first `n` entries belong to it or not) and returns how many that were. */
static size_t write_members(const entry *entries, size_t n, qd_str object, qd_json *w)
{
    size_t i = 0, skip = object.n ? object.n + 1 : 0;
    qd_json_key(w, "properties");
    qd_json_begin_object(w);
    while (i < n && (object.n == 0 || is_under(entries[i].path, object))) {
        const entry *e = &entries[i++];
        qd_json_key_str(w, (qd_str){e->path.p + skip, e->path.n - skip});
        if (e->field) {
            write_field(e->field, w);
            continue;
        }
        qd_json_begin_object(w);
        if (i < n && is_under(entries[i].path, e->path))
            i += write_members(entries + i, n - i, e->path, w);
        else
            qd_json_kv_z(w, "type", "object");
        qd_json_end_object(w);
    }
    qd_json_end_object(w);
    return i;
}

static size_t collect_entries(const qd_mapping *m, entry *out)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n_fields; i++)
        if (!m->fields[i]->is_sub_field)
            out[n++] = (entry){qd_str_of(m->fields[i]->path), m->fields[i]};
    qd_str path;
    for (size_t i = 0; qd_map_next(m->objects, &i, &path, NULL);)
        out[n++] = (entry){path, NULL};
    qsort(out, n, sizeof *out, compare_entries);
    return n;
}

void qd_mapping_write(const qd_mapping *m, qd_json *w, bool with_order)
{
    static const char *const DYNAMIC[] = {[QD_DYNAMIC_FALSE] = "false", [QD_DYNAMIC_STRICT] = "strict"};
    entry *entries = calloc(m->n_fields + qd_map_count(m->objects) + 1, sizeof *entries);
    if (!entries) {
        w->out->failed = true;
        return;
    }
    size_t n = collect_entries(m, entries);
    qd_json_begin_object(w);
    if (m->dynamic != QD_DYNAMIC_TRUE)
        qd_json_kv_z(w, "dynamic", DYNAMIC[m->dynamic]);
    if (n > 0)
        write_members(entries, n, (qd_str){"", 0}, w);
    if (with_order) {
        qd_json_key(w, "_order");
        qd_json_begin_array(w);
        for (size_t i = 0; i < m->n_fields; i++)
            qd_json_z(w, m->fields[i]->path);
        qd_json_end_array(w);
    }
    qd_json_end_object(w);
    free(entries);
}
