/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of a write that needs no lock: operations are checked, documents parsed against the mapping, which grows
 * where they bring new fields, and ids looked up in the searcher ahead of time. Used by write.c only. */
#ifndef QD_NODE_PREPARE_H
#define QD_NODE_PREPARE_H

#include "node/index_internal.h"

typedef struct qd_prepared {
    qe_doc *doc;         /* NULL: a deletion, or the operation failed */
    uint64_t generation; /* of the mapping that it was parsed with */
    qd_found found;      /* in `searcher` */
    bool is_new_id;      /* made here: nobody has it */
    bool needs_fields;   /* the mapping lacks some; it is to be parsed again */
} qd_prepared;

typedef struct qd_preparation {
    qd_index *ix;
    qd_op *ops;
    size_t n;
    qd_prepared *prepared;  /* n of them */
    qd_searcher *searcher;  /* what `found` was found in; owned */
    uint64_t generation;    /* every document has been parsed with this one */
} qd_preparation;

/* Clears the outcomes of `ops`. Errors: QD_ENOMEM. */
qd_status qd_prepare_init(qd_preparation *p, qd_index *ix, qd_op *ops, size_t n, qd_error *err);
void qd_prepare_deinit(qd_preparation *p);
/* Parses what has not been parsed with the current mapping. A bad operation gets its outcome and is left out. May be
 * called again, when the mapping turns out to have changed. Errors: those that concern all operations (the index is
 * deleted, its mapping cannot be kept). */
qd_status qd_prepare_documents(qd_preparation *p, qd_error *err);
/* Looks the ids up in the current searcher, unless it is the one they were looked up in. */
qd_status qd_prepare_lookups(qd_preparation *p, qd_error *err);

#endif
