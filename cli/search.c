/* SPDX-License-Identifier: Apache-2.0
 *
 * `search`: builds a search body from the options, and shows the hits as a table. */
#include <math.h>
#include <stdio.h>

#include "answer.h"
#include "table.h"
#include "text.h"

#define DEFAULT_FIELDS 4 /* shown when --fields is not given */

/* The comma-separated words of `text` as a JSON list. */
static json_t *split(const char *text)
{
    json_t *list = json_array();
    while (*text) {
        size_t n = strcspn(text, ",");
        if (n)
            json_array_append_new(list, json_stringn(text, n));
        text += n + (text[n] == ',');
    }
    return list;
}

/* Collects the paths of a mapping's text fields, sub-fields too. Mappings nest as deep as JSON may (128). */
static void collect_text_fields(const json_t *properties, const char *prefix, json_t *out)
{
    const char *name;
    json_t *field;
    json_object_foreach ((json_t *)properties, name, field) {
        char path[512];
        int n = snprintf(path, sizeof path, "%s%s%s", prefix, *prefix ? "." : "", name);
        if (n < 0 || (size_t)n >= sizeof path)
            continue;
        if (strcmp(json_text_at(field, "type"), "text") == 0)
            json_array_append_new(out, json_string(path));
        collect_text_fields(json_at(field, "properties"), path, out);
        collect_text_fields(json_at(field, "fields"), path, out);
    }
}

static qd_status all_text_fields(qctl *q, const char *index, json_t **out, qd_error *err)
{
    answer reply;
    json_t *v = NULL, *mapping;
    const char *name;
    qd_buf path;
    qd_buf_init(&path, 4096);
    qd_buf_add_char(&path, '/');
    path_add(&path, index);
    qd_buf_add(&path, "/_mapping", sizeof "/_mapping");
    request rq = {.method = "GET", .path = path.p};
    qd_status rc =
        path.failed ? qd_fail(err, QD_EINVAL, "the index's name is too long") : call(q, &rq, &reply, &v, err);
    qd_buf_deinit(&path);
    if (rc)
        return rc;
    json_t *fields = json_array();
    json_object_foreach (v, name, mapping)
        collect_text_fields(json_at(mapping, "mappings.properties"), "", fields);
    if (json_array_size(fields) == 0)
        rc = qd_fail(err, QD_EINVAL, "index '%s' has no text field: name fields with --in, or give a --query", index);
    else
        *out = json_incref(fields);
    json_decref(fields);
    json_decref(v);
    answer_deinit(&reply);
    return rc;
}

static qd_status make_query(qctl *q, const args *a, json_t **out, qd_error *err)
{
    const char *text = a->n_words > 1 ? a->words[1] : NULL, *json = args_text(a, "query", NULL),
               *in = args_text(a, "in", NULL);
    json_t *fields = NULL;
    qd_status rc = QD_OK;
    if (text && json)
        return usage_error(err, "a text and --query: give one of them");
    if (json)
        return read_json(json, "the query", out, err);
    if (!text) {
        *out = json_pack("{s:{}}", "match_all");
    } else {
        if (in)
            fields = split(in);
        else if ((rc = all_text_fields(q, a->words[0], &fields, err)))
            return rc;
        *out = json_pack("{s:{s:s, s:o}}", "multi_match", "query", text, "fields", fields);
    }
    return *out ? QD_OK : qd_fail(err, QD_EINVAL, "the text to search for is not UTF-8");
}

/* Puts the functions around the query. `query` is taken. */
static qd_status add_functions(const args *a, json_t *query, json_t **out, qd_error *err)
{
    const char *filter = args_text(a, "filter-by", NULL), *score = args_text(a, "score-by", NULL),
               *text = args_text(a, "params", NULL);
    json_t *params = NULL;
    qd_status rc = QD_OK;
    if (text && !filter == !score) {
        json_decref(query);
        return usage_error(err,
                           "--params are those of --filter-by or of --score-by: give exactly one of the two with them");
    }
    if (text ? (rc = read_json(text, "the parameters", &params, err)) != QD_OK : !(params = json_object())) {
        json_decref(query);
        return rc ? rc : qd_fail_nomem(err);
    }
    if (filter) {
        const char *at = strchr(filter, '@');
        json_t *udf =
            json_pack("{s:s%, s:O}", "name", filter, at ? (size_t)(at - filter) : strlen(filter), "parameters", params);
        if (at)
            json_object_set_new(udf, "version", json_string(at + 1));
        query = json_pack("{s:{s:[o], s:[{s:o}]}}", "bool", "must", query, "filter", "wasm_udf", udf);
    }
    if (score)
        query = json_pack("{s:{s:o, s:{s:s, s:s, s:O}}}", "script_score", "query", query, "script", "lang", "wasm",
                          "source", score, "params", params);
    json_decref(params);
    *out = query;
    return query ? QD_OK : qd_fail_nomem(err);
}

/* "price:desc,name" */
static json_t *make_sort(const char *text)
{
    json_t *list = json_array();
    while (*text) {
        size_t n = strcspn(text, ","), name = strcspn(text, ":,");
        if (name < n)
            json_array_append_new(list, json_pack("{s%:s%}", text, name, text + name + 1, n - name - 1));
        else if (n)
            json_array_append_new(list, json_stringn(text, n));
        text += n + (text[n] == ',');
    }
    return list;
}

static qd_status make_body(qctl *q, const args *a, json_t **out, qd_error *err)
{
    json_t *query = NULL, *context = NULL, *body = NULL;
    int64_t size = 10, from = 0;
    const char *fields = args_text(a, "fields", NULL), *sort = args_text(a, "sort", NULL),
               *context_text = args_text(a, "context", NULL);
    qd_status rc = args_i64(a, "size", 0, 10000, &size, err);
    if (rc || (rc = args_i64(a, "from", 0, 10000, &from, err)))
        return rc;
    if (context_text && (rc = read_json(context_text, "the context", &context, err)))
        return rc;
    if ((rc = make_query(q, a, &query, err)) || (rc = add_functions(a, query, &query, err)))
        goto done;
    body = json_pack("{s:o, s:I, s:I}", "query", query, "size", (json_int_t)size, "from", (json_int_t)from);
    if (!body) {
        rc = qd_fail_nomem(err);
        goto done;
    }
    if (fields)
        json_object_set_new(body, "_source", split(fields));
    if (sort)
        json_object_set_new(body, "sort", make_sort(sort));
    if (sort)
        json_object_set_new(body, "track_scores", json_true());
    if (context)
        json_object_set(body, "context", context);
    *out = body;
done:
    json_decref(context);
    return rc;
}

/* Fields to show: those asked for, else the first few scalars of the first hit that has a source. */
static json_t *shown_fields(const args *a, const json_t *hits)
{
    const char *given = args_text(a, "fields", NULL), *name;
    json_t *hit, *value, *list;
    size_t i;
    if (given)
        return split(given);
    list = json_array();
    json_array_foreach (hits, i, hit) {
        json_object_foreach ((json_t *)json_at(hit, "_source"), name, value) {
            if (!json_is_object(value) && !json_is_array(value) && json_array_size(list) < DEFAULT_FIELDS)
                json_array_append_new(list, json_string(name));
        }
        if (json_array_size(list))
            break;
    }
    return list;
}

/* A field by its path, or by its whole name when documents have dots in names. */
static const json_t *field_of(const json_t *source, const char *path)
{
    const json_t *whole = json_object_get(source, path);
    return whole ? whole : json_at(source, path);
}

/* Numbers stand to the right; the first hit that has the field tells. */
static bool is_numeric(const json_t *hits, const char *field)
{
    json_t *hit;
    size_t i;
    json_array_foreach (hits, i, hit) {
        const json_t *v = field_of(json_at(hit, "_source"), field);
        if (v && !json_is_null(v))
            return json_is_number(v);
    }
    return false;
}

static void add_hit(table *t, const json_t *hit, const json_t *fields, int64_t rank)
{
    size_t i;
    json_t *field;
    const json_t *score = json_at(hit, "_score");
    table_cell_f(t, "%lld", (long long)rank);
    if (json_is_number(score))
        table_cell_f(t, "%.4f", json_number_value(score));
    else
        table_cell(t, "-");
    table_cell(t, json_text_at(hit, "_id"));
    json_array_foreach (fields, i, field) {
        qd_buf text;
        if (i + 3 >= TABLE_COLUMNS)
            break;
        qd_buf_init(&text, 16 << 20);
        text_json(&text, field_of(json_at(hit, "_source"), json_string_value(field)));
        table_cell_str(t, qd_buf_str(&text));
        qd_buf_deinit(&text);
    }
}

static qd_status print_hits(const qctl *q, const args *a, const json_t *v, double client_ms, qd_error *err)
{
    table t;
    size_t i;
    json_t *hit, *field;
    qd_status rc = QD_OK;
    int64_t from = 0;
    char total[TEXT_SIZE], ms[TEXT_SIZE];
    const json_t *hits = json_at(v, "hits.hits");
    json_t *fields = shown_fields(a, hits);
    if ((rc = args_i64(a, "from", 0, 10000, &from, err)))
        goto done;
    if (!q->is_quiet) {
        const char *relation = json_text_at(v, "hits.total.relation");
        printf("%s%s hit%s, took %lld ms (client %s)%s\n", strcmp(relation, "gte") == 0 ? "over " : "",
               text_count(json_i64_at(v, "hits.total.value"), total),
               json_i64_at(v, "hits.total.value") == 1 ? "" : "s", (long long)json_i64_at(v, "took"),
               text_ms(client_ms, ms),
               json_is_true(json_at(v, "timed_out")) ? ", timed out: not all documents were seen" : "");
    }
    if (json_array_size(hits) == 0)
        goto done;
    table_init(&t);
    table_column(&t, "#", true);
    table_column(&t, "SCORE", true);
    table_column(&t, "ID", false);
    json_array_foreach (fields, i, field)
        table_column(&t, json_string_value(field), is_numeric(hits, json_string_value(field)));
    json_array_foreach (hits, i, hit)
        add_hit(&t, hit, fields, from + (int64_t)i + 1);
    rc = table_print(&t, stdout, err);
    table_deinit(&t);
done:
    json_decref(fields);
    return rc;
}

qd_status search_run(qctl *q, const args *a, qd_error *err)
{
    answer reply;
    json_t *v = NULL, *body = NULL;
    qd_buf path, text;
    const char *file = args_text(a, "body", NULL);
    qd_status rc;
    if (file)
        rc = a->n_words > 1 ? usage_error(err, "a text and --body: give one of them")
                            : read_file(file, (size_t)64 << 20, &text, err);
    else if (!(rc = make_body(q, a, &body, err)))
        rc = write_json(body, &text, err);
    json_decref(body);
    if (rc)
        return rc;
    qd_buf_init(&path, 4096);
    qd_buf_add_char(&path, '/');
    path_add(&path, a->words[0]);
    qd_buf_add(&path, "/_search", sizeof "/_search");
    request rq = {.method = "POST", .path = path.p, .body = qd_buf_str(&text)};
    rc = path.failed ? qd_fail(err, QD_EINVAL, "the index's name is too long") : call(q, &rq, &reply, &v, err);
    qd_buf_deinit(&text);
    qd_buf_deinit(&path);
    if (rc)
        return rc;
    if (!print_raw(q, &reply))
        rc = print_hits(q, a, v, reply.ms, err);
    json_decref(v);
    answer_deinit(&reply);
    return rc;
}
