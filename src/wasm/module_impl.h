/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of a module, for this room only. Immutable after it is made. */
#ifndef QD_WASM_MODULE_IMPL_H
#define QD_WASM_MODULE_IMPL_H

#include <stdatomic.h>
#include <wasmtime.h>

#include "wasm/host.h"
#include "wasm/sections.h"

typedef struct qd_wasm_export {
    char *name;
    size_t name_n;
    qd_wasm_signature signature;
} qd_wasm_export;

struct qd_wasm_module {
    qd_wasm_engine *engine; /* a reference */
    wasmtime_module_t *wasm;
    atomic_uint refs;
    uint32_t permissions;
    qd_wasm_state state;
    const qd_host_function **imports; /* of the table; in the module's order */
    char **import_names;
    size_t n_imports;
    qd_wasm_export *exports; /* functions */
    size_t n_exports;
    bool has_initialize; /* exports _initialize(): a WASI reactor's constructors */
    bool has_start;
    bool is_bounded;
    uint64_t longest_path;
    int64_t compile_ns;
};

#endif
