/* SPDX-License-Identifier: Apache-2.0
 *
 * Native code on disk, so that a restart and a second deploy of the same module need no compiler: one file per entry in
 * a directory of the node's own. It is a cache: nothing is synced, a lost or torn entry is compiled again, and where
 * the directory cannot be trusted the engine goes on without.
 *
 * A file's name is its entry's key, its modification time is its last use. There is no index beside them that could
 * disagree: the directory is read once, by the first who writes (or in the background), and kept as a list by last use,
 * from whose end entries go when the bytes exceed the limit. A hit costs one more system call for that.
 *
 * Trust: the directory must be this user's and nobody else may write there; each entry is authenticated (cache_entry.h)
 * in the memory from which it is then used.
 *
 * Threads: any. The mutex guards the list; it is held across no I/O but the first reading of the directory. */
#ifndef QD_WASM_CACHE_H
#define QD_WASM_CACHE_H

#include "base/error.h"
#include "wasm/cache_entry.h"

typedef struct qd_native_cache qd_native_cache;

/* Makes the directory (not its parents) when it is not there. Errors: QD_EIO naming the directory and what is wrong. */
qd_status qd_native_cache_open(const char *directory, uint64_t max_bytes, qd_native_cache **out, qd_error *err);
void qd_native_cache_close(qd_native_cache *c);

/* The code kept for a key: *bytes owned by caller (free), *code a view into it. False when there is none. */
bool qd_native_cache_get(qd_native_cache *c, const char key[QD_CACHE_KEY_SIZE], uint8_t **bytes, qd_str *code);
/* Keeps it; failing to is not an error. */
void qd_native_cache_put(qd_native_cache *c, const char key[QD_CACHE_KEY_SIZE], qd_str code);
/* The engine would not take what was authentic: away with it. */
void qd_native_cache_reject(qd_native_cache *c, const char key[QD_CACHE_KEY_SIZE]);
/* Reads the directory now, unless that is done: in the background, so that nobody waits for it later. */
void qd_native_cache_scan(qd_native_cache *c);

typedef struct qd_cache_counters {
    uint64_t hits, misses, evictions, rejected;
    uint64_t bytes, entries;
} qd_cache_counters;
/* Scans first. */
void qd_native_cache_read_counters(qd_native_cache *c, qd_cache_counters *out);

#endif
