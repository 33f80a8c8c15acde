/* SPDX-License-Identifier: Apache-2.0
 *
 * What the store holds of the registry, in bucket "udf":
 *   module/<sha256>         the module's bytes
 *   native/<name>@<version> its ahead-of-time code, if it came with some
 *   function/<name>         the alias and the history (registry_history.h)
 *   entry/<name>@<version>  the version itself (registry_record.h): it exists when this does
 *
 * A change of the registry is one list of changes of these keys, committed with its entry of the audit log
 * (qd_audit_commit): in LMDB all of it is there or nothing. Without an audit log, or in a store that cannot change
 * several keys at once, they are changed one after the other: registering writes in the order above, so the last put is
 * the one that counts; deleting removes the entry first, then writes the history, then removes the rest. There the
 * process may end between any two:
 * - bytes and code that no entry refers to, and a history of a function without versions, are removed at the next open;
 * - an alias that names a version which does not exist (it was about to be registered, or has just been deleted) means
 *   the one that was active before, else none: what deleting would have written too;
 * - the history's line about a registration that did not come to its end is not shown, and gone with the next change.
 * A registration that was not acknowledged can be sent again; it is done as if it had never been tried. */
#ifndef QD_UDF_REGISTRY_STORE_H
#define QD_UDF_REGISTRY_STORE_H

#include "udf/audit.h"
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
/* A qd_history_exists_fn; `arg` is a qd_udf_function. */
bool qd_registry_store_exists(const void *function, qd_str version);

/* ---- changing ---- */

/* Changes on their way to one commit. What is put is borrowed until then, but for histories. */
typedef struct qd_store_changes {
    qd_kv_item *items;
    struct qd_store_key *keys;
    size_t n, most;
    bool is_full; /* more than were announced: committing fails */
    qd_buf history;
} qd_store_changes;

/* Room for `most` changes. Deinit it in any case. Errors: QD_ENOMEM. */
qd_status qd_store_changes_init(qd_store_changes *c, size_t most, qd_error *err);
void qd_store_changes_deinit(qd_store_changes *c);
void qd_store_changes_remove(qd_store_changes *c, const char *kind, qd_str key);
/* One history at most. */
void qd_store_changes_put_history(qd_store_changes *c, qd_str name, const qd_history *h);

/* What registering writes; all borrowed. */
typedef struct qd_stored_version {
    qd_str name, hash, wasm, native, record; /* native: empty without ahead-of-time code */
    const char *label;
    const qd_history *history; /* NULL: stays as it is */
    bool is_again;             /* the module's bytes are written even when they seem to be there */
} qd_stored_version;

#define QD_STORE_VERSION_KEYS 4 /* changes at most for one version, put or removed */
/* In the order above. */
void qd_store_changes_put_version(qd_store_changes *c, const qd_stored_version *v);
/* Makes them durable, with the entry where there is an audit log. Errors: QD_EIO, QD_ELIMIT, QD_ENOMEM. */
qd_status qd_registry_store_commit(qd_registry *r, const qd_store_changes *c, const qd_audit_entry *e, qd_error *err);

/* ---- reading ---- */

/* Append to `out`. Errors: QD_EUDF_COMPILE when it is not there, QD_EIO, QD_ELIMIT. */
qd_status qd_registry_store_get_module(qd_registry *r, qd_str hash, qd_buf *out, qd_error *err);
qd_status qd_registry_store_get_native(qd_registry *r, const char *label, qd_buf *out, qd_error *err);
qd_status qd_registry_store_get_entry(qd_registry *r, const char *label, qd_buf *out, qd_error *err);

/* Fills an empty table. */
qd_status qd_registry_load(qd_registry *r, qd_error *err);

#endif
