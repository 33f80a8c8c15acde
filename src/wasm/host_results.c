/* SPDX-License-Identifier: Apache-2.0
 *
 * Results that are no numbers: strings, and none at all. Kept per row of the run. */
#include <stdlib.h>

#include "wasm/host.h"
#include "wasm/instance.h"
#include "wasm/program_impl.h"

/* The current row, in the results of this run, which are made when the first row needs them. A call beside the rows of
 * a block, such as an aggregate's finish, sets row 0. NULL: *trap ends the run. */
static qd_row_results *results_of_run(qd_instance *i, const char *what, wasm_trap_t **trap)
{
    qd_host_state *host = i->host;
    *trap = NULL;
    if (!i->is_at_row && !(i->calling && i->was_call)) {
        *trap = qd_host_stop(i, "%s outside of a document's call", what);
        return NULL;
    }
    if (!host->results)
        host->results = malloc(sizeof *host->results);
    if (!host->results) {
        *trap = qd_host_stop_nomem(i);
        return NULL;
    }
    if (host->results_run != i->runs) {
        bool has_number = !i->program->returns_string && !i->was_call;
        memset(host->results->has, has_number, sizeof host->results->has);
        qd_arena_free(host->strings);
        host->strings = NULL;
        host->results_run = i->runs;
    }
    return host->results;
}

static uint32_t result_row(const qd_instance *i)
{
    return i->is_at_row ? qd_instance_row(i) : 0;
}

static wasm_trap_t *set_result_string(qd_instance *i, wasmtime_val_raw_t *v)
{
    wasm_trap_t *trap;
    qd_host_state *host = i->host;
    uint32_t n = (uint32_t)v[1].i32;
    qd_row_results *results = results_of_run(i, "set_result_string", &trap);
    if (!results)
        return trap;
    if (i->is_at_row && !i->program->returns_string)
        return qd_host_stop(i, "set_result_string in a function that does not return a string (manifest field "
                               "'returns')");
    const char *p = (const char *)qd_instance_memory(i, (uint32_t)v[0].i32, n);
    if (!p)
        return qd_host_stop(i, "set_result_string: the %u bytes at %u are not in the function's memory", n,
                            (uint32_t)v[0].i32);
    if (n > QD_RESULT_STRING_BYTES)
        return qd_host_stop(i, "set_result_string: a string of %u bytes; at most %u", n, QD_RESULT_STRING_BYTES);
    if (!qd_str_is_utf8((qd_str){p, n}))
        return qd_host_stop(i, "set_result_string: the %u bytes are not UTF-8", n);
    if (!host->strings)
        host->strings = qd_arena_new(QD_RESULT_RUN_BYTES);
    qd_str copy = host->strings ? qd_arena_str(host->strings, (qd_str){p, n}) : (qd_str){0};
    if (!copy.p && !(host->strings && qd_arena_is_full(host->strings)))
        return qd_host_stop_nomem(i);
    if (!copy.p)
        return qd_host_stop(i, "set_result_string: the results of one block take more than %zu MiB",
                            QD_RESULT_RUN_BYTES >> 20);
    results->strings[result_row(i)] = copy;
    results->has[result_row(i)] = 1;
    return NULL;
}

static wasm_trap_t *set_result_missing(qd_instance *i, wasmtime_val_raw_t *v)
{
    (void)v;
    wasm_trap_t *trap;
    qd_row_results *results = results_of_run(i, "set_result_missing", &trap);
    if (results)
        results->has[result_row(i)] = 0;
    return trap;
}

const qd_host_function qd_host_results[] = {
    {"env", "set_result_string", "ii:", 0, set_result_string, "the result is this string (UTF-8), not the number"},
    {"env", "set_result_missing", ":", 0, set_result_missing, "the document has no result"},
    {0},
};
