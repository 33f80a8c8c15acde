/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of a runner. A block goes through it like this (runner.c), with "row" a document's place in the block and
 * "position" its place among those that the function is called for:
 *   1. arguments are laid down for all rows (runner_args.c); rows that lack one are taken out, columns compacted
 *   2. the function runs over the positions; after a failure that may be skipped, a fresh instance goes on behind it
 *   3. results are spread back from positions to rows. */
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
} qd_runner_arg;

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
    qd_instance *instance; /* NULL before the first block and after a failure */
    uint64_t host_calls, string_bytes; /* of instances that are gone */
    qd_runner_arg *args;
    size_t next_param; /* where the guest's next get_param is looked for first: it asks in the same order for each
                          document */

    uint64_t *stash; /* copies of the varying columns, QD_BLOCK_DOCS * 8 bytes each; NULL until a first failure */

    /* the block */
    uint32_t n; /* rows */
    uint32_t n_positions;
    bool is_compacted; /* else positions are rows */
    bool is_stashed;   /* the columns lie in `stash` too */
    bool has_bad_rows; /* some row's state is not QD_ROW_RUN */
    bool has_failed_rows;
    const float *scores;
    uint32_t n_called;
    qd_runner_count count;
    /* from here on not zeroed by qd_runner_open: large, and written before it is read */
    uint32_t rows[QD_BLOCK_DOCS]; /* of positions, when compacted */
    uint8_t state[QD_BLOCK_DOCS]; /* of rows */
    uint8_t valid[QD_BLOCK_DOCS]; /* scratch: of one column */
    union {
        double f64[QD_BLOCK_DOCS];
        int64_t i64[QD_BLOCK_DOCS];
    } scratch; /* one column before its conversion */
};

/* Typed shape: fills the instance's columns for all rows and marks those that lack an argument. Errors: QD_EUDF_PARAMS
 * naming parameter and document, unless the binding skips or defaults. */
qd_status qd_runner_fill(qd_runner *r, qd_error *err);
/* Row shape: marks the rows that lack a required parameter. The same errors. */
qd_status qd_runner_check_required(qd_runner *r, qd_error *err);
/* A parameter's value for a row, in its declared type where it converts; false: missing. */
bool qd_runner_value(qd_runner *r, size_t arg, uint32_t row, qd_value *out);
/* Which row the guest is at; false while it is at none. */
bool qd_runner_current_row(const qd_runner *r, uint32_t *row);
/* Bytes of one value of a column. */
size_t qd_wasm_valtype_bytes(qd_wasm_valtype t);

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
