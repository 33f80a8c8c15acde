/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "udf/program.h"
#include "udf/runner_impl.h"
#include "udf/udf.h"

/* After a failure rows are run in small steps, growing again while nothing fails, so that a block full of failures
 * costs a fresh instance and a few copied values each, not the rest of the block each. */
#define FIRST_STEP_DOCS 32
/* In the batch shape the row that fails is found by halving, which takes 11 runs. A block with more failures than these
 * runs find is forgiven in larger pieces. */
#define MAX_RETRIES 64

/* ---- failures ---- */

qd_str qd_runner_row_id(const qd_runner *r, uint32_t row, char place[QD_ROW_PLACE_SIZE])
{
    qd_str id;
    if (r->docs->id(r->docs->arg, row, &id))
        return id;
    int n = snprintf(place, QD_ROW_PLACE_SIZE, "#%u", row);
    return (qd_str){place, (size_t)n};
}

static bool forgives(const qd_runner *r, const qd_error *why)
{
    return r->b->on_error != QD_ON_ERROR_FAIL && why->code != QD_EUDF_TIMEOUT && why->code != QD_ECANCELED &&
           why->code != QD_ENOMEM && why->code != QD_EINTERNAL;
}

qd_status qd_runner_fail_row(qd_runner *r, uint32_t row, qd_error *why, qd_error *err)
{
    char place[QD_ROW_PLACE_SIZE];
    if (forgives(r, why)) {
        r->state_of[row] = QD_ROW_FAILED;
        r->has_bad_rows = r->has_failed_rows = true;
        qd_runner_count_forgiven(r, why, row);
        return QD_OK;
    }
    qd_str id = qd_runner_row_id(r, row, place);
    qd_runner_count_failure(r, why, &id);
    qd_error_set_function(why, r->b->udf->label, &id);
    if (err)
        *err = *why;
    return why->code;
}

/* ---- instances ---- */

static void drop_instance(qd_runner *r)
{
    if (!r->instance)
        return;
    r->host_calls += qd_instance_host_calls(r->instance);
    r->string_bytes += qd_instance_string_bytes(r->instance);
    qd_udf_stats_instance_down(r->b->udf->stats, qd_instance_linear_bytes(r->instance));
    qd_instance_release(r->instance);
    r->instance = NULL;
}

static void set_state(qd_runner *r)
{
    if (r->abi == QD_ABI_BATCH)
        qd_instance_set_state(r->instance, r->state);
    else
        qd_instance_constant(r->instance, 0, (qd_value){.type = QD_I64, .as.i = r->state});
}

static qd_status fail_instance(qd_runner *r, qd_error *why, qd_error *err)
{
    qd_runner_count_failure(r, why, NULL);
    qd_error_set_function(why, r->b->udf->label, NULL);
    if (err)
        *err = *why;
    return why->code;
}

static qd_status need_instance(qd_runner *r, qd_error *err)
{
    const qd_binding *b = r->b;
    if (r->instance)
        return QD_OK;
    qd_error why = QD_ERROR_INIT;
    if (qd_instance_acquire(b->program, r->varying, &r->call, &r->instance, &why) != QD_OK) {
        r->instance = NULL;
        return fail_instance(r, &why, err);
    }
    qd_udf_stats_instance_up(b->udf->stats);
    for (size_t i = 0; b->is_columnar && i < b->n_args; i++)
        if (!qd_runner_varies(r, i) && r->args[i].type != QD_WASM_OTHER)
            qd_instance_constant(r->instance, r->args[i].place, b->args[i].value.constant);
    if (r->kind != QD_KIND_AGGREGATE)
        return QD_OK;
    if (r->states.begin && r->states.begin(r->states.arg, r->instance, &r->state, &why) != QD_OK) {
        drop_instance(r);
        return fail_instance(r, &why, err);
    }
    set_state(r);
    return QD_OK;
}

bool qd_runner_current_row(const qd_runner *r, uint32_t *row)
{
    uint32_t position;
    if (!r->instance || !qd_instance_current_row(r->instance, &position) || position >= r->n_positions)
        return false;
    *row = qd_runner_row_of(r, position);
    return true;
}

/* ---- running ---- */

/* What a run of positions ended with. */
typedef struct outcome {
    qd_status status; /* else than QD_OK: r->why says more */
    uint32_t reached; /* the first position without a result */
} outcome;

static outcome run_range(qd_runner *r, uint32_t first, uint32_t *end)
{
    outcome o = {.reached = first};
    qd_run_failure failure = {0};
    o.status = r->has_texts ? qd_runner_stage_texts(r, first, end, &r->why) : QD_OK;
    if (o.status != QD_OK)
        return o;
    qd_runner_restore(r, first, *end);
    o.status = qd_instance_run_range(r->instance, first, *end, &failure, &r->why);
    o.reached = o.status == QD_OK ? *end : failure.is_set ? failure.row : first;
    return o;
}

/* A batch's error is some row's of [first, end), which nobody knows. */
static void name_batch(const qd_runner *r, uint32_t first, uint32_t end, qd_error *why)
{
    if (r->abi != QD_ABI_BATCH || end - first < 2)
        return;
    qd_error_append(why, " (in the batch shape: the document is the first of the %u of the call)", end - first);
}

/* Forgives, or not, what ended a run of positions [first, end) at `o->reached`; *next: where to go on. */
static qd_status end_span(qd_runner *r, const outcome *o, uint32_t first, uint32_t end, uint32_t *next, uint32_t *step,
                          qd_error *err)
{
    bool is_batch = r->abi == QD_ABI_BATCH;
    *next = first;
    if (is_batch && end - first > 1 && forgives(r, &r->why) && r->n_retries++ < MAX_RETRIES) {
        *step = (end - first) / 2;
        return QD_OK;
    }
    name_batch(r, first, end, &r->why);
    uint32_t last = is_batch ? end : o->reached + 1;
    qd_status st = QD_OK;
    for (uint32_t p = o->reached; p < last && st == QD_OK; p++) {
        r->n_failed++;
        st = qd_runner_fail_row(r, qd_runner_row_of(r, p), &r->why, err);
    }
    *next = last;
    *step = FIRST_STEP_DOCS;
    return st;
}

/* ---- the state of an aggregate ----
 *
 * A failure takes the state with it: the rows since it was last kept run again. After the first failure of a block it
 * is kept after each piece that succeeds, and pieces halve when one fails and double when one succeeds. A failure so
 * wastes at most the piece, of which half was either succeeded with before or halved away, and the calls of a block
 * are at worst some nine times its rows, whatever the function does; where it does the same each time, each row that
 * succeeds is called at most twice, since the next piece ends before the row that failed. */

static void shrink_piece(qd_runner *r, uint32_t first, uint32_t reached, uint32_t end)
{
    uint32_t half = (end - first) / 2, done = reached - first;
    r->is_careful = true;
    r->piece = done > 0 && done < half ? done : half > 0 ? half : 1;
}

/* Positions up to `end` are in the state. At the end of the block it is the caller's. */
static qd_status keep_state(qd_runner *r, uint32_t first, uint32_t end, qd_error *err)
{
    qd_error why = QD_ERROR_INIT;
    if (!r->is_careful)
        return QD_OK;
    if (2 * (end - first) > r->piece)
        r->piece = 2 * (end - first) < QD_BLOCK_DOCS ? 2 * (end - first) : QD_BLOCK_DOCS;
    if (end == r->n_positions)
        return QD_OK;
    qd_status st = r->states.keep(r->states.arg, r->instance, r->state, &why);
    if (st != QD_OK)
        return fail_instance(r, &why, err);
    r->kept = end;
    r->n_kept = r->n_succeeded;
    return QD_OK;
}

/* Positions [first, end), going on behind rows that fail when the binding allows it. An aggregate stops there: its
 * state since position `kept` is lost, and *has_lost_state. */
static qd_status run_span(qd_runner *r, uint32_t first, uint32_t end, bool *has_lost_state, qd_error *err)
{
    const bool is_aggregate = r->kind == QD_KIND_AGGREGATE;
    uint32_t step = end - first;
    while (first < end) {
        qd_status st = need_instance(r, err);
        if (st != QD_OK)
            return st;
        uint32_t most = qd_instance_max_rows(r->instance), length = step < r->piece ? step : r->piece;
        length = length < most ? length : most;
        uint32_t stop = end - first < length ? end : first + length;
        outcome o = run_range(r, first, &stop);
        st = qd_runner_take(r, first, o.reached, err);
        r->n_succeeded += o.reached - first;
        if (o.status == QD_OK) {
            if (st == QD_OK && is_aggregate)
                st = keep_state(r, first, stop, err);
            first = stop;
            step = step > QD_BLOCK_DOCS ? step : 2 * step;
        } else if (st == QD_OK) {
            if (is_aggregate)
                shrink_piece(r, first, o.reached, stop);
            if (!qd_runner_stash(r))
                st = qd_fail_nomem(err);
            else
                st = end_span(r, &o, first, stop, &first, &step, err);
            drop_instance(r);
            *has_lost_state = is_aggregate;
        }
        if (st != QD_OK)
            drop_instance(r);
        if (st != QD_OK || *has_lost_state)
            return st;
    }
    return QD_OK;
}

/* All positions but those of rows that are known to be bad: in the row and handle shapes, where positions are rows
 * since the guest asks for fields by row, and in aggregates that begin again. */
static qd_status run_positions(qd_runner *r, bool *has_lost_state, qd_error *err)
{
    qd_status st = QD_OK;
    *has_lost_state = false;
    for (uint32_t p = r->kept, end; p < r->n_positions && st == QD_OK && !*has_lost_state; p = end + 1) {
        for (end = p;
             end < r->n_positions && (!r->has_bad_rows || r->state_of[qd_runner_row_of(r, end)] == QD_ROW_RUN);)
            end = r->has_bad_rows ? end + 1 : r->n_positions;
        st = run_span(r, p, end, has_lost_state, err);
    }
    return st;
}

static qd_status lay_down(qd_runner *r, qd_error *err)
{
    if (!r->b->is_columnar)
        return r->b->has_required_fields ? qd_runner_check_required(r, err) : QD_OK;
    qd_status st = need_instance(r, err);
    if (st == QD_OK)
        st = qd_runner_fill(r, err);
    /* A batch may write over its arguments, and what it ran over is run again. */
    bool is_spoilt = r->abi == QD_ABI_BATCH && r->b->on_error != QD_ON_ERROR_FAIL;
    return st == QD_OK && is_spoilt && !qd_runner_stash(r) ? qd_fail_nomem(err) : st;
}

static qd_status run_block(qd_runner *r, qd_error *err)
{
    bool has_lost_state = false;
    if (r->b->is_always_missing) {
        memset(r->state_of, QD_ROW_MISSING, r->n);
        r->has_bad_rows = true;
        return QD_OK;
    }
    qd_status st = lay_down(r, err);
    if (st != QD_OK)
        return st;
    do { /* an aggregate goes on from the state kept last, without the row that failed or with a smaller piece */
        r->n_succeeded = r->n_kept;
        st = run_positions(r, &has_lost_state, err);
    } while (st == QD_OK && has_lost_state);
    return st;
}

static qd_status run(qd_runner *r, uint32_t n, const float *scores, const qd_runner_out *out, qd_error *err)
{
    int64_t start = qd_clock_mono_ns();
    if (n > QD_BLOCK_DOCS)
        return qd_fail(err, QD_EINTERNAL, "a block of %u documents; at most %d", n, QD_BLOCK_DOCS);
    /* Better code, if there is: between blocks, and never within the state of an aggregate. */
    if (r->instance && r->kind != QD_KIND_AGGREGATE && qd_instance_is_outdated(r->instance))
        drop_instance(r);
    qd_arena_free(r->strings); /* of the run before */
    r->strings = NULL;
    r->n = r->n_positions = n;
    r->scores = r->call.scores = scores;
    r->out = *out;
    r->is_compacted = r->is_stashed = r->has_bad_rows = r->has_failed_rows = false;
    r->n_succeeded = r->n_failed = r->n_kept = r->n_retries = 0;
    r->piece = QD_BLOCK_DOCS;
    r->kept = 0;
    r->is_careful = false;
    memset(r->state_of, QD_ROW_RUN, n);
    qd_status st = run_block(r, err);
    if (st == QD_OK)
        qd_runner_spread(r);
    qd_runner_count_block(r, qd_clock_mono_ns() - start);
    return st;
}

qd_status qd_runner_run(qd_runner *r, uint32_t n, const float *scores, double *out, uint8_t *valid, qd_error *err)
{
    return run(r, n, scores, &(qd_runner_out){.f64 = out, .valid = valid}, err);
}

qd_status qd_runner_run_values(qd_runner *r, uint32_t n, const float *scores, qd_value *out, qd_error *err)
{
    if (n > QD_BLOCK_DOCS)
        return qd_fail(err, QD_EINTERNAL, "a block of %u documents; at most %d", n, QD_BLOCK_DOCS);
    return run(r, n, scores, &(qd_runner_out){.values = out, .valid = r->value_valid}, err);
}

qd_status qd_runner_update(qd_runner *r, uint32_t n, const float *scores, qd_error *err)
{
    return run(r, n, scores, &(qd_runner_out){.valid = r->value_valid}, err);
}

qd_status qd_runner_begin(qd_runner *r, const qd_runner_states *states, qd_instance **out, int32_t *state,
                          qd_error *err)
{
    r->states = *states;
    qd_status st = need_instance(r, err);
    if (st != QD_OK)
        return st;
    *out = r->instance;
    *state = r->state;
    return QD_OK;
}

/* ---- opening ---- */

/* A parameter for the guest: 0 ok, 1 missing. */
static int get_param(void *arg, qd_str name, uint32_t position, qd_value *out)
{
    qd_runner *r = arg;
    (void)position;
    size_t n = r->b->n_args;
    for (size_t k = 0, i = r->next_param; k < n; k++, i++) {
        i = i < n ? i : 0;
        if (!qd_str_eq(r->b->args[i].param->name, name))
            continue;
        r->next_param = i + 1;
        bool is_constant = r->b->args[i].value.kind == QD_REF_CONSTANT;
        uint32_t row = 0;
        /* A batch's call is for many rows, which are in the columns; beside rows (an aggregate's init, finish) there is
         * no document. */
        if (!is_constant && (r->abi == QD_ABI_BATCH || !qd_runner_current_row(r, &row)))
            return 1;
        return qd_runner_value(r, i, row, out) ? 0 : 1;
    }
    return 1;
}

static qd_status resolve_slot(const qd_runner *r, const qd_ref *ref, int *slot, qd_error *err)
{
    *slot = -1;
    if (ref->kind != QD_REF_FIELD)
        return QD_OK;
    *slot = r->docs->resolve(r->docs->arg, ref->path);
    if (*slot == QD_SLOT_NO_MEMORY)
        return qd_fail_nomem(err);
    return *slot >= 0 ? QD_OK
                      : qd_fail(err, QD_ELIMIT, "function '%s': field '%.*s': too many fields are read at once",
                                r->b->udf->label, QD_STR_FMT(ref->path));
}

/* Where the argument lies among the function's: a string is two of the typed shape's. */
static qd_status place_arg(qd_runner *r, size_t i, uint32_t *place, qd_error *err)
{
    static const qd_wasm_valtype TYPES[] = {
        [QD_NULL] = QD_WASM_OTHER,   [QD_BOOL] = QD_WASM_I32, [QD_I64] = QD_WASM_I64, [QD_F64] = QD_WASM_F64,
        [QD_STRING] = QD_WASM_OTHER, [QD_I32] = QD_WASM_I32,  [QD_F32] = QD_WASM_F32,
    };
    qd_runner_arg *a = &r->args[i];
    bool varies = qd_runner_varies(r, i);
    a->place = (*place)++;
    a->type = TYPES[r->b->args[i].param->type];
    if (varies)
        r->varying |= (uint64_t)1 << a->place;
    if (a->type != QD_WASM_OTHER || !r->b->is_columnar)
        return QD_OK;
    r->has_texts = true;
    if (r->abi == QD_ABI_TYPED && varies)
        r->varying |= (uint64_t)1 << *place;
    *place += r->abi == QD_ABI_TYPED;
    a->texts = varies ? malloc(QD_BLOCK_DOCS * sizeof *a->texts) : NULL;
    return varies && !a->texts ? qd_fail_nomem(err) : QD_OK;
}

static qd_status place_args(qd_runner *r, qd_error *err)
{
    qd_status st = QD_OK;
    uint32_t place = r->kind == QD_KIND_AGGREGATE && r->abi == QD_ABI_TYPED; /* behind the state */
    for (size_t i = 0; i < r->b->n_args && st == QD_OK; i++)
        st = place_arg(r, i, &place, err);
    return st;
}

static void look_at_result(qd_runner *r)
{
    const qd_manifest *m = r->b->udf->manifest;
    r->result = qd_manifest_result(m, r->signature);
    r->result_number = r->signature->result;
    if (m->abi == QD_ABI_BATCH)
        r->result_number = r->result == QD_F64   ? QD_WASM_F64
                           : r->result == QD_I64 ? QD_WASM_I64
                           : r->result == QD_F32 ? QD_WASM_F32
                                                 : QD_WASM_I32;
}

qd_status qd_runner_open(const qd_binding *b, const qd_doc_source *docs, const qd_run_control *control, qd_runner **out,
                         qd_error *err)
{
    qd_status st = QD_OK;
    qd_runner *r = malloc(sizeof *r);
    if (!r)
        return qd_fail_nomem(err);
    memset(r, 0, offsetof(qd_runner, rows));
    r->args = calloc(b->n_args + 1, sizeof *r->args);
    if (!r->args) {
        free(r);
        return qd_fail_nomem(err);
    }
    r->b = b;
    r->docs = docs;
    r->log = control->log;
    r->log_arg = control->log_arg;
    r->signature = qd_wasm_program_signature(b->program);
    r->abi = b->udf->manifest->abi;
    r->kind = b->udf->manifest->kind;
    look_at_result(r);
    r->call = (qd_call){.docs = docs,
                        .param = get_param,
                        .param_arg = r,
                        .log = qd_runner_log,
                        .log_arg = r,
                        .deadline_ns = control->deadline_ns,
                        .canceled = control->canceled};
    st = place_args(r, err);
    for (size_t i = 0; i < b->n_args && st == QD_OK; i++) {
        st = resolve_slot(r, &b->args[i].value, &r->args[i].slot, err);
        if (st == QD_OK)
            st = resolve_slot(r, &b->args[i].fallback, &r->args[i].fallback_slot, err);
    }
    if (st == QD_OK)
        *out = QD_TAKE(r);
    qd_runner_close(r);
    return st;
}

void qd_runner_close(qd_runner *r)
{
    if (!r)
        return;
    drop_instance(r);
    for (size_t i = 0; i < r->b->n_args; i++)
        free(r->args[i].texts);
    qd_arena_free(r->strings);
    free(r->stash);
    free(r->args);
    free(r);
}

void qd_runner_set_deadline(qd_runner *r, int64_t deadline_ns)
{
    r->call.deadline_ns = deadline_ns;
}

uint64_t qd_runner_host_calls(const qd_runner *r)
{
    return r->host_calls + (r->instance ? qd_instance_host_calls(r->instance) : 0);
}
