/* SPDX-License-Identifier: Apache-2.0
 *
 * Dependencies: modules whose exported functions another module imports. All of them are instantiated in the same store
 * before the function, with code of the optimized backend, and each has its own memory: what passes between them are
 * numbers. A dependency may use no host functions: they answer from the memory and the document of the function itself.
 *
 * A module lists all modules that it needs, those of its dependencies too, each once and after what it needs itself. */
#ifndef QD_WASM_LINK_H
#define QD_WASM_LINK_H

#include "wasm/native.h"

typedef struct qd_linked_module {
    qd_wasm_module *module; /* a reference */
    qd_wasm_native *native; /* a reference, once there is an engine */
} qd_linked_module;

typedef struct qd_linked_import {
    const qd_wasm_module *module;
    const char *export_name; /* NULL: not a dependency's */
} qd_linked_import;

typedef struct qd_links {
    qd_linked_module modules[QD_WASM_MAX_DEPENDENCIES];
    size_t n;
} qd_links;

/* Errors: QD_EUDF_COMPILE (a name that is taken, host functions, more than QD_WASM_MAX_DEPENDENCIES in all). */
qd_status qd_links_init(qd_links *l, const qd_wasm_module_options *options, qd_error *err);
/* Legal on zeros. */
void qd_links_deinit(qd_links *l);
/* Has all compiled. Errors: as for modules. */
qd_status qd_links_load(qd_links *l, qd_error *err);

typedef struct qd_wasm_import {
    qd_str module, name;
    const qd_wasm_signature *signature; /* NULL: it is not a function */
} qd_wasm_import;
/* Does a dependency answer it? Then *out is set, on QD_OK. Errors: QD_EUDF_COMPILE. */
qd_status qd_links_find(const qd_wasm_module_options *options, const qd_wasm_import *import, qd_linked_import *out,
                        qd_error *err);

/* Instantiates all that the instance's module needs. Errors: as qd_instance_acquire. */
qd_status qd_links_instantiate(qd_instance *i, wasmtime_instance_t out[QD_WASM_MAX_DEPENDENCIES], qd_error *err);
/* The function that answers an import of a module in the instance's store. Errors: QD_EINTERNAL. */
qd_status qd_links_export(qd_instance *i, const wasmtime_instance_t *instances, const qd_linked_import *import,
                          wasmtime_extern_t *out, qd_error *err);

#endif
