/* SPDX-License-Identifier: Apache-2.0
 *
 * The columns module: what a function that reads fields by handle gets its values from without leaving the sandbox. It
 * is instantiated before the function, owns the memory "cols", which the driver imports and the guest cannot address,
 * and exports the functions that the guest imports as env.field_f64, env.field_i64, env.field_valid and env.score. Its
 * memory, past the cells of the driver (driver.h):
 *
 *   QD_COLS_TYPES    per handle an i32: what lies in its column (enum qd_cols_type)
 *   QD_COLS_VALID    per handle a byte per row: 1 where there is a value
 *   QD_COLS_SCORES   an f32 per row
 *   QD_COLS_VALUES   per handle 8 bytes per row, 0 where there is no value
 *   QD_COLS_DRIVER   the driver's own columns
 *
 * Only the host and the driver write there. Pages are touched, and take memory, only for handles in use. */
#ifndef QD_WASM_COLUMNS_H
#define QD_WASM_COLUMNS_H

#include "wasm/driver.h"

#define QD_MAX_HANDLES 64

enum qd_cols_type { QD_COLS_NONE, QD_COLS_F64, QD_COLS_I64 };

/* Strides that are no powers of two: else the rows of all columns would meet in the same sets of the cache. */
#define QD_COLS_VALID_STRIDE  (QD_BLOCK_DOCS + 64u)
#define QD_COLS_VALUES_STRIDE (QD_BLOCK_DOCS * 8u + 192u)

#define QD_COLS_TYPES  1024u
#define QD_COLS_VALID  (QD_COLS_TYPES + 4u * QD_MAX_HANDLES)
#define QD_COLS_SCORES (QD_COLS_VALID + QD_COLS_VALID_STRIDE * QD_MAX_HANDLES)
#define QD_COLS_VALUES (QD_COLS_SCORES + QD_BLOCK_DOCS * 4u)
#define QD_COLS_DRIVER (QD_COLS_VALUES + QD_COLS_VALUES_STRIDE * QD_MAX_HANDLES)
/* Room for the largest driver. */
#define QD_COLS_BYTES (QD_COLS_DRIVER + QD_COLS_VALUES_STRIDE * (QD_WASM_MAX_PARAMS + 1))

/* The module's bytes and layout. False when out of memory. */
bool qd_columns_generate(qd_driver *layout, qd_buf *out);

#endif
