/* SPDX-License-Identifier: Apache-2.0
 *
 * One operation as the op log keeps it: a fixed header, the id, the source. The record's number in the log is the
 * operation's sequence number. All integers are little-endian. */
#ifndef QD_NODE_RECORD_H
#define QD_NODE_RECORD_H

#include "base/error.h"
#include "base/str.h"

#define QD_RECORD_HEADER_SIZE 16

typedef struct qd_record {
    bool is_delete;
    bool replaces; /* a live document had this id */
    int64_t version;
    qd_str id, source;
} qd_record;

void qd_record_write_header(const qd_record *r, uint8_t out[QD_RECORD_HEADER_SIZE]);
/* Views into `data`. Errors: QD_EIO, naming the sequence number. */
qd_status qd_record_read(uint64_t seq_no, qd_str data, qd_record *out, qd_error *err);

#endif
