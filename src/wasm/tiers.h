/* SPDX-License-Identifier: Apache-2.0
 *
 * How a module gets its code: signed code that came with it, else the native cache, else it serves with baseline code
 * while the optimizer works; or the best code at once, where the module is small, the baseline compiler refuses, or
 * there is no optimizer. docs/tiers.md says why and what each costs. */
#ifndef QD_WASM_TIERS_H
#define QD_WASM_TIERS_H

#include "wasm/module_impl.h"

/* Which backend makes the best code for it, once it is known what it is made of. */
qd_backend_kind qd_wasm_tiers_best(const qd_wasm_module *m);
/* The most rows in one run of code without epoch checks. */
uint32_t qd_wasm_tiers_max_rows(const qd_wasm_module *m);

/* The first code. Errors: QD_EUDF_COMPILE, QD_EUDF_FULL, QD_ENOMEM. */
qd_status qd_wasm_tiers_load(qd_wasm_module *m, const qd_wasm_module_options *options, qd_error *err);
/* Code of the optimized backend, whatever the module itself runs: for a store with code of several modules. *out: a
 * reference. Errors: as above. */
qd_status qd_wasm_tiers_linkable(qd_wasm_module *m, qd_wasm_native **out, qd_error *err);

#endif
