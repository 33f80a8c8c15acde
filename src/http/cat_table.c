/* SPDX-License-Identifier: Apache-2.0 */
#include "http/cat_table.h"

#include <inttypes.h>

#define MAX_COLUMNS 32

typedef struct selection {
    size_t columns[MAX_COLUMNS];
    size_t n;
} selection;

static bool find_column(const qd_cat_column *columns, size_t n, qd_str name, size_t *out)
{
    for (size_t i = 0; i < n; i++) {
        if (qd_str_is(name, columns[i].name) || (columns[i].alias && qd_str_is(name, columns[i].alias))) {
            *out = i;
            return true;
        }
    }
    return false;
}

static qd_status select_columns(const qd_request *rq, const qd_cat_column *columns, size_t n, selection *out,
                                qd_error *err)
{
    qd_str wanted = QD_STR("");
    out->n = 0;
    qd_request_str(rq, "h", &wanted);
    if (wanted.n == 0) {
        for (; out->n < n && out->n < MAX_COLUMNS; out->n++)
            out->columns[out->n] = out->n;
        return QD_OK;
    }
    for (size_t at = 0; at < wanted.n;) {
        const char *p = wanted.p + at, *comma = memchr(p, ',', wanted.n - at);
        qd_str name = {p, comma ? (size_t)(comma - p) : wanted.n - at};
        at += name.n + 1;
        if (out->n == MAX_COLUMNS || !find_column(columns, n, name, &out->columns[out->n]))
            return qd_fail_field(err, QD_EINVAL, "h", "h: there is no column [%.*s] in this table", QD_STR_FMT(name));
        out->n++;
    }
    return QD_OK;
}

static void write_json(qd_request *rq, const qd_cat_column *columns, size_t n_columns, const char *const *cells,
                       size_t n_rows, const selection *s)
{
    qd_json_begin_array(&rq->json);
    for (size_t row = 0; row < n_rows; row++) {
        qd_json_begin_object(&rq->json);
        for (size_t i = 0; i < s->n; i++)
            qd_json_kv_z(&rq->json, columns[s->columns[i]].name, cells[row * n_columns + s->columns[i]]);
        qd_json_end_object(&rq->json);
    }
    qd_json_end_array(&rq->json);
}

static void write_cell(qd_buf *out, const char *text, size_t width, bool is_number, bool is_last)
{
    size_t pad = width - strlen(text);
    if (!is_number)
        qd_buf_add_z(out, text);
    for (size_t i = 0; i < pad && (is_number || !is_last); i++)
        qd_buf_add_char(out, ' ');
    if (is_number)
        qd_buf_add_z(out, text);
    qd_buf_add_char(out, is_last ? '\n' : ' ');
}

static void write_text(qd_request *rq, const qd_cat_column *columns, size_t n_columns, const char *const *cells,
                       size_t n_rows, const selection *s, bool with_heading)
{
    size_t widths[MAX_COLUMNS];
    for (size_t i = 0; i < s->n; i++) {
        widths[i] = with_heading ? strlen(columns[s->columns[i]].name) : 0;
        for (size_t row = 0; row < n_rows; row++) {
            size_t n = strlen(cells[row * n_columns + s->columns[i]]);
            widths[i] = n > widths[i] ? n : widths[i];
        }
    }
    rq->answer_type = QD_TYPE_TEXT;
    for (size_t i = 0; with_heading && i < s->n; i++)
        write_cell(&rq->out, columns[s->columns[i]].name, widths[i], columns[s->columns[i]].is_number, i + 1 == s->n);
    for (size_t row = 0; row < n_rows; row++) {
        for (size_t i = 0; i < s->n; i++)
            write_cell(&rq->out, cells[row * n_columns + s->columns[i]], widths[i], columns[s->columns[i]].is_number,
                       i + 1 == s->n);
    }
}

qd_status qd_cat_table_write(qd_request *rq, const qd_cat_column *columns, size_t n_columns, const char *const *cells,
                             size_t n_rows, qd_error *err)
{
    selection s;
    qd_str format = QD_STR("text");
    bool with_heading = false;
    qd_request_str(rq, "format", &format);
    qd_status status = qd_request_bool(rq, "v", &with_heading, err);
    if (status == QD_OK)
        status = select_columns(rq, columns, n_columns, &s, err);
    if (status != QD_OK)
        return status;
    if (qd_str_is(format, "json"))
        write_json(rq, columns, n_columns, cells, n_rows, &s);
    else if (qd_str_is(format, "text"))
        write_text(rq, columns, n_columns, cells, n_rows, &s, with_heading);
    else
        status = qd_fail_field(err, QD_EINVAL, "format", "format: expected [text] or [json], got [%.*s]",
                               QD_STR_FMT(format));
    return status;
}

const char *qd_cat_bytes(const qd_request *rq, uint64_t bytes)
{
    static const char *const UNITS[] = {"b", "kb", "mb", "gb", "tb"};
    qd_str unit = QD_STR("");
    size_t i = 0;
    double value = (double)bytes;
    qd_request_str(rq, "bytes", &unit);
    if (qd_str_is(unit, "b"))
        return qd_arena_printf(rq->arena, "%" PRIu64, bytes);
    for (; value >= 1024 && i + 1 < sizeof UNITS / sizeof *UNITS; i++)
        value /= 1024;
    return qd_arena_printf(rq->arena, value < 10 && i ? "%.1f%s" : "%.0f%s", value, UNITS[i]);
}
