/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of an instance, for this room only: a store with the function's module and its driver in it, and what host
 * functions need while a run is under way. One thread at a time.
 *
 * A store is made for each acquire and dropped at release, so that nothing of one query is there for the next; the pool
 * behind it is Wasmtime's. Modules that have no memory, table or global leave nothing behind and are kept instead
 * (idle.c). The driver's memory is written by the host and by the driver only; the guest cannot reach it. */
#ifndef QD_WASM_INSTANCE_H
#define QD_WASM_INSTANCE_H

#include "base/arena.h"
#include "wasm/columns.h"
#include "wasm/engine_impl.h"
#include "wasm/host.h"

/* Why the host ended a run, where Wasmtime only knows that it did. */
typedef enum qd_stop {
    QD_STOP_NONE,
    QD_STOP_QUERY_DEADLINE,
    QD_STOP_CALL_LIMIT,
    QD_STOP_CANCELED,
    QD_STOP_NO_MEMORY, /* of the host: not the function's fault */
    QD_STOP_HOST
} qd_stop;

/* A field's values for the whole block, fetched at the first read of it. */
typedef struct qd_field_column {
    uint64_t run;       /* of which `values` are; 0: of none */
    qd_type type;       /* of the field's values as far as seen; QD_NULL: not yet */
    bool has_no_column; /* always read one by one */
    bool is_all_valid;
    union {
        double *f64;  /* when type is QD_F64 */
        int64_t *i64; /* when QD_I64 or QD_BOOL */
    } values;         /* one allocation with `valid` */
    uint8_t *valid;
} qd_field_column;

/* A field name that the guest used lately: where it lay, and what it was. The bytes are compared each time, since the
 * guest may change them. */
#define QD_NAME_CACHE_BYTES 48
typedef struct qd_cached_name {
    uint32_t at, n; /* n 0: unused */
    int slot;
    char bytes[QD_NAME_CACHE_BYTES];
} qd_cached_name;

#define QD_NAME_CACHE_SLOTS 64 /* a power of two */
#define QD_FIELD_COLUMNS    64 /* fields with slots past these are read one by one */

/* The last message that the guest logged as an error, cut, and where it was then: should it give up there, that is
 * most likely why. */
#define QD_ERROR_LOG_BYTES 128
typedef struct qd_logged_error {
    uint64_t run;
    uint32_t row, n; /* n: the whole message's length; 0: none */
    char bytes[QD_ERROR_LOG_BYTES];
} qd_logged_error;

/* A field that the guest reads by handle. */
typedef struct qd_handle {
    int slot;
    qd_type type;       /* of its values as far as seen; QD_NULL: not yet */
    bool has_no_column; /* laid down value by value */
} qd_handle;

/* Results that are no numbers. */
typedef struct qd_row_results {
    uint8_t has[QD_BLOCK_DOCS]; /* 0: the row has no result */
    qd_str strings[QD_BLOCK_DOCS];
} qd_row_results;

typedef struct qd_host_state {
    qd_field_column columns[QD_FIELD_COLUMNS];
    qd_cached_name names[QD_NAME_CACHE_SLOTS];
    qd_logged_error logged_error;
    uint32_t log_used;
    bool has_log_note;
    uint64_t fake_random; /* what random_get gives without the permission */
    uint64_t fake_ns;     /* and clock_time_get */
    qd_handle handles[QD_MAX_HANDLES];
    uint32_t n_handles;
    qd_row_results *results; /* NULL until a row needs it */
    uint64_t results_run;    /* whose they are */
    qd_arena *strings;       /* theirs */
} qd_host_state;

/* Guest memory that the host writes to; bytes 0: none. */
typedef struct qd_area {
    uint32_t at, bytes;
} qd_area;

struct qd_instance {
    qd_wasm_engine *engine;   /* kept by whoever holds a program of it */
    qd_wasm_program *program; /* a reference while acquired, borrowed while idle */
    qd_wasm_native *native;   /* a reference: the code that it runs */
    uint64_t varying;
    qd_call *call;
    /* References, or with is_joined the native code's own; NULL: batch has no driver; columns are not needed by every
     * function, or part of its code. */
    qd_driver *driver, *columns;
    bool is_joined; /* the driver is in the guest's module */
    wasmtime_store_t *store;
    wasmtime_context_t *context; /* the store's */
    wasmtime_instance_t guest;
    wasmtime_func_t run;           /* the driver's; batch: the function */
    uint8_t *cols;                 /* the driver's memory; NULL: there is none, or not yet */
    wasmtime_memory_t cols_memory; /* the same, when it is the columns module's */
    bool has_rows;                 /* a run is under way */
    bool is_at_row;                /* and the driver calls for a row: it is current */
    bool is_at_document;           /* and that is a document's, whose fields may be read: not in the typed shape */
    uint32_t run_first, run_end;
    const char *calling; /* the export that is being called; NULL: none, or one without a name of its own */

    wasmtime_caller_t *caller; /* during a host call */
    wasmtime_memory_t memory;  /* the guest's export "memory", once looked up */
    bool has_memory;
    uint8_t *memory_data;   /* never moves */
    uint64_t memory_bytes;  /* at least so many lie there: it never shrinks */
    qe_store_budget budget; /* of the store's memories and tables, but for our own modules' */
    qd_area area, block;    /* for strings and states; the batch's columns */

    int32_t state; /* of an aggregate, in the batch shape */
    uint64_t runs, context_base;
    bool was_call; /* the last run was a call of another function */
    /* What module and engine have counted for it. */
    uint64_t linear_bytes, column_bytes;
    uint64_t host_calls, string_bytes;
    uint64_t result_bytes; /* of the strings of this run that have been read from its memory */
    qd_stop stop;
    char stop_text[160]; /* with QD_STOP_HOST */
    /* Where the last tick of the epoch clock met the guest, and how many have met it there. */
    uint64_t seen_run;
    uint32_t seen_row, seen_ticks;
    bool is_dead;               /* a call failed: nothing may be called any more */
    qd_instance *newer, *older; /* idle list */
    qd_host_state *host;        /* NULL: the module imports nothing */
};

void qd_instance_free(qd_instance *i);

static inline uint32_t qd_instance_row(const qd_instance *i)
{
    uint32_t row = 0;
    if (i->cols)
        memcpy(&row, i->cols + QD_DRIVER_CELL_ROW, sizeof row);
    return row;
}

/* Is `context` the id of the document that the function is at? */
static inline bool qd_instance_is_current(const qd_instance *i, uint64_t context)
{
    return i->is_at_document && context == i->context_base + qd_instance_row(i);
}

/* Guest memory [at, at + n), or NULL when it is not all inside. Valid until the guest runs again. */
uint8_t *qd_instance_memory_slow(qd_instance *i, uint32_t at, uint32_t n);
static inline uint8_t *qd_instance_memory(qd_instance *i, uint32_t at, uint32_t n)
{
    return (uint64_t)at + n <= i->memory_bytes ? i->memory_data + at : qd_instance_memory_slow(i, at, n);
}

/* Everything that runs guest code lies between these two. */
void qd_instance_enter(qd_instance *i);
void qd_instance_leave(qd_instance *i);

/* What ticks are to others, in code without epoch checks: for its host functions that may take their time. True when
 * the query is over; says why in `stop`. */
bool qd_instance_is_over(qd_instance *i);

/* area.c: what the guest's memory is lent for. Errors: QD_EUDF_MEMORY, and what quidditch_alloc fails with. */
qd_status qd_area_reserve(qd_instance *i, uint32_t bytes, qd_area *area, qd_error *err);

/* trap.c: turns what ended a call into a status and a sentence. `trap` and `error` are taken; one of them is not NULL.
 */
qd_status qd_trap_describe(qd_instance *i, wasm_trap_t *trap, wasmtime_error_t *error, qd_error *err);

#endif
