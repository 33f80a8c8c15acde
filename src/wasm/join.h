/* SPDX-License-Identifier: Apache-2.0
 *
 * Joined code: a function, the driver that calls it for a block of rows and the columns module that it reads fields
 * from, made one module before they are compiled, so that the code generator inlines one into the other. A call from
 * module to module costs a nanosecond or two, more than many functions take themselves.
 *
 * A driver depends on how a function is used: its export, its shape, which arguments vary. The manifest says how it
 * usually will be, and that is what is joined; used otherwise, the same code serves with a driver of its own, as code
 * that was not joined does. The baseline compiler does not inline: its code stays as it is. */
#ifndef QD_WASM_JOIN_H
#define QD_WASM_JOIN_H

#include <engine.h>
#include <stdatomic.h>

#include "base/hash.h"
#include "wasm/blob.h"
#include "wasm/driver.h"
#include "wasm/module.h"

/* What the parts are called in the joined module, and so the beginning of their exports' names. */
#define QD_JOIN_DRIVER "driver"
#define QD_JOIN_RUN    QD_JOIN_DRIVER ":run"
#define QD_JOIN_COLS   QD_JOIN_DRIVER ":cols"

/* What is joined, and how it will be called. Immutable. */
typedef struct qd_join {
    atomic_uint refs;
    qd_blob *guest; /* a reference */
    char *export_name;
    size_t export_name_n;
    qd_wasm_signature signature;
    qd_driver_spec spec; /* `signature` is the one above */
    qd_driver layout;
    qd_buf driver, columns;        /* wasm; no columns: empty */
    uint64_t cols_bytes;           /* of the memory that the joined module has for the driver */
    char hash[QD_SHA256_HEX_SIZE]; /* of how they are joined and all the parts: what the code is kept by */
    _Atomic(qe_join_map *) map;    /* NULL until a backtrace needs it */
} qd_join;

/* *out is NULL when there is nothing to join: no such export or none that a driver can call, the batch shape,
 * dependencies, a start function (which would run before the guest's memory has its limit). `m` has been read.
 * Errors: QD_ENOMEM, QD_EINTERNAL. */
qd_status qd_join_new(const qd_wasm_module *m, const qd_wasm_entry *entry, qd_join **out, qd_error *err);
qd_join *qd_join_ref(qd_join *j);
void qd_join_unref(qd_join *j); /* NULL does nothing */
/* Does the joined driver call this program's function as the instance with these varying arguments needs it? */
bool qd_join_serves(const qd_join *j, const qd_wasm_program *p, uint64_t varying);
/* The joined module. *out: owned by caller (qe_code_free). Errors: QD_EUDF_COMPILE (the guest has exports of the names
 * above), QD_ENOMEM. */
qd_status qd_join_write(const qd_join *j, qe_code **out, qd_error *err);

/* For an offset in the joined module: the guest's function that has the instruction, and where it is in the guest.
 * False: it is the driver's or the columns module's, or nobody knows. The first call joins once more, and keeps what it
 * finds out with modules of up to QD_JOIN_MAX_MAPPED bytes; of larger ones nothing is told. Threads: any. */
#define QD_JOIN_MAX_MAPPED ((size_t)1 << 20)
bool qd_join_locate(qd_join *j, size_t offset, uint32_t *function, size_t *from);

#endif
