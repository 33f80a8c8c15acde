/* SPDX-License-Identifier: Apache-2.0
 *
 * The native cache's directory: whether it can be trusted, its key, and its files. */
#ifndef QD_WASM_CACHE_DIR_H
#define QD_WASM_CACHE_DIR_H

#include <sys/types.h>

#include "base/error.h"
#include "wasm/cache_entry.h"

/* *fd: owned by caller (close). Errors: QD_EIO. */
qd_status qd_cache_dir_open(const char *path, int *fd, qd_error *err);
/* The node's key, made when there is none that fits. Errors: QD_EIO. */
qd_status qd_cache_dir_key(int fd, const char *path, uint8_t key[QD_CACHE_NODE_KEY_BYTES], qd_error *err);

/* The whole file, of `max` bytes at most, its time of modification set to now; owned by caller (free). NULL when there
 * is none that is ours. */
uint8_t *qd_cache_dir_read(int fd, const char *name, size_t max, size_t *n);
/* Under its name from one moment to the next, or not at all. `serial` keeps writers apart. */
bool qd_cache_dir_write(int fd, const char *name, uint64_t serial, const qd_str *parts, size_t n_parts);

typedef struct qd_cache_file {
    char key[QD_CACHE_KEY_SIZE];
    uint64_t bytes;
    int64_t used_ns;
} qd_cache_file;
/* The entries, longest unused first; what an interrupted write left is removed. *files: owned by caller (free). */
bool qd_cache_dir_list(int fd, qd_cache_file **files, size_t *n);

#endif
