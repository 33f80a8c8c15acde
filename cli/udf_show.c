/* SPDX-License-Identifier: Apache-2.0 */
#include "answer.h"
#include "table.h"
#include "text.h"

static void add_versions(table *t, const json_t *versions)
{
    qd_buf text;
    size_t i;
    json_t *version;
    qd_buf_init(&text, 64 << 10);
    json_array_foreach (versions, i, version) {
        qd_buf_add_z(&text, i ? ", " : "");
        text_json(&text, version);
    }
    table_cell_str(t, qd_buf_str(&text));
    qd_buf_deinit(&text);
}

static qd_status print_list(const json_t *v, qd_error *err)
{
    table t;
    size_t i;
    json_t *udf;
    table_init(&t);
    table_column(&t, "NAME", false);
    table_column(&t, "ACTIVE", false);
    table_column(&t, "VERSIONS", false);
    table_column(&t, "CATEGORY", false);
    table_column(&t, "DESCRIPTION", false);
    json_array_foreach (json_at(v, "udfs"), i, udf) {
        table_cell(&t, json_text_at(udf, "name"));
        table_cell(&t, json_text_at(udf, "active_version"));
        add_versions(&t, json_at(udf, "versions"));
        table_cell(&t, json_text_at(udf, "category"));
        table_cell(&t, json_text_at(udf, "description"));
    }
    qd_status rc = table_print(&t, stdout, err);
    table_deinit(&t);
    size_t shown = json_array_size(json_at(v, "udfs"));
    int64_t total = json_i64_at(v, "total");
    if (!rc && total > (int64_t)shown)
        printf("%zu of %lld functions; --page and --size show more\n", shown, (long long)total);
    return rc;
}

qd_status udf_list(qctl *q, const args *a, qd_error *err)
{
    static const char *const filters[] = {"name", "tag", "category", "author", "language"};
    answer reply;
    json_t *v = NULL;
    list_page part = {1, 100};
    qd_buf path;
    qd_status rc = args_page(a, INT32_MAX, &part, err);
    if (rc)
        return rc;
    qd_buf_init(&path, 4096);
    qd_buf_add_z(&path, "/api/v1/udfs");
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        path_add_query(&path, filters[i], args_text(a, filters[i], NULL));
    path_add_query(&path, "q", a->n_words ? a->words[0] : NULL);
    path_add_page(&path, &part);
    rc = call_get(q, &path, &reply, &v, err);
    if (rc)
        return rc;
    if (!print_raw(q, &reply))
        rc = print_list(v, err);
    json_decref(v);
    answer_deinit(&reply);
    return rc;
}

static qd_status print_parameters(const json_t *parameters, qd_error *err)
{
    static const char *const keys[] = {"type", "from", "default", "required", "description"};
    table t;
    size_t i;
    json_t *parameter;
    if (json_array_size(parameters) == 0)
        return QD_OK;
    table_init(&t);
    table_column(&t, "PARAMETER", false);
    table_column(&t, "TYPE", false);
    table_column(&t, "FROM", false);
    table_column(&t, "DEFAULT", false);
    table_column(&t, "REQUIRED", false);
    table_column(&t, "DESCRIPTION", false);
    json_array_foreach (parameters, i, parameter) {
        table_cell(&t, json_text_at(parameter, "name"));
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
            qd_buf text;
            qd_buf_init(&text, 1 << 20);
            text_json(&text, json_at(parameter, keys[k]));
            table_cell_str(&t, qd_buf_str(&text));
            qd_buf_deinit(&text);
        }
    }
    putchar('\n');
    qd_status rc = table_print(&t, stdout, err);
    table_deinit(&t);
    return rc;
}

static qd_status print_function(const json_t *v, qd_error *err)
{
    static const char *const keys[] = {"name",          "version",       "description",  "kind",    "abi",
                                       "function_name", "language",      "author",       "license", "category",
                                       "tags",          "permissions",   "wasm_size",    "hash",    "tier",
                                       "status",        "registered_at", "last_used_at", NULL};
    qd_status rc = table_print_members(v, keys, err);
    return rc ? rc : print_parameters(json_at(v, "parameters"), err);
}

qd_status udf_show(qctl *q, const args *a, qd_error *err)
{
    answer reply;
    json_t *v = NULL;
    qd_buf path;
    qd_buf_init(&path, 4096);
    path_add_function(&path, a->words[0]);
    qd_status rc = call_get(q, &path, &reply, &v, err);
    if (rc)
        return rc;
    if (!print_raw(q, &reply))
        rc = print_function(v, err);
    json_decref(v);
    answer_deinit(&reply);
    return rc;
}
