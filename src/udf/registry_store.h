/* SPDX-License-Identifier: Apache-2.0
 *
 * What the store holds of the registry, in bucket "udf":
 *   module/<sha256>         the module's bytes
 *   native/<name>@<version> its ahead-of-time code, if it came with some
 *   function/<name>         the alias and the history (registry_history.h)
 *   entry/<name>@<version>  the version itself (registry_record.h): it exists when this does
 *
 * Registering writes them in this order, so the last put is the one that counts; deleting removes the entry first, then
 * writes the history, then removes the rest. Only one key changes at a time, and the process may end between any two:
 * - bytes and code that no entry refers to, and a history of a function without versions, are removed at the next open;
 * - an alias that names a version which does not exist (it was about to be registered, or has just been deleted) means
 *   the one that was active before, else the latest: what deleting would have written too;
 * - the history's line about a registration that did not come to its end is not shown, and gone with the next change.
 * A registration that was not acknowledged can be sent again; it is done as if it had never been tried. */
#ifndef QD_UDF_REGISTRY_STORE_H
#define QD_UDF_REGISTRY_STORE_H

#include "udf/registry_history.h"
#include "udf/registry_table.h"

/* A function's history as stored; its texts are views into `bytes`. */
typedef struct qd_stored_history {
    qd_buf bytes;
    qd_history h;
} qd_stored_history;

/* None stored, or one that cannot be read: an empty one. Deinit it in any case. Errors: QD_EIO. */
qd_status qd_registry_store_read_history(qd_registry *r, qd_str name, qd_stored_history *out, qd_error *err);
/* The same, settled (qd_history_settle). `f` NULL: the function has no versions. Called with write_mutex. */
qd_status qd_registry_store_settled_history(qd_registry *r, qd_str name, const qd_udf_function *f,
                                            qd_stored_history *out, qd_error *err);
void qd_stored_history_deinit(qd_stored_history *s);
qd_status qd_registry_store_put_history(qd_registry *r, qd_str name, const qd_history *h, qd_error *err);
/* A qd_history_exists_fn; `arg` is a qd_udf_function. */
bool qd_registry_store_exists(const void *function, qd_str version);

/* What registering writes; all borrowed. */
typedef struct qd_stored_version {
    qd_str name, hash, wasm, native, record; /* native: empty without ahead-of-time code */
    const char *label;
    const qd_history *history; /* NULL: stays as it is */
    bool is_again;             /* the module's bytes are written even when they seem to be there */
} qd_stored_version;

/* In the order above, with one wait for the disk. */
qd_status qd_registry_store_put_version(qd_registry *r, const qd_stored_version *v, qd_error *err);
/* Append to `out`. Errors: QD_EUDF_COMPILE when it is not there, QD_EIO, QD_ELIMIT. */
qd_status qd_registry_store_get_module(qd_registry *r, qd_str hash, qd_buf *out, qd_error *err);
qd_status qd_registry_store_get_native(qd_registry *r, const char *label, qd_buf *out, qd_error *err);
qd_status qd_registry_store_get_entry(qd_registry *r, const char *label, qd_buf *out, qd_error *err);
/* What is gone already is no error. */
qd_status qd_registry_store_remove(qd_registry *r, const char *kind, qd_str key, qd_error *err);

/* Fills an empty table. */
qd_status qd_registry_load(qd_registry *r, qd_error *err);

#endif
