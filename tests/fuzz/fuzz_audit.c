/* SPDX-License-Identifier: Apache-2.0
 *
 * A record of the audit log, as a damaged store may hold it. What can be read must come back as the same bytes, and be
 * shown as JSON. */
#include <stdlib.h>

#include "fuzz.h"
#include "udf/audit_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    qd_audit_record r;
    char bytes[QD_AUDIT_RECORD_MAX];
    qd_buf text;
    qd_json w;
    json_t *v = NULL;
    if (!qd_audit_record_decode(7, (qd_str){(const char *)data, size}, &r))
        return 0;
    if (qd_audit_record_bytes(&r) != size || size > sizeof bytes)
        abort();
    qd_audit_record_encode(&r, bytes);
    qd_buf_init(&text, 1 << 20);
    qd_json_init(&w, &text, false);
    qd_audit_record_write(&r, &w);
    if (text.failed || qd_json_parse(qd_buf_str(&text), &v, NULL) != QD_OK || !json_is_object(v))
        abort();
    qd_audit_record again;
    if (!qd_audit_record_decode(7, (qd_str){bytes, size}, &again) || again.at_ms != r.at_ms || again.count != r.count ||
        !qd_str_eq(again.text[QD_AUDIT_DETAIL], r.text[QD_AUDIT_DETAIL]))
        abort();
    json_decref(v);
    qd_buf_deinit(&text);
    return 0;
}
