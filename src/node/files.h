/* SPDX-License-Identifier: Apache-2.0
 *
 * Directories of the data directory: making, removing, syncing, locking. */
#ifndef QD_NODE_FILES_H
#define QD_NODE_FILES_H

#include <sys/types.h>

#include "base/error.h"

/* Makes a directory (mode 0700); one that is there already is fine. Errors: QD_EIO. */
qd_status qd_dir_make(const char *path, qd_error *err);
/* Makes the directory's entries durable. Errors: QD_EIO. */
qd_status qd_dir_sync(const char *path, qd_error *err);
/* Removes a tree; what is gone already is fine. Errors: QD_EIO. */
qd_status qd_dir_remove(const char *path, qd_error *err);
/* Takes an exclusive lock on a file (made when absent), held until the descriptor is closed. Errors: QD_EBUSY, QD_EIO.
 */
qd_status qd_file_lock(const char *path, int *fd, qd_error *err);
/* A file of that size, so that removing it makes room when the disk is full. Without room, or if it fails: no file. */
void qd_file_reserve(const char *path, off_t bytes);

#endif
