/* SPDX-License-Identifier: Apache-2.0
 *
 * A look at a module's sections without validating what is in them: custom sections, and what state instances have.
 * Takes any bytes; stops at the first that make no sense. */
#ifndef QD_WASM_SECTIONS_H
#define QD_WASM_SECTIONS_H

#include "base/str.h"

/* What an instance of the module holds between calls. Meaningful for valid modules only. */
typedef struct qd_wasm_state {
    uint64_t memory_pages;   /* initial, 0 without a memory */
    uint64_t table_elements; /* initial, of all tables */
    uint64_t code_bytes;
    bool has_memory;
    /* No memory, global or table of its own: a call leaves nothing behind. */
    bool is_stateless;
} qd_wasm_state;

qd_wasm_state qd_wasm_state_of(const uint8_t *bytes, size_t n);

/* What a module says is the version of the guest ABI that it was written for. */
typedef enum qd_wasm_abi { QD_WASM_ABI_UNSAID, QD_WASM_ABI_SAID, QD_WASM_ABI_UNREADABLE } qd_wasm_abi;
/* Looks for the export quidditch_abi_version: a global, or a function whose code is one constant. For valid modules
 * that import functions only. */
qd_wasm_abi qd_wasm_abi_version(const uint8_t *bytes, size_t n, int32_t *version);

/* A custom section: [start, end) with its header, `data` what stands behind its name. */
typedef struct qd_wasm_custom {
    size_t start, end;
    qd_str data; /* view into the module */
} qd_wasm_custom;

/* The next custom section of that name at or behind *at (0 to begin), and moves *at behind it; false when there is
 * none. */
bool qd_wasm_next_custom(const uint8_t *bytes, size_t n, const char *name, size_t *at, qd_wasm_custom *out);

#endif
