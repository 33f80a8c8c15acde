/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of a program, for this room only. Immutable but for its counts. */
#ifndef QD_WASM_PROGRAM_IMPL_H
#define QD_WASM_PROGRAM_IMPL_H

#include <stdatomic.h>
#include <wasmtime.h>

#include "wasm/batch.h"
#include "wasm/program.h"

/* By which a module gives the host places in its memory (area.c). */
#define QD_ALLOC_EXPORT    "quidditch_alloc"
#define QD_ALLOC_SIGNATURE "i:i"

struct qd_wasm_program {
    qd_wasm_engine *engine; /* kept by the module */
    qd_wasm_module *module; /* a reference */
    qd_wasm_signature signature;
    qd_wasm_shape shape;
    bool has_state, returns_string;
    qd_batch_layout *batch; /* NULL: not batch */
    qd_wasm_limits limits;
    char *export_name;
    size_t export_name_n;
    char *name; /* for errors */
    atomic_uint refs;
    uint32_t n_idle; /* under the engine's mutex */
};

#endif
