/* SPDX-License-Identifier: Apache-2.0 */
#include "http/coding.h"

#include <limits.h>
#include <strings.h>
#include <zlib.h>

#define WINDOW_BITS 15
#define GZIP_BITS   (WINDOW_BITS + 16)
#define MEMORY      8

/* ---- headers ----------------------------------------------------------------------------------------------------- */

static qd_str trim(qd_str s)
{
    while (s.n && (*s.p == ' ' || *s.p == '\t'))
        s = (qd_str){s.p + 1, s.n - 1};
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

static bool is_word(qd_str s, const char *word)
{
    return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

bool qd_coding_parse(qd_str header, qd_coding *out)
{
    static const struct {
        const char *name;
        qd_coding coding;
    } CODINGS[] = {
        {"", QD_CODING_NONE},       {"identity", QD_CODING_NONE},   {"gzip", QD_CODING_GZIP},
        {"x-gzip", QD_CODING_GZIP}, {"deflate", QD_CODING_DEFLATE}, {"x-deflate", QD_CODING_DEFLATE},
    };
    header = trim(header);
    for (size_t i = 0; i < sizeof CODINGS / sizeof *CODINGS; i++) {
        if (is_word(header, CODINGS[i].name)) {
            *out = CODINGS[i].coding;
            return true;
        }
    }
    return false;
}

/* Cuts `s` at the first `c`; the rest is empty when there is none. */
static qd_str cut(qd_str s, char c, qd_str *rest)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
    *rest = at ? (qd_str){at + 1, s.n - (size_t)(at - s.p) - 1} : (qd_str){s.p + s.n, 0};
    return (qd_str){s.p, at ? (size_t)(at - s.p) : s.n};
}

/* "q=0", "q=0.0", "q=0.000": never. */
static bool is_never(qd_str params)
{
    while (params.n) {
        qd_str param = trim(cut(params, ';', &params)), value;
        qd_str name = trim(cut(param, '=', &value));
        value = trim(value);
        if (!is_word(name, "q") || value.n == 0)
            continue;
        for (size_t i = 0; i < value.n; i++)
            if (value.p[i] != '0' && value.p[i] != '.')
                return false;
        return true;
    }
    return false;
}

bool qd_coding_wants_gzip(qd_str accept)
{
    bool wants_any = false;
    while (accept.n) {
        qd_str params, item = cut(accept, ',', &accept);
        qd_str name = trim(cut(item, ';', &params));
        if (is_word(name, "gzip") || is_word(name, "x-gzip"))
            return !is_never(params);
        if (is_word(name, "*"))
            wants_any = !is_never(params);
    }
    return wants_any;
}

/* ---- unpacking --------------------------------------------------------------------------------------------------- */

/* RFC 9110 means zlib's header by "deflate"; some clients send none. */
static int window_bits(qd_coding coding, qd_str packed)
{
    if (coding == QD_CODING_GZIP)
        return GZIP_BITS;
    unsigned first = packed.n > 1 ? (unsigned char)packed.p[0] : 0,
             second = packed.n > 1 ? (unsigned char)packed.p[1] : 0;
    bool has_header = (first & 0x0f) == Z_DEFLATED && (first << 8 | second) % 31 == 0;
    return has_header || packed.n < 2 ? WINDOW_BITS : -WINDOW_BITS;
}

static uInt clamp(size_t n)
{
    return n < UINT_MAX ? (uInt)n : UINT_MAX;
}

static qd_status fail_corrupt(qd_coding coding, const z_stream *z, qd_str packed, bool is_short, qd_error *err)
{
    const char *name = coding == QD_CODING_GZIP ? "gzip" : "deflate";
    if (is_short)
        return qd_fail(err, QD_EINVAL, "the request body ends before its %s data does: %zu bytes came", name, packed.n);
    return qd_fail(err, QD_EINVAL, "the request body is not valid %s (Content-Encoding), at byte %zu: %s", name,
                   packed.n - z->avail_in, z->msg ? z->msg : "not the data that should be there");
}

/* Room for another step, never past the maximum: one byte more tells whether there is more. */
static bool make_room(z_stream *z, qd_buf *out)
{
    size_t left = out->max - out->n, step = left < QD_UNPACK_STEP_BYTES ? left : QD_UNPACK_STEP_BYTES;
    if (step == 0 || !qd_buf_reserve(out, step))
        return false;
    z->next_out = (Bytef *)out->p + out->n;
    z->avail_out = (uInt)step;
    return true;
}

/* At the maximum the stream may still have its end to tell, but not a byte. */
static int inflate_nothing(z_stream *z)
{
    Bytef extra;
    z->next_out = &extra;
    z->avail_out = 1;
    int rc = inflate(z, Z_NO_FLUSH);
    return z->avail_out ? rc : Z_BUF_ERROR;
}

static int inflate_step(z_stream *z, qd_buf *out)
{
    if (out->n == out->max)
        return inflate_nothing(z);
    if (!make_room(z, out))
        return Z_MEM_ERROR;
    uInt before = z->avail_out;
    int rc = inflate(z, Z_NO_FLUSH);
    out->n += before - z->avail_out;
    return rc;
}

static qd_status unpack_all(z_stream *z, qd_coding coding, qd_str packed, qd_buf *out, qd_unpack_check_fn *check,
                            void *arg, qd_error *err)
{
    size_t left = packed.n;
    for (;;) {
        size_t before = out->n;
        z->avail_in = clamp(left);
        uInt given = z->avail_in;
        int rc = inflate_step(z, out);
        left -= given - z->avail_in;
        if (rc == Z_MEM_ERROR)
            return qd_fail_nomem(err);
        if (rc == Z_BUF_ERROR && out->n == out->max && z->avail_out == 0)
            return qd_fail(err, QD_ETOOLARGE, "the request body has more than %zu bytes when it is unpacked", out->max);
        if (rc == Z_STREAM_END && (left == 0 || coding != QD_CODING_GZIP || inflateReset(z) != Z_OK)) {
            z->avail_in = clamp(left);
            return left == 0 ? QD_OK : fail_corrupt(coding, z, packed, false, err);
        }
        bool is_stuck = out->n == before && given - z->avail_in == 0;
        if (rc != Z_STREAM_END && ((rc != Z_OK && rc != Z_BUF_ERROR) || is_stuck))
            return fail_corrupt(coding, z, packed, left == 0 && (rc == Z_OK || rc == Z_BUF_ERROR), err);
        qd_status st = check ? check(arg, out, err) : QD_OK;
        if (st != QD_OK)
            return st;
    }
}

qd_status qd_unpack(qd_coding coding, qd_str packed, qd_buf *out, qd_unpack_check_fn *check, void *arg, qd_error *err)
{
    z_stream z = {.next_in = (Bytef *)packed.p};
    if (inflateInit2(&z, window_bits(coding, packed)) != Z_OK)
        return qd_fail_nomem(err);
    qd_status st = unpack_all(&z, coding, packed, out, check, arg, err);
    inflateEnd(&z);
    return st;
}

/* ---- packing ----------------------------------------------------------------------------------------------------- */

/* The output is as long as the input at most: what does not get shorter is not worth it. */
bool qd_pack_gzip(qd_str plain, int level, qd_buf *out)
{
    z_stream z = {.next_in = (Bytef *)plain.p};
    if (plain.n == 0 || plain.n > UINT_MAX ||
        deflateInit2(&z, level, Z_DEFLATED, GZIP_BITS, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    z.avail_in = (uInt)plain.n;
    int rc = Z_OK;
    for (size_t step = plain.n / 4 + 64; rc == Z_OK && out->n < plain.n; step *= 2) {
        size_t room = plain.n - out->n < step ? plain.n - out->n : step;
        if (!qd_buf_reserve(out, room))
            break;
        z.next_out = (Bytef *)out->p + out->n;
        z.avail_out = (uInt)room;
        rc = deflate(&z, Z_FINISH);
        out->n += room - z.avail_out;
    }
    deflateEnd(&z);
    if (rc != Z_STREAM_END)
        qd_buf_clear(out);
    return rc == Z_STREAM_END;
}
