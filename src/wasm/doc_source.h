/* SPDX-License-Identifier: Apache-2.0
 *
 * What the function runtime sees of documents: a block of rows whose fields are read by path. The query room
 * implements it over columns and `_source` of a segment, the udf room over plain JSON documents (the test call).
 * A source serves one thread; rows are those of the current block. */
#ifndef QD_WASM_DOC_SOURCE_H
#define QD_WASM_DOC_SOURCE_H

#include "base/value.h"

#define QD_SLOT_TOO_MANY  (-1)
#define QD_SLOT_NO_MEMORY (-2)

typedef struct qd_doc_source {
    void *arg;
    /* A slot to read a path by ("price", "vendor.name", "tags[2]"); the same path gives the same slot; slots are small
     * and count from 0. An unknown path has a slot too and reads as missing. Else QD_SLOT_TOO_MANY (no path, too), or
     * QD_SLOT_NO_MEMORY. */
    int (*resolve)(void *arg, qd_str path);
    /* The whole block's first values at once, converted to double / int64; valid[i] 0 where missing (out[i] is then 0).
     * False: not numeric or not a column, use `value`. A bool column reads as 0/1 through _i64. */
    bool (*block_f64)(void *arg, int slot, double *out, uint8_t *valid, bool *all_valid);
    bool (*block_i64)(void *arg, int slot, int64_t *out, uint8_t *valid, bool *all_valid);
    /* One value; false: missing. Strings are views valid until the block ends. */
    bool (*value)(void *arg, int slot, uint32_t row, qd_value *out);
    /* The document's id; view valid until the block ends. False: it could not be read. */
    bool (*id)(void *arg, uint32_t row, qd_str *out);
    /* How many values the field has, and the one at a place, from 0, in the document's order. NULL, both: `value` is
     * the only one. */
    uint32_t (*count)(void *arg, int slot, uint32_t row);
    bool (*value_at)(void *arg, int slot, uint32_t row, uint32_t at, qd_value *out);
} qd_doc_source;

#endif
