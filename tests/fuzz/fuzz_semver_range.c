/* SPDX-License-Identifier: Apache-2.0
 *
 * A range of versions, and behind a line feed versions to look for in it. Ranges mean the same when read again; a
 * version is in the range of itself; comparing is an order. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "udf/semver_range.h"

#define MAX_VERSIONS 8

static void expect(bool is_true)
{
    if (!is_true)
        abort();
}

static size_t read_versions(qd_str text, qd_semver out[MAX_VERSIONS], qd_str texts[MAX_VERSIONS])
{
    size_t n = 0;
    while (text.n > 0 && n < MAX_VERSIONS) {
        const char *end = memchr(text.p, '\n', text.n);
        qd_str line = {text.p, end ? (size_t)(end - text.p) : text.n};
        if (qd_semver_parse(line, &out[n]))
            texts[n++] = line;
        size_t used = line.n + (end != NULL);
        text = (qd_str){text.p + used, text.n - used};
    }
    return n;
}

static void expect_order(const qd_semver *v, size_t n)
{
    for (size_t a = 0; a < n; a++) {
        expect(qd_semver_cmp(&v[a], &v[a]) == 0);
        for (size_t b = 0; b < n; b++) {
            expect(qd_semver_cmp(&v[a], &v[b]) == -qd_semver_cmp(&v[b], &v[a]));
            for (size_t c = 0; c < n; c++)
                expect(qd_semver_cmp(&v[a], &v[b]) > 0 || qd_semver_cmp(&v[b], &v[c]) > 0 ||
                       qd_semver_cmp(&v[a], &v[c]) <= 0);
        }
    }
}

/* No range can have the last of all numbers: its bound may lie one higher. */
static bool has_room_above(const qd_semver *v)
{
    return v->major < UINT64_MAX && v->minor < UINT64_MAX && v->patch < UINT64_MAX;
}

/* At least one alternative, and nothing outside of the tables. */
static void expect_sound(const qd_semver_range *range)
{
    expect(range->n >= 1 && range->n <= QD_SEMVER_RANGE_MAX && range->items[0].begins_set);
    for (size_t i = 0; i < range->n; i++)
        expect(range->items[i].op <= QD_SEMVER_GE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *end = size ? memchr(text, '\n', size) : NULL;
    qd_str range_text = {text, end ? (size_t)(end - text) : size}, texts[MAX_VERSIONS];
    qd_str rest = {end ? end + 1 : text, end ? size - range_text.n - 1 : 0};
    qd_semver versions[MAX_VERSIONS];
    qd_semver_range range, again, own;
    qd_error err = QD_ERROR_INIT;
    size_t n = read_versions(rest, versions, texts);
    expect_order(versions, n);
    for (size_t i = 0; i < n; i++)
        if (has_room_above(&versions[i]))
            expect(qd_semver_range_parse(texts[i], &own, &err) == QD_OK && qd_semver_range_has(&own, &versions[i]));
    if (qd_semver_range_parse(range_text, &range, &err) != QD_OK) {
        expect(err.code == QD_EUDF_PARAMS && err.message[0] && qd_str_is_utf8(qd_str_of(err.message)));
        return 0;
    }
    expect_sound(&range);
    expect(qd_semver_range_parse(range_text, &again, &err) == QD_OK && again.n == range.n);
    for (size_t i = 0; i < n; i++)
        expect(qd_semver_range_has(&range, &versions[i]) == qd_semver_range_has(&again, &versions[i]));
    return 0;
}
