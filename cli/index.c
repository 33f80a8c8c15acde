/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "answer.h"
#include "table.h"
#include "text.h"

static qd_status send_index(qctl *q, const char *method, const char *name, const char *rest, qd_str body, answer *reply,
                            json_t **v, qd_error *err)
{
    qd_buf path;
    qd_buf_init(&path, 4096);
    qd_buf_add_char(&path, '/');
    path_add(&path, name);
    qd_buf_add_z(&path, rest);
    qd_buf_add_char(&path, '\0');
    request rq = {.method = method, .path = path.p, .body = body};
    qd_status rc = path.failed ? qd_fail(err, QD_EINVAL, "the index's name is too long") : call(q, &rq, reply, v, err);
    qd_buf_deinit(&path);
    return rc;
}

static const qd_str NO_BODY = {NULL, 0};

/* What people have at hand is a whole body, or what goes under "mappings". */
static qd_status read_mapping(const char *text, json_t **out, qd_error *err)
{
    json_t *given = NULL;
    qd_status rc = read_json(text, "the mapping", &given, err);
    if (rc)
        return rc;
    if (!json_is_object(given)) {
        json_decref(given);
        return qd_fail(err, QD_EINVAL, "the mapping must be a JSON object: {\"properties\": {…}}");
    }
    if (json_at(given, "mappings") || json_at(given, "settings")) {
        *out = given;
        return QD_OK;
    }
    *out = json_pack("{s:o}", "mappings", given);
    return *out ? QD_OK : qd_fail_nomem(err);
}

qd_status index_create(qctl *q, const args *a, qd_error *err)
{
    answer reply;
    json_t *body = NULL;
    qd_buf text;
    const char *mapping = args_text(a, "mapping", NULL);
    qd_status rc = QD_OK;
    qd_buf_init(&text, 0);
    if (mapping && !(rc = read_mapping(mapping, &body, err)))
        rc = write_json(body, &text, err);
    json_decref(body);
    if (rc)
        return rc;
    rc = send_index(q, "PUT", a->words[0], "", mapping ? qd_buf_str(&text) : NO_BODY, &reply, NULL, err);
    qd_buf_deinit(&text);
    if (rc)
        return rc;
    if (!print_raw(q, &reply) && !q->is_quiet)
        printf("created index %s\n", a->words[0]);
    answer_deinit(&reply);
    return QD_OK;
}

qd_status index_delete(qctl *q, const args *a, qd_error *err)
{
    answer reply;
    qd_status rc = send_index(q, "DELETE", a->words[0], "", NO_BODY, &reply, NULL, err);
    if (rc)
        return rc;
    if (!print_raw(q, &reply) && !q->is_quiet)
        printf("deleted index %s\n", a->words[0]);
    answer_deinit(&reply);
    return QD_OK;
}

/* _cat's columns, as they come: every value is a string. */
qd_status index_list(qctl *q, const args *a, qd_error *err)
{
    static const char *const columns[][2] = {{"index", "INDEX"},          {"health", "HEALTH"},
                                             {"status", "STATUS"},        {"docs.count", "DOCUMENTS"},
                                             {"docs.deleted", "DELETED"}, {"store.size", "SIZE"}};
    const size_t n = sizeof columns / sizeof *columns;
    answer reply;
    json_t *v = NULL, *row;
    size_t i;
    table t;
    (void)a;
    request rq = {.method = "GET", .path = "/_cat/indices?format=json"};
    qd_status rc = call(q, &rq, &reply, &v, err);
    if (rc)
        return rc;
    if (!print_raw(q, &reply)) {
        table_init(&t);
        for (size_t k = 0; k < n; k++)
            table_column(&t, columns[k][1], k >= 3);
        json_array_foreach (v, i, row) {
            for (size_t k = 0; k < n; k++)
                table_cell(&t, json_is_string(json_object_get(row, columns[k][0]))
                                   ? json_string_value(json_object_get(row, columns[k][0]))
                                   : "");
        }
        rc = table_print(&t, stdout, err);
        table_deinit(&t);
    }
    json_decref(v);
    answer_deinit(&reply);
    return rc;
}

qd_status index_stats(qctl *q, const args *a, qd_error *err)
{
    answer reply;
    json_t *v = NULL;
    char text[TEXT_SIZE];
    qd_status rc = send_index(q, "GET", a->words[0], "/_stats", NO_BODY, &reply, &v, err);
    if (rc)
        return rc;
    if (!print_raw(q, &reply)) {
        const json_t *s = json_at(v, "_all.primaries");
        printf("index      %s\n", a->words[0]);
        printf("documents  %s\n", text_count(json_i64_at(s, "docs.count"), text));
        printf("deleted    %s\n", text_count(json_i64_at(s, "docs.deleted"), text));
        printf("size       %s\n", text_bytes(json_i64_at(s, "store.size_in_bytes"), text));
        printf("segments   %s\n", text_count(json_i64_at(s, "segments.count"), text));
    }
    json_decref(v);
    answer_deinit(&reply);
    return QD_OK;
}
