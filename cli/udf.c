/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "answer.h"
#include "registration.h"
#include "text.h"

static void print_deployed(const answer *reply, const json_t *v)
{
    char size[TEXT_SIZE], ms[TEXT_SIZE];
    if (reply->http_status != 201) {
        printf("%s %s was registered already, unchanged (sha256 %.12s)\n", json_text_at(v, "name"),
               json_text_at(v, "version"), json_text_at(v, "hash"));
        return;
    }
    printf("deployed %s %s: export %s, %s, sha256 %.12s, %s, in %s\n", json_text_at(v, "name"),
           json_text_at(v, "version"), json_text_at(v, "function_name"), text_bytes(json_i64_at(v, "wasm_size"), size),
           json_text_at(v, "hash"), json_text_at(v, "tier"), text_ms(reply->ms, ms));
    if (strcmp(json_text_at(v, "status"), "inactive") == 0)
        printf("it is not the active version: qctl udf activate %s@%s\n", json_text_at(v, "name"),
               json_text_at(v, "version"));
}

/* Sends what the first word of the command names. *reply and *v: owned by caller. */
static qd_status post_registration(qctl *q, const args *a, const char *path, answer *reply, json_t **v, qd_error *err)
{
    registration r;
    qd_status rc = registration_load(&r, a->words[0], a, err);
    if (rc)
        return rc;
    rc = registration_send(q, &r, path, reply, v, err);
    registration_deinit(&r);
    return rc;
}

qd_status udf_deploy(qctl *q, const args *a, qd_error *err)
{
    answer reply;
    json_t *v = NULL;
    qd_status rc = post_registration(q, a, "/api/v1/udfs", &reply, &v, err);
    if (rc)
        return rc;
    if (!print_raw(q, &reply) && !q->is_quiet)
        print_deployed(&reply, v);
    json_decref(v);
    answer_deinit(&reply);
    return QD_OK;
}

static void print_names(const char *title, const json_t *names)
{
    printf("%-12s", title);
    size_t i;
    json_t *name;
    json_array_foreach (names, i, name)
        printf("%s%s", i ? ", " : "", json_is_string(name) ? json_string_value(name) : "?");
    puts(json_array_size(names) ? "" : "none");
}

qd_status udf_validate(qctl *q, const args *a, qd_error *err)
{
    answer reply;
    json_t *v = NULL;
    qd_status rc = post_registration(q, a, "/api/v1/udfs/_validate", &reply, &v, err);
    if (rc)
        return rc;
    if (!print_raw(q, &reply) && !q->is_quiet) {
        printf("valid: %s %s of the %s shape, %lld pages of memory%s\n",
               strcmp(json_text_at(v, "kind"), "aggregate") == 0 ? "an" : "a", json_text_at(v, "kind"),
               json_text_at(v, "abi"), (long long)json_i64_at(v, "memory_pages"),
               json_is_true(json_at(v, "bounded")) ? ", provably short" : "");
        print_names("imports", json_at(v, "imports"));
        print_names("exports", json_at(v, "exports"));
    }
    json_decref(v);
    answer_deinit(&reply);
    return QD_OK;
}

qd_status udf_delete(qctl *q, const args *a, qd_error *err)
{
    answer reply;
    json_t *v = NULL;
    qd_buf path;
    const char *at = strchr(a->words[0], '@');
    if (at && !at[1])
        return usage_error(err, "which version of '%s' is to go? Write NAME@VERSION, or NAME for all", a->words[0]);
    qd_buf_init(&path, 4096);
    path_add_function(&path, a->words[0]);
    qd_buf_add_char(&path, '\0');
    request rq = {.method = "DELETE", .path = path.p};
    qd_status rc =
        path.failed ? qd_fail(err, QD_EINVAL, "the function's name is too long") : call(q, &rq, &reply, &v, err);
    qd_buf_deinit(&path);
    if (rc)
        return rc;
    return print_message(q, &reply, v);
}
