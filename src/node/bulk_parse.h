/* SPDX-License-Identifier: Apache-2.0
 *
 * The body of _bulk, line by line, as items. Views into the body, or into the arena where JSON escapes had to be
 * undone. */
#ifndef QD_NODE_BULK_PARSE_H
#define QD_NODE_BULK_PARSE_H

#include "base/arena.h"
#include "base/error.h"

#define QD_BULK_MAX_ITEMS 1000000

typedef enum qd_bulk_action { QD_BULK_INDEX, QD_BULK_CREATE, QD_BULK_DELETE, QD_BULK_UPDATE } qd_bulk_action;

typedef struct qd_bulk_item {
    qd_bulk_action action;
    qd_str index;
    qd_str id;       /* empty: none was given */
    qd_str source;   /* empty for deletions */
    int64_t if_seq_no, if_primary_term; /* QD_SEQ_ANY */
    const char *refused; /* what this item asks for and we do not do yet; NULL: nothing */
} qd_bulk_item;

const char *qd_bulk_action_name(qd_bulk_action a);
/* *items: owned by caller (free). Errors: QD_EPARSE with the line, QD_EINVAL, QD_ELIMIT, QD_ENOMEM. */
qd_status qd_bulk_parse(qd_str body, qd_str default_index, qd_arena *arena, qd_bulk_item **items, size_t *n,
                        qd_error *err);

#endif
