/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents for `udf bench`: JSON objects, given or made up, whose fields a function reads as it reads those of an
 * index: numbers and booleans from columns that lie in memory, strings and the rest value by value. */
#ifndef QCTL_BENCH_DOCS_H
#define QCTL_BENCH_DOCS_H

#include <jansson.h>

#include "udf/manifest.h"
#include "wasm/doc_source.h"

#define BENCH_MAX_FIELDS 256

typedef struct bench_column {
    char *path;   /* owned */
    qd_type type; /* of all values: QD_I64, QD_F64, QD_BOOL; QD_NULL: no column, read value by value */
    void *values; /* owned; double or int64_t of each document */
    uint8_t *valid;
    bool is_all_valid;
} bench_column;

typedef struct bench_docs {
    json_t *list; /* owned; an array of documents, not empty */
    size_t n;     /* how many */
    size_t n_distinct;
    size_t first;   /* the block begins at this one, and goes on from the first behind the last */
    uint32_t block; /* rows of the block */
    bench_column columns[BENCH_MAX_FIELDS];
    int n_columns;
    char id[24];
} bench_docs;

/* Documents one per line. Errors: QD_EIO, QD_EPARSE with the line, QD_EINVAL (none in it). On success:
 * bench_docs_deinit. */
qd_status bench_docs_read(bench_docs *d, const char *path, qd_error *err);
/* The documents of a cases.json, as JSON (borrowed) that is known to have cases; those that expect an error are left
 * out. False: no document has a member. */
bool bench_docs_from_cases(bench_docs *d, const json_t *cases);
/* Made up for the fields that a manifest's parameters come from; always the same ones. Errors: QD_ENOMEM. */
qd_status bench_docs_make(bench_docs *d, const qd_manifest *m, qd_error *err);
void bench_docs_deinit(bench_docs *d);
/* Valid as long as `d` stays where it is. */
qd_doc_source bench_docs_source(bench_docs *d);

#endif
