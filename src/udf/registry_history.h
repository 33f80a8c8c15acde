/* SPDX-License-Identifier: Apache-2.0
 *
 * The alias of one function and what happened to its versions, which are stored as one record, so that they never
 * disagree. The newest 1,000 lines are kept; older ones are in the audit log. Packed (25 to 60 bytes a line, so that
 * the longest takes some 50 KB to write with each deployment):
 *
 *   "QH", format 1, the active version behind its length (1 byte), then, oldest first, for each line: action (1 byte),
 *   time (8 bytes), version and who, each behind its length (1 byte). */
#ifndef QD_UDF_REGISTRY_HISTORY_H
#define QD_UDF_REGISTRY_HISTORY_H

#include "base/buf.h"
#include "base/error.h"

#define QD_HISTORY_MAX_LINES 1000

/* Stored as numbers: never reused. */
typedef enum qd_history_action {
    QD_HISTORY_REGISTER = 1, /* and activate */
    QD_HISTORY_REGISTER_INACTIVE = 2,
    QD_HISTORY_ACTIVATE = 3,
    QD_HISTORY_ROLLBACK = 4,
    QD_HISTORY_DELETE = 5,
} qd_history_action;
const char *qd_history_action_name(qd_history_action a); /* "register" for both */

typedef struct qd_history_line {
    qd_history_action action;
    int64_t at_ms;
    qd_str version, by; /* views into what was unpacked, or borrowed from who added it */
} qd_history_line;

typedef struct qd_history {
    qd_str active;          /* a view likewise; empty: no version is active */
    qd_history_line *lines; /* oldest first; owned, room for one more than was unpacked */
    size_t n;
} qd_history;

/* `bytes` empty: an empty history. *out can be deinited in any case. Errors: QD_EPARSE (this is no history),
 * QD_ENOMEM. */
qd_status qd_history_unpack(qd_str bytes, qd_history *out);
/* The active version alone. */
bool qd_history_read_active(qd_str bytes, qd_str *out);
void qd_history_deinit(qd_history *h);
/* Once after unpacking. The oldest line goes when there are too many. */
void qd_history_add(qd_history *h, qd_history_action action, qd_str version, qd_str by, int64_t at_ms);
void qd_history_pack(const qd_history *h, qd_buf *out);

typedef bool qd_history_exists_fn(const void *arg, qd_str version);
/* Forgets that a version was registered when it does not exist and was not deleted: the process ended in between. */
void qd_history_settle(qd_history *h, qd_history_exists_fn *exists, const void *arg);
/* The version that was active before the active one, and before any that was rolled back: registering and activating
 * put a version on a stack, rolling back takes it off down to the one that it went to, deleting takes a version out.
 * *out: a view; empty: there is none. Errors: QD_ENOMEM. */
qd_status qd_history_previous(const qd_history *h, qd_history_exists_fn *exists, const void *arg, qd_str *out,
                              qd_error *err);

#endif
