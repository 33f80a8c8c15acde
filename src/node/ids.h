/* SPDX-License-Identifier: Apache-2.0
 *
 * Ids that are made here: of documents that came without one, and of indices. Threads: any. */
#ifndef QD_NODE_IDS_H
#define QD_NODE_IDS_H

#include "base/error.h"
#include "base/str.h"

#define QD_AUTO_ID_SIZE 21 /* with NUL */
#define QD_UUID_SIZE    23
#define QD_ID_MAX_BYTES 512

/* 15 bytes as URL-safe base64: milliseconds, a count, and six random bytes of this process. Ids made later begin alike,
 * which the term dictionary likes, and no two are equal, so that no lookup is needed. Errors: QD_EINTERNAL. */
qd_status qd_auto_id(char out[QD_AUTO_ID_SIZE], qd_error *err);
/* 16 random bytes as URL-safe base64. Errors: QD_EINTERNAL. */
qd_status qd_uuid_new(char out[QD_UUID_SIZE], qd_error *err);
/* Is it what qd_uuid_new writes? Such a string is safe as a file name. */
bool qd_uuid_is_valid(qd_str s);

#endif
