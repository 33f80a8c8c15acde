/* SPDX-License-Identifier: Apache-2.0
 *
 * The columns module: what a function that reads fields by handle gets its values from without leaving the sandbox. It
 * is instantiated before the function, owns the memory "cols", which the driver imports and the guest cannot address,
 * and exports the functions that the guest imports as env.field_f64, env.field_i64, env.field_valid and env.score. Its
 * memory, past the cells of the driver (driver.h):
 *
 *   QD_COLS_RESULTS  the driver's results
 *   QD_COLS_SCORES   an f32 per row
 *   QD_COLS_F64      per handle an f64 per row, 0 where there is no value
 *   QD_COLS_I64      the same as i64
 *   QD_COLS_VALID    per handle a byte per row: 1 where there is a value
 *   QD_COLS_DRIVER   the driver's own columns
 *
 * Only the host and the driver write there; the host lays down a field in the forms that the module imports functions
 * for, so that each of these is one load. Pages are touched, and take memory, only for handles in use; those of a small
 * function lie in the first 64 KiB, which the pool keeps (backend.c). */
#ifndef QD_WASM_COLUMNS_H
#define QD_WASM_COLUMNS_H

#include "wasm/driver.h"

#define QD_MAX_HANDLES 64

/* Strides that are no powers of two: else the rows of all columns would meet in the same sets of the cache. */
#define QD_COLS_VALID_STRIDE  (QD_BLOCK_DOCS + 64u)
#define QD_COLS_VALUES_STRIDE (QD_BLOCK_DOCS * 8u + 192u)

#define QD_COLS_RESULTS 1024u
#define QD_COLS_SCORES  (QD_COLS_RESULTS + QD_COLS_VALUES_STRIDE)
#define QD_COLS_F64     (QD_COLS_SCORES + QD_BLOCK_DOCS * 4u + 192u)
#define QD_COLS_I64     (QD_COLS_F64 + QD_COLS_VALUES_STRIDE * QD_MAX_HANDLES)
#define QD_COLS_VALID   (QD_COLS_I64 + QD_COLS_VALUES_STRIDE * QD_MAX_HANDLES)
#define QD_COLS_DRIVER  (QD_COLS_VALID + QD_COLS_VALID_STRIDE * QD_MAX_HANDLES)
/* Room for the largest driver. */
#define QD_COLS_BYTES (QD_COLS_DRIVER + QD_COLS_VALUES_STRIDE * QD_WASM_MAX_PARAMS)

/* The module's bytes and layout. False when out of memory. */
bool qd_columns_generate(qd_driver *layout, qd_buf *out);

#endif
