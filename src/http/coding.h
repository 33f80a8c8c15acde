/* SPDX-License-Identifier: Apache-2.0
 *
 * Content codings of bodies: gzip and deflate in, gzip out. Bytes from outside: what comes out of them is bounded by
 * the buffer's maximum, never by what they say of themselves. Threads: any; the work belongs into a pool. */
#ifndef QD_HTTP_CODING_H
#define QD_HTTP_CODING_H

#include "base/buf.h"
#include "base/error.h"

typedef enum qd_coding { QD_CODING_NONE, QD_CODING_GZIP, QD_CODING_DEFLATE } qd_coding;

/* A Content-Encoding: "", "identity", "gzip", "x-gzip", "deflate", "x-deflate", in any case. False: another one, or
 * several. */
bool qd_coding_parse(qd_str header, qd_coding *out);
/* Does an Accept-Encoding want gzip? By name or by "*", unless with q=0. */
bool qd_coding_wants_gzip(qd_str accept);

/* Asked each QD_UNPACK_STEP_BYTES of output: anything but QD_OK ends the work with that. */
typedef qd_status qd_unpack_check_fn(void *arg, const qd_buf *out, qd_error *err);
#define QD_UNPACK_STEP_BYTES ((size_t)64 << 10)
/* Appends what `packed` holds to `out`: gzip of one or more members, deflate with zlib's header or bare. `check` may be
 * NULL. Errors: QD_ETOOLARGE (more than the buffer's maximum; the message is the caller's to better), QD_EINVAL
 * (corrupt, cut short, followed by something else), QD_ENOMEM, what `check` says. */
qd_status qd_unpack(qd_coding coding, qd_str packed, qd_buf *out, qd_unpack_check_fn *check, void *arg, qd_error *err);

/* Appends `plain` as gzip of one member, level 1 to 9. False when that failed or would not be shorter: then `out` is
 * empty. */
bool qd_pack_gzip(qd_str plain, int level, qd_buf *out);

#endif
