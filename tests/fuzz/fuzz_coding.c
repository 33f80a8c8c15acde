/* SPDX-License-Identifier: Apache-2.0
 *
 * The first byte chooses coding and bound, the rest is a packed body; and it is packed, to come out as it was. What is
 * unpacked stays within the bound. */
#include <stdlib.h>

#include "fuzz.h"
#include "http/coding.h"

static void expect_round_trip(qd_str plain)
{
    qd_buf packed, again;
    qd_error err = QD_ERROR_INIT;
    qd_buf_init(&packed, plain.n + 1);
    qd_buf_init(&again, plain.n + 1);
    if (qd_pack_gzip(plain, 3, &packed)) {
        if (packed.n > plain.n || qd_unpack(QD_CODING_GZIP, qd_buf_str(&packed), &again, NULL, NULL, &err) != QD_OK ||
            again.n != plain.n || memcmp(again.p, plain.p, plain.n) != 0)
            abort();
    } else if (packed.n != 0) {
        abort();
    }
    qd_buf_deinit(&packed);
    qd_buf_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t BOUNDS[] = {0, 1, 100, QD_UNPACK_STEP_BYTES, QD_UNPACK_STEP_BYTES + 1, 1 << 20};
    qd_buf out;
    qd_error err = QD_ERROR_INIT;
    qd_coding coding;
    if (size == 0)
        return 0;
    qd_str text = {(const char *)data + 1, size - 1};
    (void)qd_coding_wants_gzip(text);
    (void)qd_coding_parse(text, &coding);
    coding = data[0] & 1 ? QD_CODING_GZIP : QD_CODING_DEFLATE;
    qd_buf_init(&out, BOUNDS[(data[0] >> 1) % (sizeof BOUNDS / sizeof *BOUNDS)]);
    qd_status st = qd_unpack(coding, text, &out, NULL, NULL, &err);
    if (out.n > out.max || out.cap > out.max || (st != QD_OK && err.message[0] == '\0'))
        abort();
    qd_buf_deinit(&out);
    expect_round_trip(text);
    return 0;
}
