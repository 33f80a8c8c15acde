/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing files: whole, or not at all. */
#ifndef QCTL_SAVE_H
#define QCTL_SAVE_H

#include <sys/types.h>

#include "base/error.h"
#include "base/str.h"

/* A file that must not be there yet. Errors: QD_EIO, naming it. */
qd_status save_new(const char *path, qd_str bytes, mode_t mode, qd_error *err);
/* Replaces what is there in one step; a new file gets the usual rights. Errors: QD_EIO, naming it. */
qd_status save_over(const char *path, qd_str bytes, qd_error *err);

#endif
