/* SPDX-License-Identifier: Apache-2.0 */
#include "node/record.h"

#define FORMAT 1

enum { TYPE_INDEX = 1, TYPE_DELETE = 2 };
enum { FLAG_REPLACES = 1 };

/* Offsets: 0 format, 1 type, 2 flags, 3 zero, 4 length of the id, 8 version. */

void qd_record_write_header(const qd_record *r, uint8_t out[QD_RECORD_HEADER_SIZE])
{
    out[0] = FORMAT;
    out[1] = r->is_delete ? TYPE_DELETE : TYPE_INDEX;
    out[2] = r->replaces ? FLAG_REPLACES : 0;
    out[3] = 0;
    for (unsigned i = 0; i < 4; i++)
        out[4 + i] = (uint8_t)(r->id.n >> (8 * i));
    for (unsigned i = 0; i < 8; i++)
        out[8 + i] = (uint8_t)((uint64_t)r->version >> (8 * i));
}

qd_status qd_record_read(uint64_t seq_no, qd_str data, qd_record *out, qd_error *err)
{
    const uint8_t *h = (const uint8_t *)data.p;
    uint64_t id_n = 0, version = 0;
    if (data.n < QD_RECORD_HEADER_SIZE)
        return qd_fail(err, QD_EIO, "record %llu of the op log is %zu bytes long, its header alone takes %d",
                       (unsigned long long)seq_no, data.n, QD_RECORD_HEADER_SIZE);
    if (h[0] != FORMAT || (h[1] != TYPE_INDEX && h[1] != TYPE_DELETE) || (h[2] & ~FLAG_REPLACES) != 0 || h[3] != 0)
        return qd_fail(err, QD_EIO, "record %llu of the op log has an unknown header (%02x %02x %02x %02x)",
                       (unsigned long long)seq_no, h[0], h[1], h[2], h[3]);
    for (unsigned i = 0; i < 4; i++)
        id_n |= (uint64_t)h[4 + i] << (8 * i);
    for (unsigned i = 0; i < 8; i++)
        version |= (uint64_t)h[8 + i] << (8 * i);
    size_t left = data.n - QD_RECORD_HEADER_SIZE;
    bool is_delete = h[1] == TYPE_DELETE;
    if (id_n == 0 || id_n > left || (is_delete && id_n != left) || version == 0 || version > INT64_MAX)
        return qd_fail(err, QD_EIO,
                       "record %llu of the op log is damaged: an id of %llu bytes and version %llu do not fit",
                       (unsigned long long)seq_no, (unsigned long long)id_n, (unsigned long long)version);
    const char *id = data.p + QD_RECORD_HEADER_SIZE;
    *out = (qd_record){is_delete, (h[2] & FLAG_REPLACES) != 0, (int64_t)version, {id, id_n}, {id + id_n, left - id_n}};
    return QD_OK;
}
