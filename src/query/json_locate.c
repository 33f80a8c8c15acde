/* SPDX-License-Identifier: Apache-2.0 */
#include "query/json_locate.h"

#include "base/json.h"
#include "query/json_scan.h"

static bool find_step(qd_str value, const qd_json_at *step, qd_scan_item *out)
{
    qd_scan scan;
    if (!qd_scan_enter(value, &scan))
        return false;
    qd_scan_item item = {0};
    while (qd_scan_next(&scan, &item)) {
        if (step->key.p ? qd_scan_key_is(item.raw_key, step->key) : item.index == step->index) {
            *out = item;
            return true;
        }
    }
    return false;
}

void qd_json_locate(qd_str text, const qd_json_at *at, uint32_t *line, uint32_t *column)
{
    const qd_json_at *steps[QD_JSON_MAX_DEPTH + 1];
    size_t n = 0;
    for (; at && n < sizeof steps / sizeof *steps; at = at->parent)
        steps[n++] = at;

    qd_str value = text;
    const char *place = text.p;
    while (n > 0) {
        qd_scan_item item;
        if (!find_step(value, steps[--n], &item))
            break;
        value = item.value;
        place = steps[n]->key.p ? item.raw_key.p : item.value.p;
    }
    *line = 1;
    *column = 1;
    for (const char *p = text.p; p < place; p++) {
        if (*p == '\n') {
            (*line)++;
            *column = 1;
        } else if (((unsigned char)*p & 0xC0) != 0x80) {
            (*column)++;
        }
    }
}
