/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <math.h>

#include "base/number.h"

void qd_json_init(qd_json *w, qd_buf *out, bool pretty)
{
    *w = (qd_json){.out = out, .pretty = pretty};
}

static void new_line(qd_json *w)
{
    qd_buf_add_char(w->out, '\n');
    for (unsigned i = 0; i < w->depth; i++)
        qd_buf_add(w->out, "  ", 2);
}

/* What stands before a member or an element. After a key nothing does: `need_comma` is false and the last byte is
 * the colon (or the space after it). */
static void separate(qd_json *w)
{
    if (w->need_comma)
        qd_buf_add_char(w->out, ',');
    if (!w->pretty || w->depth == 0)
        return;
    char last = w->out->n ? w->out->p[w->out->n - 1] : '\0';
    if (w->need_comma || last == '{' || last == '[')
        new_line(w);
}

static void begin(qd_json *w, char bracket)
{
    separate(w);
    qd_buf_add_char(w->out, bracket);
    w->need_comma = false;
    w->depth++;
}

static void end(qd_json *w, char bracket)
{
    w->depth--;
    /* An empty object or array stays on its line. */
    if (w->pretty && w->need_comma)
        new_line(w);
    qd_buf_add_char(w->out, bracket);
    w->need_comma = true;
}

void qd_json_begin_object(qd_json *w)
{
    begin(w, '{');
}

void qd_json_end_object(qd_json *w)
{
    end(w, '}');
}

void qd_json_begin_array(qd_json *w)
{
    begin(w, '[');
}

void qd_json_end_array(qd_json *w)
{
    end(w, ']');
}

/* What a string's byte asks for: 0 nothing, 'u' \u00XX, 'x' look at the character, else the letter after '\'. */
/* clang-format off */
static const char ESCAPE[256] = {
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'b', 't', 'n', 'u', 'f', 'r', 'u', 'u',
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u',
    ['"'] = '"', ['\\'] = '\\',
    [0x80] =
    'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x',
    'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x',
    'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x',
    'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x',
    'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x',
    'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x',
    'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x',
    'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x',
};
/* clang-format on */

static void add_escaped(qd_buf *out, unsigned char c, char escape)
{
    static const char HEX[] = "0123456789abcdef";
    if (escape != 'u') {
        qd_buf_add(out, (char[]){'\\', escape}, 2);
        return;
    }
    qd_buf_add(out, (char[]){'\\', 'u', '0', '0', HEX[c >> 4], HEX[c & 15]}, 6);
}

static void add_string(qd_buf *out, qd_str s)
{
    /* Most strings go out as they are: one check of the room for all of it. */
    if (s.n > SIZE_MAX - 2 || !qd_buf_reserve(out, s.n + 2)) {
        out->failed = true;
        return;
    }
    out->p[out->n++] = '"';
    size_t plain = 0, i = 0; /* [plain, i) can be copied as it is */
    while (i < s.n) {
        unsigned char c = (unsigned char)s.p[i];
        char escape = ESCAPE[c];
        if (escape == 0) {
            i++;
            continue;
        }
        size_t length = escape == 'x' ? qd_str_utf8_length(s.p + i, s.n - i) : 0;
        if (length > 0) {
            i += length;
            continue;
        }
        qd_buf_add(out, s.p + plain, i - plain);
        if (escape == 'x')
            qd_buf_add(out, "\xEF\xBF\xBD", 3);
        else
            add_escaped(out, c, escape);
        plain = ++i;
    }
    qd_buf_add(out, s.p + plain, i - plain);
    qd_buf_add_char(out, '"');
}

void qd_json_key(qd_json *w, const char *key)
{
    qd_json_key_str(w, qd_str_of(key));
}

void qd_json_key_str(qd_json *w, qd_str key)
{
    separate(w);
    add_string(w->out, key);
    qd_buf_add(w->out, ": ", w->pretty ? 2 : 1);
    w->need_comma = false;
}

void qd_json_str(qd_json *w, qd_str value)
{
    separate(w);
    add_string(w->out, value);
    w->need_comma = true;
}

void qd_json_scalar(qd_json *w, qd_value v)
{
    if (v.type == QD_BOOL)
        qd_json_bool(w, v.as.b);
    else if (v.type == QD_I64)
        qd_json_i64(w, v.as.i);
    else if (v.type == QD_F64)
        qd_json_f64(w, v.as.f);
    else if (v.type == QD_STRING)
        qd_json_str(w, v.as.s);
    else
        qd_json_null(w);
}

void qd_json_raw(qd_json *w, qd_str json)
{
    separate(w);
    qd_buf_add_str(w->out, json);
    w->need_comma = true;
}

void qd_json_null(qd_json *w)
{
    qd_json_raw(w, QD_STR("null"));
}

void qd_json_z(qd_json *w, const char *value)
{
    if (value)
        qd_json_str(w, qd_str_of(value));
    else
        qd_json_null(w);
}

void qd_json_i64(qd_json *w, int64_t value)
{
    char text[QD_NUMBER_SIZE];
    qd_json_raw(w, (qd_str){text, qd_number_i64(value, text)});
}

void qd_json_u64(qd_json *w, uint64_t value)
{
    char text[QD_NUMBER_SIZE];
    qd_json_raw(w, (qd_str){text, qd_number_u64(value, text)});
}

void qd_json_f64(qd_json *w, double value)
{
    char text[QD_NUMBER_SIZE];
    if (isfinite(value))
        qd_json_raw(w, (qd_str){text, qd_number_f64(value, text)});
    else
        qd_json_null(w);
}

void qd_json_f32(qd_json *w, float value)
{
    char text[QD_NUMBER_SIZE];
    if (isfinite(value))
        qd_json_raw(w, (qd_str){text, qd_number_f32(value, text)});
    else
        qd_json_null(w);
}

void qd_json_bool(qd_json *w, bool value)
{
    qd_json_raw(w, value ? QD_STR("true") : QD_STR("false"));
}

static void write_object(qd_json *w, const json_t *object)
{
    const char *key;
    size_t length;
    json_t *member;
    qd_json_begin_object(w);
    json_object_keylen_foreach((json_t *)object, key, length, member)
    {
        qd_json_key_str(w, (qd_str){key, length});
        qd_json_value(w, member);
    }
    qd_json_end_object(w);
}

/* As deep as the value: values come from qd_json_parse, which bounds that. */
void qd_json_value(qd_json *w, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        write_object(w, value);
        break;
    case JSON_ARRAY:
        qd_json_begin_array(w);
        for (size_t i = 0; i < json_array_size(value); i++)
            qd_json_value(w, json_array_get(value, i));
        qd_json_end_array(w);
        break;
    case JSON_STRING:
        qd_json_str(w, (qd_str){json_string_value(value), json_string_length(value)});
        break;
    case JSON_INTEGER:
        qd_json_i64(w, json_integer_value(value));
        break;
    case JSON_REAL:
        qd_json_f64(w, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        qd_json_bool(w, json_is_true(value));
        break;
    case JSON_NULL:
        qd_json_null(w);
        break;
    }
}

void qd_json_kv_lines(qd_json *w, const char *key, const char *text)
{
    qd_json_key(w, key);
    qd_json_begin_array(w);
    while (*text) {
        size_t n = strcspn(text, "\n");
        qd_json_str(w, (qd_str){text, n});
        text += n + (text[n] == '\n');
    }
    qd_json_end_array(w);
}

static int append(const char *bytes, size_t n, void *buf)
{
    qd_buf_add(buf, bytes, n);
    return 0; /* it is looked at in the end: jansson does not, at each */
}

char *qd_json_text(const json_t *value, bool is_sorted)
{
    qd_buf text;
    qd_buf_init(&text, SIZE_MAX);
    size_t flags = JSON_COMPACT | JSON_ENCODE_ANY | (is_sorted ? JSON_SORT_KEYS : 0);
    if (json_dump_callback(value, append, &text, flags) == 0)
        return qd_buf_take(&text, NULL);
    qd_buf_deinit(&text);
    return NULL;
}

void qd_json_kv_z(qd_json *w, const char *key, const char *value)
{
    qd_json_key(w, key);
    qd_json_z(w, value);
}

void qd_json_kv_i64(qd_json *w, const char *key, int64_t value)
{
    qd_json_key(w, key);
    qd_json_i64(w, value);
}

void qd_json_kv_bool(qd_json *w, const char *key, bool value)
{
    qd_json_key(w, key);
    qd_json_bool(w, value);
}

void qd_json_kv_f64(qd_json *w, const char *key, double value)
{
    qd_json_key(w, key);
    qd_json_f64(w, value);
}
