/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm_mutate.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 8
#define MAX_SECTIONS 64
#define CODE_SECTION 10
#define MAX_LEB      5

typedef struct span {
    size_t at, n;
} span;

static uint32_t next(uint32_t *random)
{
    *random = *random * 1664525u + 1013904223u;
    return *random >> 8;
}

/* 0 when there is none. */
static size_t read_leb(const uint8_t *p, size_t n, uint32_t *out)
{
    uint32_t v = 0;
    for (size_t i = 0; i < n && i < MAX_LEB; i++) {
        v |= (uint32_t)(p[i] & 0x7f) << (7 * i);
        if (!(p[i] & 0x80)) {
            *out = v;
            return i + 1;
        }
    }
    return 0;
}

static size_t write_leb(uint8_t out[MAX_LEB], uint32_t v)
{
    size_t n = 0;
    do {
        out[n++] = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        v >>= 7;
    } while (v);
    return n;
}

/* The pieces [length, content] from `at` on: sections (with an id before each), or bodies. */
static size_t find_pieces(const uint8_t *data, size_t at, size_t end, bool has_id, span out[MAX_SECTIONS])
{
    size_t n = 0;
    while (at + has_id < end && n < MAX_SECTIONS) {
        uint32_t length;
        size_t leb = read_leb(data + at + has_id, end - at - has_id, &length);
        size_t whole = has_id + leb + (size_t)length;
        if (leb == 0 || whole > end - at)
            break;
        out[n++] = (span){at, whole};
        at += whole;
    }
    return n;
}

/* ---- bytes ------------------------------------------------------------------------------------------------------ */

static void replace(uint8_t *data, size_t *size, span where, const uint8_t *with, size_t n)
{
    memmove(data + where.at + n, data + where.at + where.n, *size - where.at - where.n);
    memcpy(data + where.at, with, n);
    *size = *size - where.n + n;
}

/* What is worth trying in code and in tables of numbers. */
static uint8_t interesting(uint32_t *random)
{
    static const uint8_t BYTES[] = {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x0b, 0x0c, 0x0d, 0x0f, 0x10, 0x11,
                                    0x1a, 0x1b, 0x20, 0x21, 0x22, 0x23, 0x24, 0x28, 0x29, 0x2b, 0x36, 0x37,
                                    0x3f, 0x40, 0x41, 0x42, 0x44, 0x45, 0x6a, 0x6d, 0x7c, 0x7d, 0x7e, 0x7f,
                                    0x80, 0xaa, 0xb0, 0xbf, 0xc0, 0xd0, 0xfc, 0xfd, 0xff};
    return BYTES[next(random) % sizeof BYTES];
}

/* Changes `content` (room for `room`); gives its new length. */
static size_t change(uint8_t *content, size_t n, size_t room, uint32_t *random)
{
    size_t at = n ? next(random) % n : 0, length = 1 + next(random) % 8, from = n ? next(random) % n : 0;
    if (length > n - at)
        length = n - at;
    if (length > n - from)
        length = n - from;
    switch (n ? next(random) % 7 : 6) {
    case 0:
        content[at] ^= (uint8_t)(1u << (next(random) % 8));
        return n;
    case 1:
        content[at] = interesting(random);
        return n;
    case 2:
        content[at] = (uint8_t)next(random);
        return n;
    case 3: /* copy within */
        memmove(content + at, content + from, length);
        return n;
    case 4: /* cut out */
        memmove(content + at, content + at + length, n - at - length);
        return n - length;
    case 5: /* double */
        if (n + length > room)
            return n;
        memmove(content + at + length, content + at, n - at);
        return n + length;
    default:
        if (n + 1 > room)
            return n;
        memmove(content + at + 1, content + at, n - at);
        content[at] = interesting(random);
        return n + 1;
    }
}

/* ---- pieces ----------------------------------------------------------------------------------------------------- */

/* Changes a piece with `has_id` bytes and a length before its content, and the length with it. */
static void change_piece(uint8_t *data, size_t *size, span piece, bool has_id, size_t room, uint32_t *random)
{
    uint32_t length = 0;
    uint8_t *copy = malloc(piece.n + room + MAX_LEB + 1), leb[MAX_LEB];
    if (!copy)
        return;
    size_t before = has_id + read_leb(data + piece.at + has_id, piece.n - has_id, &length);
    memcpy(copy, data + piece.at + before, length);
    for (uint32_t i = 1 + next(random) % 3; i > 0; i--)
        length = (uint32_t)change(copy, length, piece.n + room - MAX_LEB - 1, random);
    size_t n = write_leb(leb, length);
    memmove(copy + has_id + n, copy, length);
    if (has_id)
        copy[0] = data[piece.at];
    memcpy(copy + has_id, leb, n);
    replace(data, size, piece, copy, has_id + n + length);
    free(copy);
}

/* One function's body, within the code section. */
static void change_body(uint8_t *data, size_t *size, span section, size_t room, uint32_t *random)
{
    uint32_t length, count;
    span bodies[MAX_SECTIONS];
    uint8_t leb[MAX_LEB];
    size_t before = 1 + read_leb(data + section.at + 1, section.n - 1, &length);
    size_t counted = read_leb(data + section.at + before, length, &count);
    size_t n = find_pieces(data, section.at + before + counted, section.at + section.n, false, bodies);
    if (counted == 0 || n == 0)
        return;
    size_t had = *size;
    change_piece(data, size, bodies[next(random) % n], false, room, random);
    size_t written = write_leb(leb, (uint32_t)(length + *size - had));
    replace(data, size, (span){section.at + 1, before - 1}, leb, written);
}

size_t qd_wasm_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    span sections[MAX_SECTIONS];
    uint32_t random = seed;
    /* Two lengths may get longer. */
    size_t room = max_size > size + 2 * MAX_LEB + 1 ? max_size - size - 2 * MAX_LEB : 0;
    size_t n = size > HEADER_BYTES && room > MAX_LEB ? find_pieces(data, HEADER_BYTES, size, true, sections) : 0;
    if (n == 0)
        return change(data, size, max_size, &random);
    span section = sections[next(&random) % n];
    for (size_t i = 0; i < n && next(&random) % 2; i++)
        if (data[sections[i].at] == CODE_SECTION)
            section = sections[i];
    if (data[section.at] == CODE_SECTION && next(&random) % 8)
        change_body(data, &size, section, room, &random);
    else if (next(&random) % 16 == 0) /* gone */
        replace(data, &size, section, data, 0);
    else
        change_piece(data, &size, section, true, room, &random);
    return size;
}
