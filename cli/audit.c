/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "answer.h"
#include "table.h"
#include "text.h"

static void add_cell(table *t, const json_t *entry, const char *key)
{
    qd_buf text;
    qd_buf_init(&text, 64 << 10);
    text_json(&text, json_at(entry, key));
    table_cell_str(t, qd_buf_str(&text));
    qd_buf_deinit(&text);
}

/* Hashes, digests and milliseconds are for machines: --json has them. */
static void add_entry(table *t, const json_t *entry)
{
    const char *version = json_text_at(entry, "version"), *remote = json_text_at(entry, "remote");
    const json_t *damaged = json_at(entry, "damaged");
    add_cell(t, entry, "seq");
    table_cell_f(t, "%.19sZ", json_text_at(entry, "at")); /* in whole seconds */
    add_cell(t, entry, "action");
    table_cell_f(t, "%s%s%s", json_text_at(entry, "name"), *version ? "@" : "", version);
    table_cell(t, json_is_true(damaged) ? "DAMAGED" : json_text_at(entry, "outcome"));
    add_cell(t, entry, "count");
    table_cell_f(t, "%s%s%s", json_text_at(entry, "actor"), *remote ? " " : "", remote);
    add_cell(t, entry, "detail");
}

static qd_status print_entries(const json_t *v, qd_error *err)
{
    static const struct {
        const char *title;
        bool is_right;
    } COLUMNS[] = {{"ACTION", false}, {"FUNCTION", false}, {"OUTCOME", false},
                   {"TIMES", true},   {"BY", false},       {"DETAIL", false}};
    table t;
    size_t i, shown = json_array_size(json_at(v, "entries"));
    json_t *entry;
    table_init(&t);
    table_column(&t, "SEQ", true);
    table_column_whole(&t, "AT");
    for (i = 0; i < sizeof COLUMNS / sizeof *COLUMNS; i++)
        table_column(&t, COLUMNS[i].title, COLUMNS[i].is_right);
    json_array_foreach (json_at(v, "entries"), i, entry)
        add_entry(&t, entry);
    qd_status rc = table_print(&t, stdout, err);
    table_deinit(&t);
    if (!rc && json_i64_at(v, "total") > (int64_t)shown)
        printf("%zu of %lld entries; --page and --size show more\n", shown, (long long)json_i64_at(v, "total"));
    return rc;
}

static qd_status list(qctl *q, const args *a, qd_error *err)
{
    static const char *const filters[] = {"udf", "action", "actor", "since", "until"};
    answer reply;
    json_t *v = NULL;
    list_page part = {1, 20};
    qd_buf path;
    qd_status rc = args_page(a, INT32_MAX, &part, err);
    if (rc)
        return rc;
    qd_buf_init(&path, 4096);
    qd_buf_add_z(&path, "/api/v1/audit");
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        path_add_query(&path, filters[i], args_text(a, filters[i], NULL));
    path_add_page(&path, &part);
    if ((rc = call_get(q, &path, &reply, &v, err)))
        return rc;
    if (!print_raw(q, &reply))
        rc = print_entries(v, err);
    json_decref(v);
    answer_deinit(&reply);
    return rc;
}

/* A chain that is broken is an error of the command, so that a script notices. */
static qd_status verify(qctl *q, qd_error *err)
{
    answer reply;
    json_t *v = NULL;
    qd_buf path;
    qd_buf_init(&path, 64);
    qd_buf_add_z(&path, "/api/v1/audit/_verify");
    qd_status rc = call_get(q, &path, &reply, &v, err);
    if (rc)
        return rc;
    bool is_intact = json_is_true(json_at(v, "intact"));
    if (!print_raw(q, &reply) && is_intact && !q->is_quiet)
        printf("intact: %lld entries, %lld to %lld, head %s\n", (long long)json_i64_at(v, "entries"),
               (long long)json_i64_at(v, "first_seq"), (long long)json_i64_at(v, "last_seq"), json_text_at(v, "head"));
    if (!is_intact)
        rc = qd_fail(err, QD_EIO, "the audit log is broken at entry %lld: %s", (long long)json_i64_at(v, "bad_seq"),
                     json_text_at(v, "reason"));
    json_decref(v);
    answer_deinit(&reply);
    return rc;
}

qd_status audit_run(qctl *q, const args *a, qd_error *err)
{
    return args_has(a, "verify") ? verify(q, err) : list(q, a, err);
}
