/* SPDX-License-Identifier: Apache-2.0
 *
 * What a function says of itself. JSON beside the module or inside it (custom section "quidditch.manifest"); the fields
 * are in one table in manifest.c, from which parsing, checking and writing come. Immutable once parsed. */
#ifndef QD_UDF_MANIFEST_H
#define QD_UDF_MANIFEST_H

#include "base/arena.h"
#include "base/json.h"
#include "base/value.h"
#include "wasm/program.h"

typedef enum qd_udf_kind {
    QD_KIND_UNSET,
    QD_KIND_FILTER,
    QD_KIND_SCORE,
    QD_KIND_TRANSFORM,
    QD_KIND_AGGREGATE
} qd_udf_kind;
typedef enum qd_udf_abi { QD_ABI_UNSET, QD_ABI_ROW, QD_ABI_TYPED, QD_ABI_HANDLE, QD_ABI_BATCH } qd_udf_abi;

/* Where a parameter's value comes from: a constant, or a reference resolved per query (context) or per document. */
typedef enum qd_ref_kind {
    QD_REF_NONE,
    QD_REF_CONSTANT,
    QD_REF_SCORE,
    QD_REF_ID,
    QD_REF_FIELD,
    QD_REF_CONTEXT
} qd_ref_kind;
typedef struct qd_ref {
    qd_ref_kind kind;
    qd_value constant;
    qd_str path; /* of FIELD ("price") and CONTEXT ("user.tier"), without the prefix */
} qd_ref;

typedef struct qd_udf_param {
    qd_str name, description;
    qd_type type;
    bool required;
    qd_ref from;          /* QD_REF_NONE when absent */
    qd_ref default_value; /* likewise */
} qd_udf_param;

/* A function whose exports this one imports. */
typedef struct qd_udf_dependency {
    qd_str name;    /* of the function, and of the module in the import */
    qd_str version; /* a range (semver_range.h), "latest" or "active"; "*" when not given */
} qd_udf_dependency;

typedef struct qd_manifest {
    qd_arena *arena; /* owns everything below */
    qd_str name, version, function_name;
    qd_udf_kind kind;
    qd_udf_abi abi;
    qd_udf_param *params;
    size_t n_params;
    qd_udf_dependency *deps;
    size_t n_deps;        /* at most QD_WASM_MAX_DEPENDENCIES */
    uint32_t permissions; /* qd_wasm_permission bits; default: read_document, read_score, log */
    qd_wasm_limits limits;
    bool needs_score, has_needs_score, deterministic;
    bool has_max_score;
    double max_score;
    bool has_returns;
    qd_type returns; /* of the first (and only) of `returns`, when has_returns */
    qd_str description, author, license, repository, category, language;
    json_t *json; /* the whole manifest as given, canonical (sorted keys, defaults not filled in) */
} qd_manifest;

/* Parses and checks: known fields only, name `^[a-z][a-z0-9_]*$` (at most 64), semver, parameters without duplicates,
 * defaults of the right type, at most 64. `obj` borrowed. Errors: QD_EUDF_PARAMS with err->field naming the field
 * ("parameters[1].default"). */
qd_status qd_manifest_parse(const json_t *obj, qd_manifest **out, qd_error *err);
void qd_manifest_free(qd_manifest *m);
/* Fills kind and abi from the exported signature where they are unset, and checks the signature against the manifest.
 * Row: (i64) -> i32 is a filter, (i64) -> f64 a score. Typed: one argument per parameter. Errors: QD_EUDF_WASM (missing
 * export, wrong signature: says what it has and what it should have), QD_EUDF_PARAMS when ambiguous (says which field
 * to give). */
qd_status qd_manifest_fit(qd_manifest *m, const qd_wasm_module *module, qd_error *err);
/* Parses "_score", "_id", "_source.a.b", "_context.a.b" as references, everything else as a constant of JSON type. */
qd_status qd_ref_parse(const json_t *v, const char *where, qd_arena *arena, qd_ref *out, qd_error *err);

const char *qd_udf_kind_name(qd_udf_kind k);
const char *qd_udf_abi_name(qd_udf_abi a);

#endif
