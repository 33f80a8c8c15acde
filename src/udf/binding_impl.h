/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of a binding, for runners: each parameter with where its values come from. Immutable once made. */
#ifndef QD_UDF_BINDING_IMPL_H
#define QD_UDF_BINDING_IMPL_H

#include "udf/binding.h"

/* References to the context are resolved, constants are of the declared type: kinds are NONE, CONSTANT, SCORE, ID,
 * FIELD. */
typedef struct qd_arg {
    const qd_udf_param *param;
    qd_ref value;
    qd_ref fallback; /* where `value` is a field that a document lacks; else NONE */
} qd_arg;

struct qd_binding {
    qd_udf *udf;              /* a reference */
    qd_wasm_program *program; /* a reference */
    qd_str function;          /* the export that is called, without what aggregates add to it */
    qd_arena *arena;
    qd_arg *args; /* one per parameter of the manifest, in order */
    size_t n_args;
    bool is_columnar;         /* typed and batch shape: arguments are laid down in columns; else they are asked for */
    uint64_t varying;         /* columnar: a bit per argument that is not a constant */
    bool is_always_missing;   /* typed shape: some argument has no value for any document */
    bool has_required_fields; /* not columnar: some required parameter is a field without a constant to fall back on */
    bool needs_score;
    qd_on_error on_error;
    double default_result;
};

/* Can it be missing in a document after its fallback? */
bool qd_arg_may_lack(const qd_arg *a);

#endif
