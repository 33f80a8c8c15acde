/* SPDX-License-Identifier: Apache-2.0
 *
 * From a mapping body to fields. A body is merged into a copy of the mapping that it changes; a new mapping is a merge
 * into an empty one. What a field may say about itself is one table (OPTIONS): a new option is one row and one
 * function. */
#include <stdlib.h>

#include "index/mapping.h"
#include "index/mapping_build.h"

typedef struct merger {
    qd_mapping *m;  /* the copy that changes */
    bool has_changed;
    char path[QD_FIELD_PATH_MAX + 1]; /* of the field or object at hand */
    size_t path_n;
} merger;

/* What a body says about one field, before it is compared with what is there. */
typedef struct definition {
    qd_field_type type;
    bool indexed, has_column;
    uint32_t ignore_above;
    const json_t *sub_fields;
} definition;

static qd_str path_of(const merger *g)
{
    return (qd_str){g->path, g->path_n};
}

/* ---- one field's options ---- */

typedef qd_status option_fn(const char *path, const char *key, const json_t *v, definition *d, qd_error *err);

static qd_status wrong_option(const char *path, const char *key, const char *expected, qd_error *err)
{
    return qd_fail_field(err, QD_EMAPPING, path, "field [%s]: the option '%s' must be %s", path, key, expected);
}

static qd_status read_bool(const char *path, const char *key, const json_t *v, bool *out, qd_error *err)
{
    const char *text = json_string_value(v);
    if (json_is_boolean(v))
        *out = json_is_true(v);
    else if (text && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0))
        *out = text[0] == 't';
    else
        return wrong_option(path, key, "true or false", err);
    return QD_OK;
}

static qd_status option_type(const char *path, const char *key, const json_t *v, definition *d, qd_error *err)
{
    (void)path, (void)key, (void)v, (void)d, (void)err;
    return QD_OK; /* read before the others, because it says which of them are allowed */
}

static qd_status option_index(const char *path, const char *key, const json_t *v, definition *d, qd_error *err)
{
    return read_bool(path, key, v, &d->indexed, err);
}

static qd_status option_doc_values(const char *path, const char *key, const json_t *v, definition *d, qd_error *err)
{
    return read_bool(path, key, v, &d->has_column, err);
}

static qd_status option_store(const char *path, const char *key, const json_t *v, definition *d, qd_error *err)
{
    bool store = false;
    (void)d;
    qd_status st = read_bool(path, key, v, &store, err);
    if (st == QD_OK && store)
        st = wrong_option(path, key, "false: fields are not stored one by one, `_source` holds them all", err);
    return st;
}

static qd_status option_analyzer(const char *path, const char *key, const json_t *v, definition *d, qd_error *err)
{
    (void)d;
    if (json_is_string(v) && strcmp(json_string_value(v), "standard") == 0)
        return QD_OK;
    return wrong_option(path, key, "\"standard\": no other analyzer is supported yet", err);
}

static qd_status option_ignore_above(const char *path, const char *key, const json_t *v, definition *d, qd_error *err)
{
    json_int_t n = json_integer_value(v);
    if (!json_is_integer(v) || n < 1 || n > INT32_MAX)
        return wrong_option(path, key, "a whole number of characters from 1 to 2147483647", err);
    d->ignore_above = n == INT32_MAX ? 0 : (uint32_t)n; /* OpenSearch writes its "no limit" so */
    return QD_OK;
}

static qd_status option_format(const char *path, const char *key, const json_t *v, definition *d, qd_error *err)
{
    static const char *const FORMATS[] = {"strict_date_optional_time||epoch_millis", "strict_date_optional_time"};
    (void)d;
    for (size_t i = 0; json_is_string(v) && i < sizeof FORMATS / sizeof *FORMATS; i++)
        if (strcmp(json_string_value(v), FORMATS[i]) == 0)
            return QD_OK;
    return wrong_option(path, key, "\"strict_date_optional_time||epoch_millis\": no other format is supported yet",
                        err);
}

static qd_status option_fields(const char *path, const char *key, const json_t *v, definition *d, qd_error *err)
{
    if (!json_is_object(v))
        return wrong_option(path, key, "an object of sub-fields", err);
    d->sub_fields = v;
    return QD_OK;
}

#define BIT(type) (1u << (type))
#define STRINGS   (BIT(QD_FIELD_TEXT) | BIT(QD_FIELD_KEYWORD))
#define EVERY     ((1u << (QD_FIELD_GEO_POINT + 1)) - 1)

static const struct option {
    const char *name;
    unsigned types; /* that take it */
    option_fn *read;
} OPTIONS[] = {
    {"type", EVERY, option_type},
    {"index", EVERY, option_index},
    {"doc_values", EVERY & ~BIT(QD_FIELD_TEXT), option_doc_values},
    {"store", EVERY, option_store},
    {"analyzer", BIT(QD_FIELD_TEXT), option_analyzer},
    {"search_analyzer", BIT(QD_FIELD_TEXT), option_analyzer},
    {"ignore_above", BIT(QD_FIELD_KEYWORD), option_ignore_above},
    {"format", BIT(QD_FIELD_DATE), option_format},
    {"fields", STRINGS, option_fields},
};

static qd_status unknown_option(const char *path, const char *key, qd_field_type type, qd_error *err)
{
    char list[160];
    size_t n = 0;
    list[0] = '\0';
    for (size_t i = 0; i < sizeof OPTIONS / sizeof *OPTIONS && n < sizeof list; i++)
        if (OPTIONS[i].types & BIT(type))
            n += (size_t)snprintf(list + n, sizeof list - n, "%s'%s'", n ? ", " : "", OPTIONS[i].name);
    return qd_fail_field(err, QD_EMAPPING, path,
                         "unknown parameter [%.64s] on mapper [%s] of type [%s]: it is not supported; expected only %s",
                         key, path, qd_field_type_name(type), list);
}

static qd_status read_options(const char *path, const json_t *body, definition *d, qd_error *err)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)body, key, v)
    {
        const struct option *found = NULL;
        for (size_t i = 0; i < sizeof OPTIONS / sizeof *OPTIONS && !found; i++)
            if (strcmp(OPTIONS[i].name, key) == 0 && (OPTIONS[i].types & BIT(d->type)))
                found = &OPTIONS[i];
        qd_status st = found ? found->read(path, key, v, d, err) : unknown_option(path, key, d->type, err);
        if (st != QD_OK)
            return st;
    }
    return QD_OK;
}

static qd_status read_type(const char *path, const json_t *body, qd_field_type *out, qd_error *err)
{
    const json_t *v = json_object_get(body, "type");
    if (!json_is_string(v))
        return qd_fail_field(err, QD_EMAPPING, path, "No type specified for field [%s]", path);
    for (qd_field_type t = QD_FIELD_TEXT; t <= QD_FIELD_GEO_POINT; t++) {
        if (strcmp(qd_field_type_name(t), json_string_value(v)) == 0) {
            *out = t;
            return QD_OK;
        }
    }
    return qd_fail_field(
        err, QD_EMAPPING, path,
        "No handler for type [%.64s] declared on field [%s]: expected text, keyword, long, integer, double, "
        "float, boolean, date, geo_point or object (nested and others are not supported yet)",
        json_string_value(v), path);
}

/* ---- paths ---- */

static bool is_metadata_name(qd_str name)
{
    static const char *const NAMES[] = {"_id",           "_source",    "_index",       "_routing", "_seq_no",
                                        "_primary_term", "_version",   "_field_names", "_ignored", "_type",
                                        "_nested_path",  "_doc_count", "_score"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (qd_str_is(name, NAMES[i]))
            return true;
    return false;
}

static qd_status bad_name(const char *name, qd_error *err)
{
    return qd_fail_field(err, QD_EMAPPING, name,
                         "object field starting or ending with a [.] makes object resolution ambiguous: [%.200s]",
                         name);
}

/* U+0000 to U+001F, U+007F to U+009F. The seam refuses them, and by then it would be too late. */
static bool has_control(const char *name)
{
    for (const unsigned char *c = (const unsigned char *)name; *c; c++)
        if (*c < 0x20 || *c == 0x7F || (c[0] == 0xC2 && c[1] >= 0x80 && c[1] < 0xA0))
            return true;
    return false;
}

/* Is a part between dots there and nothing but spaces? Parts are written as objects, each of which has a name of its
 * own. */
static bool has_blank_part(const char *name)
{
    for (;;) {
        size_t spaces = strspn(name, " \t"), n = strcspn(name, ".");
        if (n > 0 && spaces == n)
            return true;
        if (!name[n])
            return false;
        name += n + 1;
    }
}

static qd_status check_name(const merger *g, const char *name, qd_error *err)
{
    size_t n = strlen(name);
    if (n == 0 || has_blank_part(name))
        return qd_fail(err, QD_EMAPPING, "field name cannot be an empty string or only whitespace (in [%s])", g->path);
    if (has_control(name))
        return qd_fail(err, QD_EMAPPING, "a field name must not contain control characters (in [%s])",
                       g->path_n ? g->path : "_doc");
    if (name[0] == '.' || name[n - 1] == '.' || strstr(name, ".."))
        return bad_name(name, err);
    if (g->path_n == 0 && is_metadata_name((qd_str){name, strcspn(name, ".")}))
        return qd_fail_field(
            err, QD_EMAPPING, name,
            "Field [%s] is a metadata field and cannot be added inside a document. Use the index API request "
            "parameters.",
            name);
    if (g->path_n + 1 + n > QD_FIELD_PATH_MAX)
        return qd_fail_field(err, QD_EMAPPING, name, "field [%.80s…]: its path is longer than %d bytes", name,
                             QD_FIELD_PATH_MAX);
    return QD_OK;
}

static void push_name(merger *g, const char *name)
{
    size_t n = strlen(name);
    if (g->path_n > 0)
        g->path[g->path_n++] = '.';
    memcpy(g->path + g->path_n, name, n + 1);
    g->path_n += n;
}

static void pop_to(merger *g, size_t path_n)
{
    g->path_n = path_n;
    g->path[path_n] = '\0';
}

static qd_status check_room(const merger *g, qd_error *err)
{
    if (g->m->n_fields + qd_map_count(g->m->objects) < g->m->max_fields)
        return QD_OK;
    return qd_fail(err, QD_EMAPPING, "Limit of total fields [%u] has been exceeded", g->m->max_fields);
}

static qd_status add_object(merger *g, qd_str path, qd_error *err)
{
    if (qd_map_get(g->m->objects, path))
        return QD_OK;
    if (qd_map_get(g->m->by_path, path))
        return qd_fail_field(err, QD_EMAPPING, g->path,
                             "can't merge a non object mapping [%.*s] with an object mapping", QD_STR_FMT(path));
    qd_status st = check_room(g, err);
    if (st != QD_OK)
        return st;
    g->has_changed = true;
    return qd_mapping_add_object(g->m, path) ? QD_OK : qd_fail_nomem(err);
}

/* The objects that the path at hand goes through, which a dotted name may bring along. */
static qd_status add_parents(merger *g, qd_error *err)
{
    unsigned depth = 1;
    for (size_t i = 0; i < g->path_n; i++) {
        if (g->path[i] != '.')
            continue;
        if (++depth > QD_MAPPING_MAX_DEPTH)
            return qd_fail_field(err, QD_EMAPPING, g->path,
                                 "Limit of mapping depth [%d] has been exceeded due to object field [%.100s]",
                                 QD_MAPPING_MAX_DEPTH, g->path);
        qd_status st = add_object(g, (qd_str){g->path, i}, err);
        if (st != QD_OK)
            return st;
    }
    return QD_OK;
}

/* ---- merging ---- */

static qd_status check_same(const qd_field *f, const definition *d, qd_error *err)
{
    if (f->type != d->type)
        return qd_fail_field(err, QD_EMAPPING, f->path, "mapper [%s] cannot be changed from type [%s] to [%s]", f->path,
                             qd_field_type_name(f->type), qd_field_type_name(d->type));
    const char *option = f->indexed != d->indexed ? "index" : f->has_column != d->has_column ? "doc_values" : NULL;
    bool was = f->indexed != d->indexed ? f->indexed : f->has_column;
    if (option)
        return qd_fail_field(
            err, QD_EMAPPING, f->path,
            "Mapper for [%s] conflicts with existing mapper: Cannot update parameter [%s] from [%s] to [%s]", f->path,
            option, was ? "true" : "false", was ? "false" : "true");
    return QD_OK;
}

/* The field at hand with this definition: found or made. `parent`: when it is a sub-field. */
static qd_status merge_field(merger *g, const definition *d, qd_field *parent, qd_field **out, qd_error *err)
{
    qd_field *f = qd_map_get(g->m->by_path, path_of(g));
    if (!f && qd_map_get(g->m->objects, path_of(g)))
        return qd_fail_field(err, QD_EMAPPING, g->path, "can't merge an object mapping [%s] with a non object mapping",
                             g->path);
    if (f && f->is_sub_field != (parent != NULL))
        return qd_fail_field(err, QD_EMAPPING, g->path,
                             "field [%s] is a sub-field and cannot also be defined by itself", g->path);
    if (!f) {
        qd_status st = check_room(g, err);
        if (st != QD_OK)
            return st;
        f = qd_mapping_append(g->m, path_of(g), d->type, parent);
        if (!f)
            return qd_fail_nomem(err);
        f->indexed = d->indexed;
        f->has_column = d->has_column;
        g->has_changed = true;
    } else {
        qd_status st = check_same(f, d, err);
        if (st != QD_OK)
            return st;
        g->has_changed = g->has_changed || f->ignore_above != d->ignore_above;
    }
    f->ignore_above = d->ignore_above;
    *out = f;
    return QD_OK;
}

static qd_status read_definition(const merger *g, const json_t *body, definition *d, qd_error *err)
{
    qd_status st = read_type(g->path, body, &d->type, err);
    if (st != QD_OK)
        return st;
    d->indexed = true;
    d->has_column = d->type != QD_FIELD_TEXT;
    return read_options(g->path, body, d, err);
}

static qd_status merge_sub_field(merger *g, const char *name, const json_t *body, qd_field *parent, qd_error *err)
{
    definition d = {0};
    qd_field *f = NULL;
    size_t path_n = g->path_n;
    if (!json_is_object(body))
        return qd_fail_field(err, QD_EMAPPING, g->path, "field [%s]: sub-field [%.64s] must be an object, got %s",
                             g->path, name, qd_json_type_name(body));
    if (*name == '\0' || strchr(name, '.'))
        return bad_name(name, err);
    qd_status st = check_name(g, name, err);
    if (st != QD_OK)
        return st;
    push_name(g, name);
    st = read_definition(g, body, &d, err);
    if (st == QD_OK && !(BIT(d.type) & STRINGS))
        st = qd_fail_field(err, QD_EMAPPING, g->path,
                           "sub-field [%s] of type [%s]: only text and keyword sub-fields are supported yet", g->path,
                           qd_field_type_name(d.type));
    if (st == QD_OK && d.sub_fields)
        st = qd_fail_field(err, QD_EMAPPING, g->path, "sub-field [%s] cannot have sub-fields itself", g->path);
    if (st == QD_OK)
        st = merge_field(g, &d, parent, &f, err);
    pop_to(g, path_n);
    return st;
}

static qd_status merge_leaf(merger *g, const json_t *body, qd_error *err)
{
    definition d = {0};
    qd_field *f = NULL;
    const char *name;
    json_t *sub;
    qd_status st = read_definition(g, body, &d, err);
    if (st == QD_OK)
        st = merge_field(g, &d, NULL, &f, err);
    if (st != QD_OK || !d.sub_fields)
        return st;
    json_object_foreach((json_t *)d.sub_fields, name, sub)
    {
        st = merge_sub_field(g, name, sub, f, err);
        if (st != QD_OK)
            return st;
    }
    return QD_OK;
}

static bool is_object_body(const json_t *body)
{
    const char *type = json_string_value(json_object_get(body, "type"));
    return type ? strcmp(type, "object") == 0 : json_object_get(body, "properties") && !json_object_get(body, "type");
}

static qd_status merge_properties(merger *g, const json_t *properties, qd_error *err);

static qd_status merge_object(merger *g, const json_t *body, qd_error *err)
{
    static const char *const ALLOWED[] = {"type", "properties", NULL};
    char where[128];
    snprintf(where, sizeof where, "object field [%.100s]", g->path);
    qd_status st = qd_json_only(body, where, ALLOWED, QD_EMAPPING, err);
    if (st == QD_OK)
        st = add_object(g, path_of(g), err);
    const json_t *properties = json_object_get(body, "properties");
    return st == QD_OK && properties ? merge_properties(g, properties, err) : st;
}

/* Recurses as deep as objects do, which add_parents bounds. */
static qd_status merge_properties(merger *g, const json_t *properties, qd_error *err)
{
    const char *name;
    json_t *body;
    if (!json_is_object(properties))
        return qd_fail(err, QD_EMAPPING, "[properties] of [%s] must be an object, got %s", g->path_n ? g->path : "_doc",
                       qd_json_type_name(properties));
    json_object_foreach((json_t *)properties, name, body)
    {
        size_t path_n = g->path_n;
        qd_status st = check_name(g, name, err);
        if (st != QD_OK)
            return st;
        push_name(g, name);
        if (!json_is_object(body))
            st = qd_fail_field(err, QD_EMAPPING, g->path, "Expected map for property [%s] but got %s", g->path,
                               qd_json_type_name(body));
        if (st == QD_OK)
            st = add_parents(g, err);
        if (st == QD_OK)
            st = is_object_body(body) ? merge_object(g, body, err) : merge_leaf(g, body, err);
        pop_to(g, path_n);
        if (st != QD_OK)
            return st;
    }
    return QD_OK;
}

static qd_status merge_dynamic(merger *g, const json_t *v, qd_error *err)
{
    static const char *const NAMES[] = {
        [QD_DYNAMIC_TRUE] = "true", [QD_DYNAMIC_FALSE] = "false", [QD_DYNAMIC_STRICT] = "strict"};
    const char *text = json_is_true(v) ? "true" : json_is_false(v) ? "false" : json_string_value(v);
    for (qd_dynamic d = QD_DYNAMIC_TRUE; text && d <= QD_DYNAMIC_STRICT; d++) {
        if (strcmp(text, NAMES[d]) == 0) {
            g->has_changed = g->has_changed || g->m->dynamic != d;
            g->m->dynamic = d;
            return QD_OK;
        }
    }
    return qd_fail_field(err, QD_EMAPPING, "dynamic", "mapping: 'dynamic' must be true, false or \"strict\"");
}

static qd_status merge_body(merger *g, const json_t *body, const char *const *allowed, qd_error *err)
{
    if (!body)
        return QD_OK;
    if (!json_is_object(body))
        return qd_fail(err, QD_EMAPPING, "mapping: expected an object, got %s", qd_json_type_name(body));
    qd_status st = qd_json_only(body, "mapping", allowed, QD_EMAPPING, err);
    const json_t *dynamic = json_object_get(body, "dynamic"), *properties = json_object_get(body, "properties");
    if (st == QD_OK && dynamic)
        st = merge_dynamic(g, dynamic, err);
    if (st == QD_OK && properties)
        st = merge_properties(g, properties, err);
    return st;
}

/* Puts the fields into the order in which they were defined, as qd_mapping_write kept it: their ids follow from it. */
static qd_status restore_order(qd_mapping *m, const json_t *order, qd_error *err)
{
    if (json_array_size(order) != m->n_fields)
        return qd_fail(err, QD_EMAPPING, "mapping: '_order' lists %zu fields, there are %zu", json_array_size(order),
                       m->n_fields);
    for (size_t i = 0; i < m->n_fields; i++) {
        const char *path = json_string_value(json_array_get(order, i));
        qd_field *f = path ? qd_map_get(m->by_path, qd_str_of(path)) : NULL;
        size_t at = i;
        while (at < m->n_fields && m->fields[at] != f)
            at++;
        if (at == m->n_fields)
            return qd_fail(err, QD_EMAPPING, "mapping: '_order' names [%.64s], which is not a field, or is named twice",
                           path ? path : "");
        m->fields[at] = m->fields[i];
        m->fields[i] = f;
    }
    qd_mapping_number(m);
    return QD_OK;
}

qd_status qd_mapping_new(const json_t *body, uint32_t max_fields, qd_mapping **out, qd_error *err)
{
    static const char *const ALLOWED[] = {"dynamic", "properties", "_order", NULL};
    merger g = {.m = qd_mapping_alloc(max_fields)};
    if (!g.m)
        return qd_fail_nomem(err);
    qd_status st = merge_body(&g, body, ALLOWED, err);
    const json_t *order = body ? json_object_get(body, "_order") : NULL;
    if (st == QD_OK && order)
        st = restore_order(g.m, order, err);
    if (st == QD_OK)
        *out = QD_TAKE(g.m);
    qd_mapping_unref(g.m);
    return st;
}

qd_status qd_mapping_merge(qd_mapping *m, const json_t *body, qd_mapping **out, qd_error *err)
{
    static const char *const ALLOWED[] = {"dynamic", "properties", NULL};
    merger g = {.m = qd_mapping_copy(m)};
    if (!g.m)
        return qd_fail_nomem(err);
    qd_status st = merge_body(&g, body, ALLOWED, err);
    if (st == QD_OK)
        *out = g.has_changed ? QD_TAKE(g.m) : qd_mapping_ref(m);
    qd_mapping_unref(g.m);
    return st;
}
