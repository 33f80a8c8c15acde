/* SPDX-License-Identifier: Apache-2.0
 *
 * Native code of one module, made by one backend and linked with the host functions that it imports. Immutable. The
 * module holds the best it has, and instances hold what they began with. */
#ifndef QD_WASM_NATIVE_H
#define QD_WASM_NATIVE_H

#include <stdatomic.h>
#include <wasmtime.h>

#include "wasm/backend.h"
#include "wasm/join.h"

typedef struct qd_wasm_native {
    qd_wasm_engine *engine;         /* borrowed: kept by the module, which outlives its code */
    const qd_wasm_backend *backend; /* the engine's */
    wasmtime_module_t *wasm;
    qd_join *join;                   /* a reference: what it was made from; NULL: the module alone */
    wasmtime_instance_pre_t *linked; /* NULL: some imports are of other instances of the same store, and these are */
    wasmtime_linker_t *linker;       /* the host functions; else NULL */
    qd_wasm_tier tier;
    qd_wasm_source source;
    size_t code_bytes;
    atomic_uint refs;
} qd_wasm_native;

/* Code as it was made or found, not yet linked. */
typedef struct qd_wasm_made {
    wasmtime_module_t *wasm; /* owned */
    bool is_joined;          /* with the module's driver */
    qd_wasm_source source;
} qd_wasm_made;

/* Links loaded code, which is taken. Errors: QD_EUDF_COMPILE, QD_EUDF_FULL (with it, code would take more than the
 * engine's max_code_bytes), QD_ENOMEM. */
qd_status qd_wasm_native_new(const qd_wasm_module *m, const qd_wasm_backend *backend, qd_wasm_made *made,
                             qd_wasm_native **out, qd_error *err);
void qd_wasm_native_ref(qd_wasm_native *native);
void qd_wasm_native_unref(qd_wasm_native *native);

/* A reference to the best code that the module has now. */
qd_wasm_native *qd_wasm_module_native(qd_wasm_module *m);
/* Puts better code in its place; `native` is taken. Instances that wait for reuse with the old one are dropped. */
void qd_wasm_module_swap(qd_wasm_module *m, qd_wasm_native *native);
void qd_wasm_module_count_compiled(qd_wasm_module *m, qd_wasm_tier tier, int64_t ns);

#endif
