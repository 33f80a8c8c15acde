/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs and instances: calling one export for blocks of documents. The host never loops over documents with one call
 * each: a small generated driver module (driver.c) loops inside the sandbox over a block of up to QD_BLOCK_DOCS rows,
 * whose argument columns lie where the guest cannot reach them. In the batch shape the function loops itself, over
 * columns in its own memory. What functions see of all this is told in docs/guest-abi.md.
 *
 * A block, step by step: qd_instance_column(i) for each varying argument and fill n values; qd_instance_constant(i)
 * once per query for the others; qd_instance_run(n); read the results. The row and the handle shape have no arguments:
 * the function gets a context id, and asks for fields and parameters by host functions (host.c), answered by the
 * qd_call that was set. */
#ifndef QD_WASM_PROGRAM_H
#define QD_WASM_PROGRAM_H

#include "wasm/doc_source.h"
#include "wasm/module.h"

#define QD_BLOCK_DOCS 2048

typedef struct qd_wasm_limits {
    size_t memory_bytes;     /* linear memory, the dependencies' included; 16 MiB */
    uint32_t table_elements; /* of all tables, likewise; 10,000 */
    uint32_t call_ms;        /* running time of one document's call, in ticks of the 1 ms epoch clock; 100 */
    uint32_t log_bytes;      /* per run; 64 KiB */
} qd_wasm_limits;
#define QD_WASM_LIMITS_INIT                                                                                            \
    {                                                                                                                  \
        16u << 20, 10000, 100, 64u << 10                                                                               \
    }

typedef struct qd_wasm_program qd_wasm_program;
typedef struct qd_instance qd_instance;

/* What to call, and how. Borrowed. */
typedef struct qd_wasm_program_spec {
    qd_str export_name;
    qd_wasm_shape shape;
    /* An aggregate's update: an i32 comes before all other arguments, set by qd_instance_constant(i, 0), in the batch
     * shape by qd_instance_set_state; there is no result. */
    bool has_state;
    bool returns_string; /* by set_result_string; what the function itself returns, if anything, is dropped */
    bool needs_memory;   /* qd_instance_area will be used: the module must export its memory */
    /* Batch shape: the types of the columns and of the results (QD_STRING also here). */
    const qd_type *params;
    uint32_t n_params;
    qd_type result;
    const qd_wasm_limits *limits; /* NULL: QD_WASM_LIMITS_INIT */
    const char *name;             /* for errors: "geo@1.0.0" */
} qd_wasm_program_spec;

/* The export must exist with a signature that fits (docs/guest-abi.md): row and handle (i64) -> a number; typed
 * (numbers) -> a number; batch (i32, i32, i32). Holds a reference to the module. Errors: QD_EUDF_WASM naming export,
 * what it has and what is expected; QD_EUDF_MEMORY. */
qd_status qd_wasm_program_new(qd_wasm_module *m, const qd_wasm_program_spec *spec, qd_wasm_program **out,
                              qd_error *err);
void qd_wasm_program_ref(qd_wasm_program *p);
void qd_wasm_program_unref(qd_wasm_program *p);
const qd_wasm_signature *qd_wasm_program_signature(const qd_wasm_program *p);

/* What host functions answer from, for one query's use of a function on one segment. Borrowed by the instance until it
 * is released. */
typedef struct qd_call {
    const qd_doc_source *docs; /* NULL: reads answer 3, as for a stale context */
    const float *scores;       /* of the block's rows; NULL: get_score gives 0 */
    /* A parameter by name for a row: 0 ok, 1 missing (as host functions answer). Strings: view until the block ends.
     * In qd_instance_call, where there is no row (qd_instance_current_row), `row` means nothing. */
    int (*param)(void *arg, qd_str name, uint32_t row, qd_value *out);
    void *param_arg;
    void (*log)(void *arg, int level, qd_str message); /* 0 debug … 3 error; NULL: dropped */
    void *log_arg;
    int64_t deadline_ns;           /* monotonic; INT64_MAX: none */
    const volatile bool *canceled; /* read atomically at each tick; may be NULL */
} qd_call;

/* A fresh one, or one that keeps nothing (see qd_instance_release). `varying` has a bit per typed argument that changes
 * by row (the others are constants). Costs some 10 to 20 us, most of it in the pages that the function and the columns
 * touch. The message does not name the function: the caller knows it. Errors: QD_EBUSY (too many live),
 * QD_EUDF_MEMORY, QD_EUDF_FAILED (start function trapped), QD_EUDF_TIMEOUT, QD_ECANCELED, QD_ENOMEM. */
qd_status qd_instance_acquire(qd_wasm_program *p, uint64_t varying, qd_call *call, qd_instance **out, qd_error *err);
/* Only that: instantiates the function's module with its dependencies, which runs their start functions and
 * `_initialize` under the limits of a call, and drops it all. Errors: as qd_instance_acquire. */
qd_status qd_wasm_program_try_start(qd_wasm_program *p, qd_call *call, qd_error *err);
/* Drops the store with all that the function left in its memory, globals and tables, so that nothing of one query is
 * visible to the next; its address space goes back to Wasmtime's pool. A function that has none of these and imports
 * nothing is kept as it is for the next acquire. */
void qd_instance_release(qd_instance *i);

/* The column of a varying argument: room for QD_BLOCK_DOCS values of the argument's own type (double, int64_t, float,
 * int32_t). Batch: of any parameter; strings are qd_batch_string. */
void *qd_instance_column(qd_instance *i, uint32_t arg);
/* Batch: a byte per row, 1 where the column has a value; all 1 until written. */
uint8_t *qd_instance_column_valid(qd_instance *i, uint32_t arg);
/* A constant argument's value, converted to the argument's type: booleans are 0 and 1, what does not fit is cut to the
 * nearest that does, anything else is 0. Constants are 0 until set. Batch: not for strings. */
void qd_instance_constant(qd_instance *i, uint32_t arg, qd_value v);
/* Batch shape with has_state. */
void qd_instance_set_state(qd_instance *i, int32_t state);

/* A string as the guest sees it. */
typedef struct qd_batch_string {
    uint32_t at, n;
} qd_batch_string;
/* `bytes` of the guest's memory for the host to write to: strings that are arguments, an aggregate's serialized state.
 * There is one area; asking for more may move it and lose what lies there. It comes from the export `quidditch_alloc`
 * where the module has one, else the memory grows by it, which counts against its limit. Errors: QD_EUDF_MEMORY, and
 * what quidditch_alloc fails with. */
qd_status qd_instance_area(qd_instance *i, uint32_t bytes, uint32_t *at, uint8_t **host, qd_error *err);
/* [at, at + n) of the guest's memory, or NULL when it is not all inside. Valid until guest code runs. */
const uint8_t *qd_instance_bytes(qd_instance *i, uint32_t at, uint32_t n);

typedef struct qd_run_failure {
    bool is_set;
    uint32_t row; /* at which the function was when it failed */
} qd_run_failure;
/* Calls the function for rows [0, n). Errors: QD_EUDF_FAILED (trap, with reason and wasm backtrace), QD_EUDF_TIMEOUT,
 * QD_EUDF_MEMORY, QD_ECANCELED; the message gives the reason without the function's name. After an error the instance
 * may only be released. `failure` may be NULL. Rows [0, failure->row) have results. */
qd_status qd_instance_run(qd_instance *i, uint32_t n, qd_run_failure *failure, qd_error *err);
/* The same for rows [first, end) of the block: a fresh instance goes on behind the row at which another failed. */
qd_status qd_instance_run_range(qd_instance *i, uint32_t first, uint32_t end, qd_run_failure *failure, qd_error *err);
/* The result column, of the signature's result type: const double*, int64_t*, float*, int32_t*; batch: of the declared
 * type. Valid until the next run. */
const void *qd_instance_results(const qd_instance *i);
/* A byte per row of the last run, 0 where the function said that there is no result; NULL: all have one. */
const uint8_t *qd_instance_result_valid(const qd_instance *i);
/* After qd_instance_call: did the function say set_result_missing? */
bool qd_instance_is_result_missing(const qd_instance *i);
/* Of results that are strings: the longest, and all of a run (with what keeping them costs). */
#define QD_RESULT_STRING_BYTES (1u << 20)
#define QD_RESULT_RUN_BYTES    ((size_t)16 << 20)
/* With returns_string: the string of a row that is valid; once for each row. View until the next run. Errors:
 * QD_EUDF_FAILED (batch: the address is not in the guest's memory, not UTF-8, or longer than the bounds above). */
qd_status qd_instance_result_string(qd_instance *i, uint32_t row, qd_str *out, qd_error *err);

typedef union qd_wasm_value {
    int32_t i32;
    int64_t i64;
    float f32;
    double f64;
} qd_wasm_value;
/* Calls another function of the module, outside of any document: what an aggregate has beside its update. `signature`
 * ("iii:I": parameters, colon, result; i i32, I i64, f f32, F f64) is what the export must have. A string that it sets
 * as its result is row 0's. The same limits and errors as qd_instance_run, and QD_EUDF_WASM (no such export, or
 * another signature). */
qd_status qd_instance_call(qd_instance *i, qd_str export_name, const char *signature, const qd_wasm_value *args,
                           qd_wasm_value *result, qd_error *err);
/* Has the module better native code than this instance runs? Then release it and acquire another, between blocks. */
bool qd_instance_is_outdated(const qd_instance *i);
/* The most rows that one run may have, so that a function without epoch checks ends soon enough: 1 to QD_BLOCK_DOCS. */
uint32_t qd_instance_max_rows(const qd_instance *i);
/* How often the guest called host functions since acquire. */
uint64_t qd_instance_host_calls(const qd_instance *i);
/* Bytes of strings that host functions have copied into the guest's memory since acquire. */
uint64_t qd_instance_string_bytes(const qd_instance *i);
/* Its linear memory now, and that of the modules that it depends on; it never shrinks. */
uint64_t qd_instance_linear_bytes(const qd_instance *i);
/* During a host call: the row that the function is at. False when it is at none: the module is being initialized, or
 * it is a call beside rows. */
bool qd_instance_current_row(const qd_instance *i, uint32_t *row);

#endif
