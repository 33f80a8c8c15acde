/* SPDX-License-Identifier: Apache-2.0
 *
 * A function's versions: which there are, which one its name alone means, and how that came. */
#include <stdio.h>

#include "answer.h"
#include "table.h"

static void add_name(qd_buf *path, const char *spec, const char *rest)
{
    const char *at = strchr(spec, '@');
    char name[256];
    snprintf(name, sizeof name, "%.*s", (int)(at ? at - spec : (ptrdiff_t)strlen(spec)), spec);
    qd_buf_init(path, 4096);
    qd_buf_add_z(path, "/api/v1/udfs/");
    path_add(path, name);
    qd_buf_add_z(path, rest);
}

qd_status udf_versions(qctl *q, const args *a, qd_error *err)
{
    answer reply;
    json_t *v = NULL, *version;
    qd_buf path;
    size_t i;
    add_name(&path, a->words[0], "/versions");
    qd_status rc = call_get(q, &path, &reply, &v, err);
    if (rc)
        return rc;
    if (!print_raw(q, &reply)) {
        const char *active = json_text_at(v, "active_version");
        json_array_foreach (json_at(v, "versions"), i, version) {
            const char *text = json_is_string(version) ? json_string_value(version) : "?";
            printf("%s%s\n", text, strcmp(text, active) == 0 ? "  active" : "");
        }
    }
    json_decref(v);
    answer_deinit(&reply);
    return rc;
}

static qd_status move_active(qctl *q, qd_buf *path, json_t *body, qd_error *err)
{
    answer reply;
    json_t *v = NULL;
    qd_status rc = call_post(q, path, body, &reply, &v, err);
    if (rc)
        return rc;
    if (!print_raw(q, &reply) && !q->is_quiet) {
        const char *before = json_text_at(v, "previous_version");
        printf("%s: active is %s%s%s%s\n", json_text_at(v, "name"), json_text_at(v, "active_version"),
               *before ? " (before: " : "", before, *before ? ")" : "");
    }
    json_decref(v);
    answer_deinit(&reply);
    return QD_OK;
}

qd_status udf_activate(qctl *q, const args *a, qd_error *err)
{
    qd_buf path;
    const char *at = strchr(a->words[0], '@');
    if (!at || !at[1])
        return usage_error(err, "which version of '%s' is to be active? Write NAME@VERSION", a->words[0]);
    add_name(&path, a->words[0], "/activate");
    return move_active(q, &path, json_pack("{s:s}", "version", at + 1), err);
}

qd_status udf_rollback(qctl *q, const args *a, qd_error *err)
{
    qd_buf path;
    const char *to = args_text(a, "to", NULL);
    if (strchr(a->words[0], '@'))
        return usage_error(err,
                           "'%s': name the function alone; --to VERSION says where to, else it is the version before",
                           a->words[0]);
    add_name(&path, a->words[0], "/rollback");
    return move_active(q, &path, to ? json_pack("{s:s}", "to", to) : json_object(), err);
}

qd_status udf_history(qctl *q, const args *a, qd_error *err)
{
    static const char *const keys[] = {"at", "action", "version", "by"};
    answer reply;
    json_t *v = NULL, *entry;
    qd_buf path;
    size_t i;
    list_page part = {1, 100};
    qd_status rc = args_page(a, 1000000, &part, err);
    if (rc)
        return rc;
    add_name(&path, a->words[0], "/history");
    path_add_page(&path, &part);
    if ((rc = call_get(q, &path, &reply, &v, err)))
        return rc;
    if (!print_raw(q, &reply)) {
        table t;
        table_init(&t);
        table_column_whole(&t, "AT");
        table_column(&t, "ACTION", false);
        table_column(&t, "VERSION", false);
        table_column(&t, "BY", false);
        json_array_foreach (json_at(v, "history"), i, entry) {
            for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
                table_cell(&t, json_text_at(entry, keys[k]));
        }
        rc = table_print(&t, stdout, err);
        table_deinit(&t);
    }
    json_decref(v);
    answer_deinit(&reply);
    return rc;
}

qd_status udf_reinstate(qctl *q, const args *a, qd_error *err)
{
    answer reply;
    qd_buf path;
    json_t *v = NULL;
    if (!strchr(a->words[0], '@'))
        return usage_error(err, "which version of '%s' is to be reinstated? Write NAME@VERSION", a->words[0]);
    qd_buf_init(&path, 4096);
    path_add_function(&path, a->words[0]);
    qd_buf_add_z(&path, "/reinstate");
    qd_status rc = call_action(q, &path, &reply, &v, err);
    if (rc)
        return rc;
    return print_message(q, &reply, v);
}
