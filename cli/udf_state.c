/* SPDX-License-Identifier: Apache-2.0
 *
 * What a version of a function does at the moment: its state and native code, its figures; and its bytes. NAME alone
 * means the active version. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "answer.h"
#include "table.h"
#include "text.h"

/* "/api/v1/udfs/NAME/VERSION" and `rest`, or without the version, which the server takes for the active one. */
static void add_path(qd_buf *path, const char *spec, const char *rest)
{
    qd_buf_init(path, 4096);
    path_add_function(path, spec);
    qd_buf_add_z(path, rest);
}

typedef qd_status print_answer(const json_t *v, qd_error *err);

static qd_status show(qctl *q, const char *spec, const char *rest, print_answer *print, qd_error *err)
{
    answer reply;
    json_t *v = NULL;
    qd_buf path;
    add_path(&path, spec, rest);
    qd_status rc = call_get(q, &path, &reply, &v, err);
    if (rc)
        return rc;
    if (!print_raw(q, &reply))
        rc = print(v, err);
    json_decref(v);
    answer_deinit(&reply);
    return rc;
}

/* ---- status ------------------------------------------------------------------------------------------------------ */

static qd_status print_status(const json_t *v, qd_error *err)
{
    static const char *const keys[] = {"node", "tier", "source", "compile_ms", "code_bytes", "instances"};
    static const char *const titles[] = {"NODE", "TIER", "SOURCE", "COMPILED IN ms", "CODE BYTES", "INSTANCES"};
    table t;
    size_t i;
    json_t *node;
    printf("%s %s: %s\n", json_text_at(v, "name"), json_text_at(v, "version"), json_text_at(v, "status"));
    table_init(&t);
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
        table_column(&t, titles[k], k >= 3);
    json_array_foreach (json_at(v, "nodes"), i, node) {
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
            qd_buf text;
            qd_buf_init(&text, 4096);
            text_json(&text, json_at(node, keys[k]));
            table_cell_str(&t, qd_buf_str(&text));
            qd_buf_deinit(&text);
        }
    }
    qd_status rc = table_print(&t, stdout, err);
    table_deinit(&t);
    return rc;
}

qd_status udf_status(qctl *q, const args *a, qd_error *err)
{
    return show(q, a->words[0], "/status", print_status, err);
}

/* ---- stats ------------------------------------------------------------------------------------------------------- */

static qd_status print_stats(const json_t *v, qd_error *err)
{
    static const char *const keys[] = {"call_count",
                                       "document_count",
                                       "error_count",
                                       "error_rate",
                                       "errors_by_type",
                                       "min_latency_us",
                                       "avg_latency_us",
                                       "p50_latency_us",
                                       "p95_latency_us",
                                       "p99_latency_us",
                                       "p999_latency_us",
                                       "max_latency_us",
                                       "total_execution_time_ms",
                                       "last_executed_at",
                                       "last_error",
                                       "instances",
                                       "instances_peak",
                                       "tier",
                                       "code_bytes",
                                       "memory_bytes",
                                       "memory_peak_bytes",
                                       NULL};
    size_t i;
    json_t *advice;
    printf("%s %s: %s\n", json_text_at(v, "name"), json_text_at(v, "version"), json_text_at(v, "performance.rating"));
    json_array_foreach (json_at(v, "performance.recommendations"), i, advice)
        printf("  %s\n", json_is_string(advice) ? json_string_value(advice) : "?");
    return table_print_members(json_at(v, "statistics"), keys, err);
}

static qd_status reset_stats(qctl *q, const char *spec, qd_error *err)
{
    answer reply;
    json_t *v = NULL;
    qd_buf path;
    add_path(&path, spec, "/stats/reset");
    qd_status rc = call_action(q, &path, &reply, &v, err);
    if (rc)
        return rc;
    return print_message(q, &reply, v);
}

qd_status udf_stats(qctl *q, const args *a, qd_error *err)
{
    return args_has(a, "reset") ? reset_stats(q, a->words[0], err) : show(q, a->words[0], "/stats", print_stats, err);
}

/* ---- wasm -------------------------------------------------------------------------------------------------------- */

/* NAME.wasm for "NAME@1.0.0"; owned by caller. */
static char *default_file(const char *spec)
{
    qd_buf path;
    qd_buf_init(&path, 4096);
    qd_buf_addf(&path, "%.*s.wasm", (int)strcspn(spec, "@/"), spec);
    return qd_buf_take(&path, NULL);
}

static qd_status write_file(const char *path, qd_str bytes, qd_error *err)
{
    FILE *f = fopen(path, "wb");
    bool is_ok = f && fwrite(bytes.p, 1, bytes.n, f) == bytes.n;
    if (f && fclose(f))
        is_ok = false;
    return is_ok ? QD_OK : qd_fail(err, QD_EIO, "cannot write '%s': %s", path, strerror(errno));
}

qd_status udf_wasm(qctl *q, const args *a, qd_error *err)
{
    answer reply;
    qd_buf path;
    char size[TEXT_SIZE];
    add_path(&path, a->words[0], "/wasm");
    qd_status rc = call_get(q, &path, &reply, NULL, err);
    if (rc)
        return rc;
    qd_str bytes = qd_buf_str(&reply.body);
    const char *out = args_text(a, "out", NULL);
    char *own = out ? NULL : default_file(a->words[0]);
    if (!out)
        out = own;
    if (!out)
        rc = qd_fail_nomem(err);
    else if (bytes.n < 4 || memcmp(bytes.p, "\0asm", 4) != 0)
        rc = qd_fail(err, QD_EIO, "the answer is not a WebAssembly module: is that a Quidditch server?");
    else if (strcmp(out, "-") == 0)
        fwrite(bytes.p, 1, bytes.n, stdout);
    else if (!(rc = write_file(out, bytes, err)) && !q->is_quiet)
        printf("wrote %s: %s\n", out, text_bytes((int64_t)bytes.n, size));
    free(own);
    answer_deinit(&reply);
    return rc;
}
