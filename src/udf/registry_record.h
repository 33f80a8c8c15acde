/* SPDX-License-Identifier: Apache-2.0
 *
 * What the store keeps of one version beside its module: a summary, which the registry keeps in memory for each version
 * (some hundred bytes), then the whole manifest as JSON, which is read when it is asked for. Packed rather than JSON,
 * so that ten thousand of them are read in some milliseconds:
 *
 *   "QE", format 1, kind, abi, trust state (a byte each), two zeros, wasm_size, native_size, registered_at, updated_at
 *   (8 bytes each), the texts in the order of the struct, then the manifest; each text behind its length (4 bytes). */
#ifndef QD_UDF_REGISTRY_RECORD_H
#define QD_UDF_REGISTRY_RECORD_H

#include "base/hash.h"
#include "udf/manifest.h"
#include "udf/trust.h"

typedef struct qd_udf_record {
    qd_udf_kind kind; /* as it turned out, not as it was given */
    qd_udf_abi abi;
    qd_trust_state trust;            /* when it was registered */
    uint64_t wasm_size, native_size; /* native_size 0: no ahead-of-time code */
    int64_t registered_at_ms, updated_at_ms;
    qd_str hash, manifest_hash;         /* of the module, of the manifest's text; 64 hexadecimal digits */
    qd_str key_id;                      /* who signed it, or "" */
    qd_str signature, native_signature; /* detached, as JSON, or "" */
    qd_str pins;                        /* dependencies: "name@version", each ended by a NUL */
    qd_str function_name, description, author, category, language;
    qd_str tags; /* each ended by a NUL */
} qd_udf_record;

/* Appends the record and the manifest. */
void qd_udf_record_pack(const qd_udf_record *r, qd_str manifest, qd_buf *out);
/* Views into `bytes`. *summary_n (may be NULL): how many bytes are the summary's; *manifest (may be NULL). False when
 * this is no record. */
bool qd_udf_record_unpack(qd_str bytes, qd_udf_record *out, size_t *summary_n, qd_str *manifest);
/* The next of a list of texts ended by NULs; `*at` starts at 0. */
bool qd_udf_record_next(qd_str list, size_t *at, qd_str *out);

#endif
