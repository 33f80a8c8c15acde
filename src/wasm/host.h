/* SPDX-License-Identifier: Apache-2.0
 *
 * What modules may import: one table of host functions, from which imports are checked, linked and documented. A new
 * host function is one row and one function (and a declaration in sdk/c/quidditch.h).
 *
 * Host functions get their arguments in `v` and leave their result in v[0]. They check every address that they are
 * given, never call back into the guest, and run in bounded time. */
#ifndef QD_WASM_HOST_H
#define QD_WASM_HOST_H

#include <wasmtime.h>

#include "wasm/module.h"
#include "wasm/program.h"

/* What most host functions answer. */
enum qd_host_answer { QD_HOST_OK = 0, QD_HOST_MISSING = 1, QD_HOST_WRONG_TYPE = 2, QD_HOST_BAD_BUFFER = 3 };

typedef wasm_trap_t *qd_host_callback(qd_instance *i, wasmtime_val_raw_t *v);

typedef struct qd_host_function {
    const char *module, *name;
    const char *signature;  /* "Iiii:i": parameters, colon, result; i i32, I i64, f f32, F f64 */
    uint32_t permission;    /* a QD_PERM_ bit without which it may not be imported; 0: always allowed */
    qd_host_callback *call; /* NULL: the columns module answers, by its export of that name (columns.h) */
    const char *summary;
} qd_host_function;

/* The rows, for documentation and tests; NULL past the end. */
const qd_host_function *qd_host_function_at(size_t i);

typedef struct qd_host_import {
    qd_str module, name;
    const qd_wasm_signature *signature; /* NULL: it is not a function */
    const char *kind;                   /* "memory", when not a function */
} qd_host_import;
/* The row that an import means. Errors: QD_EUDF_COMPILE (unknown, not a function, another signature),
 * QD_EUDF_PERMISSION. */
qd_status qd_host_find(const qd_host_import *import, uint32_t permissions, const qd_host_function **out, qd_error *err);

/* Makes a row available to instances of modules that are linked with `linker`. Errors: QD_EUDF_COMPILE. */
qd_status qd_host_define(wasmtime_linker_t *linker, const qd_host_function *f, qd_error *err);

/* "(i64, i32) -> f64"; returns `out`. */
#define QD_SIGNATURE_TEXT_SIZE 256
char *qd_wasm_signature_text(const qd_wasm_signature *s, char out[QD_SIGNATURE_TEXT_SIZE]);
void qd_wasm_signature_parse(const char *text, qd_wasm_signature *out);
bool qd_wasm_signature_eq(const qd_wasm_signature *a, const qd_wasm_signature *b);

/* The tables of the rows' homes, ended by a row without a name. */
extern const qd_host_function qd_host_fields[];  /* host_fields.c: documents and scores */
extern const qd_host_function qd_host_handles[]; /* host_handles.c: fields by handle */
extern const qd_host_function qd_host_params[];  /* host_params.c: parameters and the log */
extern const qd_host_function qd_host_results[]; /* host_results.c: results that are no numbers */
extern const qd_host_function qd_host_wasi[];    /* wasi.c */

/* Shared by them. Writes a scalar or a string where the guest asked for it; gives the answer for v[0].i32. */
int32_t qd_host_write(qd_instance *i, uint32_t at, const void *value, uint32_t n);
int32_t qd_host_write_string(qd_instance *i, uint32_t at, uint32_t length_at, qd_str value);
/* A value as what the guest asked for, or QD_HOST_WRONG_TYPE where it does not convert. */
int32_t qd_host_write_f64(qd_instance *i, uint32_t at, qd_value value);
int32_t qd_host_write_i64(qd_instance *i, uint32_t at, qd_value value);
int32_t qd_host_write_bool(qd_instance *i, uint32_t at, qd_value value); /* an i32, 0 or 1 */
int32_t qd_host_write_text(qd_instance *i, uint32_t at, uint32_t length_at, qd_value value);
/* Lays down, for rows [first, end) of a block, what the guest reads through the columns module. */
void qd_host_lay_columns(qd_instance *i, uint32_t first, uint32_t end);
/* How many values the current row has for a field. */
uint32_t qd_host_count_values(const qd_instance *i, int slot);
/* Logs as the function, within its limit. */
void qd_host_log(qd_instance *i, int level, qd_str message);
/* Ends the run with a sentence of ours. */
wasm_trap_t *qd_host_stop(qd_instance *i, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same where the host is out of memory: QD_ENOMEM. */
wasm_trap_t *qd_host_stop_nomem(qd_instance *i);

#endif
