/* SPDX-License-Identifier: Apache-2.0
 *
 * The batch shape's block in the guest's own memory: a descriptor per parameter and one for the results, then per
 * column its values and its validity. The guest may write anything there: the host reads back results and their
 * validity only, from where it put them itself. */
#ifndef QD_WASM_BATCH_H
#define QD_WASM_BATCH_H

#include "wasm/program.h"

/* As the guest sees it. */
typedef struct qd_batch_descriptor {
    uint32_t data;  /* address of the first row's value */
    uint32_t valid; /* of the first row's validity; 0: all rows have a value */
    uint32_t type;  /* enum qd_batch_type */
    uint32_t flags; /* QD_BATCH_CONSTANT */
} qd_batch_descriptor;
_Static_assert(sizeof(qd_batch_descriptor) == 16, "part of the guest ABI");

enum qd_batch_type { QD_BATCH_I32, QD_BATCH_I64, QD_BATCH_F32, QD_BATCH_F64, QD_BATCH_STRING };
#define QD_BATCH_CONSTANT 1u /* all rows are equal */

typedef struct qd_batch_column {
    uint32_t values, valid; /* offsets in the block */
    uint32_t width;         /* bytes of a value */
    uint32_t type;          /* enum qd_batch_type */
} qd_batch_column;

typedef struct qd_batch_layout {
    uint32_t n_params;
    bool has_results;
    uint32_t bytes;
    qd_batch_column columns[QD_WASM_MAX_PARAMS + 1]; /* the last one in use: results */
} qd_batch_layout;

/* `spec` of the batch shape, n_params at most QD_WASM_MAX_PARAMS. */
void qd_batch_lay_out(const qd_wasm_program_spec *spec, qd_batch_layout *out);
static inline const qd_batch_column *qd_batch_results(const qd_batch_layout *l)
{
    return &l->columns[l->n_params];
}

/* Fills a column with one number. */
void qd_batch_fill(const qd_batch_column *c, uint8_t *block, qd_value v);
/* Makes the block ready for a run of rows [first, end): descriptors, results 0 and valid. `at`: the block's address for
 * the guest; bits of `varying` say which parameters are not constant. */
void qd_batch_begin(const qd_batch_layout *l, uint8_t *block, uint32_t at, uint64_t varying, uint32_t first,
                    uint32_t end);

/* A number as one of wasm's types: booleans are 0 and 1, what does not fit is cut to the nearest that does. `to`: 4 or
 * 8 bytes. */
void qd_wasm_store_number(void *to, qd_wasm_valtype type, qd_value v);

#endif
