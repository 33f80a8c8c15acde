/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of a runner. A block goes through it like this (runner.c), with "row" a document's place in the block and
 * "position" its place among those that the function is called for:
 *   1. arguments are laid down for all rows (runner_args.c); rows that lack one are taken out, columns compacted
 *   2. the function runs over the positions, its strings copied to it piece by piece (runner_columns.c); after a
 * failure that may be skipped, a fresh instance goes on behind it
 *   3. results are read (runner_results.c) and spread back from positions to rows. */
#ifndef QD_UDF_RUNNER_IMPL_H
#define QD_UDF_RUNNER_IMPL_H

#include "udf/binding_impl.h"

typedef enum qd_row_state {
    QD_ROW_RUN = 0,     /* to be called for, or was */
    QD_ROW_MISSING = 1, /* lacks an argument: no result */
    QD_ROW_FAILED,      /* an error that the binding skips or defaults */
} qd_row_state;

typedef struct qd_runner_arg {
    int slot, fallback_slot; /* fields; else -1 */
    qd_type seen;            /* the type of the field's values as far as seen; QD_NULL: none yet */
    bool has_no_block;       /* the source gives it only value by value */
    uint32_t place;          /* among the function's arguments, or the batch's columns */
    qd_wasm_valtype type;    /* of its column; QD_WASM_OTHER: a string */
    qd_str *texts;           /* of a string that varies: the rows', then the positions'; else NULL */
} qd_runner_arg;

/* Where results go: by position until they are spread, then by row. */
typedef struct qd_runner_out {
    double *f64;      /* NULL: not wanted */
    qd_value *values; /* NULL: not wanted */
    uint8_t *valid;   /* with neither, a filter: 1 where the result is not 0 */
} qd_runner_out;

/* What the statistics of the function have been told so far, and what not yet (runner_count.c). */
typedef struct qd_runner_count {
    uint64_t host_calls, string_bytes;
    qd_status forgiven; /* of the failures below; all of one kind */
    uint32_t n_forgiven;
} qd_runner_count;

struct qd_runner {
    const qd_binding *b;
    const qd_doc_source *docs;
    qd_call call;
    void (*log)(void *arg, int level, qd_str message); /* the caller's; may be NULL */
    void *log_arg;
    const qd_wasm_signature *signature;
    qd_udf_abi abi;
    qd_udf_kind kind;
    qd_type result;                    /* of the function */
    qd_wasm_valtype result_number;     /* as it lies in the result column; not of strings */
    uint64_t varying;                  /* a bit per place, for the instance */
    bool has_texts;                    /* some parameter is a string */
    qd_runner_states states;           /* of an aggregate; they give: */
    int32_t state;                     /* in the instance at hand */
    qd_instance *instance;             /* NULL before the first block and after a failure */
    uint64_t host_calls, string_bytes; /* of instances that are gone */
    qd_runner_arg *args;
    size_t next_param; /* where the guest's next get_param is looked for first: it asks in the same order for each
                          document */

    uint8_t *stash;    /* copies of the varying columns, QD_STASH_BYTES each; NULL until needed */
    qd_arena *strings; /* results of the last run */

    /* the block */
    uint32_t n; /* rows */
    uint32_t n_positions;
    bool is_compacted; /* else positions are rows */
    bool is_stashed;   /* the columns lie in `stash` too */
    bool has_bad_rows; /* some row's state is not QD_ROW_RUN */
    bool has_failed_rows;
    const float *scores;
    qd_runner_out out;
    /* Rows that the function was called for, each once, however often a piece of them was run: those with a result or
     * in the state, those that failed, and of the former those in an aggregate's state as it was kept last. */
    uint32_t n_succeeded, n_failed, n_kept;
    uint32_t n_retries;
    uint32_t piece;  /* no run is longer */
    uint32_t kept;   /* an aggregate's positions before this one are in the state that was kept */
    bool is_careful; /* an aggregate's document has failed in this block: what succeeds from now on is kept at once */
    qd_runner_count count;
    qd_error why; /* what ended the last run of positions, if anything did; too large to be made for each */
    /* from here on not zeroed by qd_runner_open: large, and written before it is read */
    uint32_t rows[QD_BLOCK_DOCS];    /* of positions, when compacted */
    uint8_t state_of[QD_BLOCK_DOCS]; /* rows */
    uint8_t value_valid[QD_BLOCK_DOCS];
    uint8_t valid[QD_BLOCK_DOCS]; /* scratch: of one column */
    union {
        double f64[QD_BLOCK_DOCS];
        int64_t i64[QD_BLOCK_DOCS];
    } scratch; /* one column before its conversion */
};

#define QD_STASH_BYTES (QD_BLOCK_DOCS * (sizeof(uint64_t) + 1))

/* Typed and batch shape: fills the instance's columns for all rows and marks those that lack an argument. Errors:
 * QD_EUDF_PARAMS naming parameter and document, unless the binding skips or defaults. */
qd_status qd_runner_fill(qd_runner *r, qd_error *err);
/* Row and handle shape: marks the rows that lack a required parameter. The same errors. */
qd_status qd_runner_check_required(qd_runner *r, qd_error *err);
/* A parameter's value for a row, in its declared type where it converts; false: missing. */
bool qd_runner_value(qd_runner *r, size_t arg, uint32_t row, qd_value *out);
/* Which row the guest is at; false while it is at none. */
bool qd_runner_current_row(const qd_runner *r, uint32_t *row);
/* Bytes of one value of a column. */
size_t qd_wasm_valtype_bytes(qd_wasm_valtype t);
static inline bool qd_runner_varies(const qd_runner *r, size_t arg)
{
    return r->b->varying >> arg & 1;
}
static inline uint32_t qd_runner_row_of(const qd_runner *r, uint32_t position)
{
    return r->is_compacted ? r->rows[position] : position;
}

/* ---- runner_columns.c ---- */

/* Keeps copies of the columns, of all positions: the instance that holds them failed, or may spoil them. */
bool qd_runner_stash(qd_runner *r);
/* Brings positions [first, end) back into a fresh instance's columns. */
void qd_runner_restore(qd_runner *r, uint32_t first, uint32_t end);
/* Copies the strings of positions [first, *end) into the guest's memory, or of fewer, when there is no room for all.
 * Errors are position `first`'s. */
qd_status qd_runner_stage_texts(qd_runner *r, uint32_t first, uint32_t *end, qd_error *err);

/* ---- runner_results.c ---- */

/* Takes the results of positions [first, end), which the instance has computed. Errors: a row's that is not forgiven.
 */
qd_status qd_runner_take(qd_runner *r, uint32_t first, uint32_t end, qd_error *err);
/* From positions to rows; then what failed and is to have a default. */
void qd_runner_spread(qd_runner *r);

/* A row failed: an error naming function, document and reason, or, when the binding forgives, a mark on the row. `why`
 * has code and reason and becomes *err. */
qd_status qd_runner_fail_row(qd_runner *r, uint32_t row, qd_error *why, qd_error *err);
/* A row's id, for messages; "#7" where the document has none. `place` holds it then. */
#define QD_ROW_PLACE_SIZE 24
qd_str qd_runner_row_id(const qd_runner *r, uint32_t row, char place[QD_ROW_PLACE_SIZE]);

/* ---- runner_count.c: what goes to the function's statistics and recent logs ---- */

/* A failure; `id` NULL: of no document. */
void qd_runner_count_failure(qd_runner *r, const qd_error *why, const qd_str *id);
/* A failure of a row that the binding forgives. There may be one in each row, so only the first of a kind in a block is
 * told in full. */
void qd_runner_count_forgiven(qd_runner *r, const qd_error *why, uint32_t row);
/* The end of a block, whatever became of it. */
void qd_runner_count_block(qd_runner *r, int64_t ns);
/* Keeps a line that the guest logged, and passes it on. `arg`: the runner. */
void qd_runner_log(void *arg, int level, qd_str message);

#endif
