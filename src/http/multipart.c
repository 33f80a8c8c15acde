/* SPDX-License-Identifier: Apache-2.0 */
#include "http/multipart.h"

#include <stdio.h>
#include <strings.h>

/* RFC 2046 5.1.1 */
#define MAX_BOUNDARY          70
#define MAX_PART_HEADER_BYTES 8192

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static qd_str trim(qd_str s)
{
    while (s.n && is_blank(s.p[0]))
        s = (qd_str){s.p + 1, s.n - 1};
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

static bool is_equal_ignoring_case(qd_str s, const char *z)
{
    return s.n == strlen(z) && strncasecmp(s.p, z, s.n) == 0;
}

/* Cuts the text up to the next ';' outside quotes off `*rest`. */
static qd_str next_parameter(qd_str *rest)
{
    bool is_quoted = false;
    size_t i = 0;
    for (; i < rest->n && (is_quoted || rest->p[i] != ';'); i++) {
        if (is_quoted && rest->p[i] == '\\' && i + 1 < rest->n)
            i++;
        else if (rest->p[i] == '"')
            is_quoted = !is_quoted;
    }
    i = i > rest->n ? rest->n : i;
    qd_str part = trim((qd_str){rest->p, i});
    i += i < rest->n;
    *rest = (qd_str){rest->p + i, rest->n - i};
    return part;
}

/* The value of `name` in "type; name=value; other=\"value\"", without quotes; backslashes stay as they are. */
static bool find_parameter(qd_str value, const char *name, qd_str *out)
{
    next_parameter(&value);
    while (value.n) {
        qd_str part = next_parameter(&value);
        const char *equals = part.n ? memchr(part.p, '=', part.n) : NULL;
        if (!equals || !is_equal_ignoring_case(trim((qd_str){part.p, (size_t)(equals - part.p)}), name))
            continue;
        qd_str found = trim((qd_str){equals + 1, part.n - (size_t)(equals + 1 - part.p)});
        if (found.n >= 2 && found.p[0] == '"' && found.p[found.n - 1] == '"')
            found = (qd_str){found.p + 1, found.n - 2};
        *out = found;
        return true;
    }
    return false;
}

qd_status qd_multipart_boundary(qd_str content_type, qd_str *out, qd_error *err)
{
    qd_str boundary;
    if (!find_parameter(content_type, "boundary", &boundary))
        return qd_fail(err, QD_EINVAL, "multipart: the Content-Type [%.*s] has no boundary", QD_STR_FMT(content_type));
    if (boundary.n == 0 || boundary.n > MAX_BOUNDARY)
        return qd_fail(err, QD_EINVAL, "multipart: a boundary has 1 to %d characters, this one %zu", MAX_BOUNDARY,
                       boundary.n);
    *out = boundary;
    return QD_OK;
}

/* One "Name: value" line of a part's header. */
static qd_status read_header(qd_str line, size_t number, qd_part *part, qd_error *err)
{
    const char *colon = memchr(line.p, ':', line.n);
    if (!colon)
        return qd_fail(err, QD_EINVAL, "multipart: part %zu: '%.*s' is no header line", number, QD_STR_FMT(line));
    qd_str name = {line.p, (size_t)(colon - line.p)}, value = trim((qd_str){colon + 1, line.n - name.n - 1});
    if (is_equal_ignoring_case(name, "Content-Disposition")) {
        qd_str rest = value;
        if (!is_equal_ignoring_case(next_parameter(&rest), "form-data"))
            return qd_fail(err, QD_EINVAL, "multipart: part %zu: expected the disposition form-data, got '%.*s'",
                           number, QD_STR_FMT(value));
        find_parameter(value, "name", &part->name);
        find_parameter(value, "filename", &part->filename);
    } else if (is_equal_ignoring_case(name, "Content-Type")) {
        part->content_type = value;
    } else if (is_equal_ignoring_case(name, "Content-Transfer-Encoding") && !is_equal_ignoring_case(value, "binary") &&
               !is_equal_ignoring_case(value, "8bit") && !is_equal_ignoring_case(value, "7bit")) {
        return qd_fail(err, QD_EINVAL,
                       "multipart: part %zu: the transfer encoding '%.*s' is not supported: send the bytes as they are",
                       number, QD_STR_FMT(value));
    }
    return QD_OK;
}

/* Header lines up to the empty one; *data becomes what follows it. */
static qd_status read_headers(qd_str text, size_t number, qd_part *part, qd_str *data, qd_error *err)
{
    const char *at = text.p, *end = text.p + text.n;
    for (;;) {
        const char *line_end = memmem(at, (size_t)(end - at), "\r\n", 2);
        if (!line_end || line_end - text.p > MAX_PART_HEADER_BYTES)
            return qd_fail(err, QD_EINVAL,
                           "multipart: part %zu: its header does not end with an empty line within %d bytes", number,
                           MAX_PART_HEADER_BYTES);
        qd_str line = {at, (size_t)(line_end - at)};
        at = line_end + 2;
        if (line.n == 0)
            break;
        qd_status status = read_header(line, number, part, err);
        if (status != QD_OK)
            return status;
    }
    *data = (qd_str){at, (size_t)(end - at)};
    if (part->name.n == 0)
        return qd_fail(err, QD_EINVAL, "multipart: part %zu has no name", number);
    return QD_OK;
}

/* Past a delimiter: *is_last when it is the closing one, else *next is where the part starts. */
static qd_status after_delimiter(const char *at, const char *end, bool *is_last, const char **next, qd_error *err)
{
    *is_last = end - at >= 2 && at[0] == '-' && at[1] == '-';
    if (*is_last)
        return QD_OK;
    while (at < end && is_blank(*at))
        at++;
    if (end - at < 2 || at[0] != '\r' || at[1] != '\n')
        return qd_fail(err, QD_EINVAL, "multipart: a boundary is not followed by a line end");
    *next = at + 2;
    return QD_OK;
}

qd_status qd_multipart_parse(qd_str body, qd_str boundary, qd_part *parts, size_t *n, qd_error *err)
{
    char delimiter[MAX_BOUNDARY + 8];
    if (boundary.n == 0 || boundary.n > MAX_BOUNDARY)
        return qd_fail(err, QD_EINVAL, "multipart: a boundary has 1 to %d characters, this one %zu", MAX_BOUNDARY,
                       boundary.n);
    memcpy(delimiter, "\r\n--", 4);
    memcpy(delimiter + 4, boundary.p, boundary.n);
    size_t delimiter_n = boundary.n + 4, count = 0;
    const char *end = body.p + body.n, *at = NULL;
    bool is_last = false;
    /* The first delimiter may stand at the very start, without a line end before it. */
    if (body.n >= delimiter_n - 2 && memcmp(body.p, delimiter + 2, delimiter_n - 2) == 0)
        at = body.p + delimiter_n - 2;
    else if (body.n && (at = memmem(body.p, body.n, delimiter, delimiter_n)))
        at += delimiter_n;
    if (!at)
        return qd_fail(err, QD_EINVAL, "multipart: the body does not hold its boundary '%.*s'", QD_STR_FMT(boundary));
    for (;;) {
        qd_status status = after_delimiter(at, end, &is_last, &at, err);
        if (status != QD_OK)
            return status;
        if (is_last)
            break;
        if (count == QD_MULTIPART_MAX_PARTS)
            return qd_fail(err, QD_EINVAL, "multipart: more than %d parts", QD_MULTIPART_MAX_PARTS);
        const char *close = memmem(at, (size_t)(end - at), delimiter, delimiter_n);
        if (!close)
            return qd_fail(err, QD_EINVAL, "multipart: part %zu is cut off: no closing boundary", count + 1);
        qd_part part = {QD_STR(""), QD_STR(""), QD_STR(""), QD_STR("")};
        status = read_headers((qd_str){at, (size_t)(close - at)}, count + 1, &part, &part.data, err);
        if (status != QD_OK)
            return status;
        parts[count++] = part;
        at = close + delimiter_n;
    }
    *n = count;
    return QD_OK;
}
