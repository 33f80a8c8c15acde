/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "text.h"

#define MAX_TEXT  ((size_t)64 << 20)
#define GAP       2
#define NARROWEST 8 /* columns are not cut below this */
#define WIDEST    ((size_t)1 << 20)

void table_init(table *t)
{
    memset(t, 0, sizeof *t);
    qd_buf_init(&t->text, MAX_TEXT);
}

void table_deinit(table *t)
{
    free(t->ends);
    qd_buf_deinit(&t->text);
}

/* Decodes one character; malformed bytes and control characters read as '?'. */
static size_t next_character(const char *p, size_t n, wchar_t *out)
{
    size_t length = qd_str_utf8_length(p, n);
    const unsigned char *u = (const unsigned char *)p;
    uint32_t c = u[0];
    if (length == 2)
        c = (uint32_t)(u[0] & 0x1F) << 6 | (u[1] & 0x3F);
    else if (length == 3)
        c = (uint32_t)(u[0] & 0x0F) << 12 | (uint32_t)(u[1] & 0x3F) << 6 | (u[2] & 0x3F);
    else if (length == 4)
        c = (uint32_t)(u[0] & 0x07) << 18 | (uint32_t)(u[1] & 0x3F) << 12 | (uint32_t)(u[2] & 0x3F) << 6 |
            (u[3] & 0x3F);
    *out = length == 0 || wcwidth((wchar_t)c) < 0 ? L'?' : (wchar_t)c;
    return length ? length : 1;
}

static size_t width_of(qd_str s)
{
    size_t width = 0;
    wchar_t c;
    for (size_t i = 0; i < s.n;) {
        i += next_character(s.p + i, s.n - i, &c);
        width += (size_t)wcwidth(c);
    }
    return width;
}

void table_cell_str(table *t, qd_str text)
{
    if (t->n_cells == t->cap_cells) {
        size_t cap = t->cap_cells ? t->cap_cells * 2 : 64;
        size_t *ends = realloc(t->ends, cap * sizeof *ends);
        if (!ends) {
            t->failed = true;
            return;
        }
        t->ends = ends;
        t->cap_cells = cap;
    }
    qd_buf_add_str(&t->text, text);
    t->ends[t->n_cells++] = t->text.n;
}

void table_cell(table *t, const char *text)
{
    table_cell_str(t, qd_str_of(text));
}

void table_cell_f(table *t, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    table_cell(t, text);
}

void table_column(table *t, const char *title, bool is_right)
{
    if (t->n_columns == TABLE_COLUMNS)
        return;
    t->is_right[t->n_columns++] = is_right;
    table_cell(t, title);
}

void table_column_whole(table *t, const char *title)
{
    if (t->n_columns < TABLE_COLUMNS)
        t->is_whole[t->n_columns] = true;
    table_column(t, title, false);
}

static qd_str cell(const table *t, size_t i)
{
    size_t start = i ? t->ends[i - 1] : 0;
    return (qd_str){t->text.p ? t->text.p + start : "", t->ends[i] - start};
}

static size_t terminal_width(FILE *out)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    int64_t n;
    if (columns && qd_str_to_i64(qd_str_of(columns), &n) && n >= 20 && n <= 1000)
        return (size_t)n;
    if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
        return size.ws_col;
    return isatty(fileno(out)) ? 100 : WIDEST; /* whoever reads a pipe or a file wants all of it */
}

/* The widest of those that may be cut; n when none can be any more. */
static size_t find_widest(const table *t, const size_t *widths)
{
    size_t widest = t->n_columns;
    for (size_t i = 0; i < t->n_columns; i++)
        if (!t->is_whole[i] && widths[i] > (widest < t->n_columns ? widths[widest] : NARROWEST))
            widest = i;
    return widest;
}

static void fit(const table *t, size_t *widths, size_t room)
{
    size_t total = (t->n_columns - 1) * GAP, widest;
    for (size_t i = 0; i < t->n_columns; i++)
        total += widths[i];
    for (; total > room && (widest = find_widest(t, widths)) < t->n_columns; total--)
        widths[widest]--;
}

static void put_cell(FILE *out, qd_str s, size_t width, bool is_right, bool is_last)
{
    if (is_last && s.n == 0)
        return;
    size_t full = width_of(s), room = full > width ? width - 1 : full, used = 0;
    if (is_right && full < width)
        fprintf(out, "%*s", (int)(width - full), "");
    wchar_t c;
    for (size_t i = 0; i < s.n;) {
        size_t n = next_character(s.p + i, s.n - i, &c);
        if (used + (size_t)wcwidth(c) > room)
            break;
        used += (size_t)wcwidth(c);
        if (c == L'?')
            fputc('?', out);
        else
            fwrite(s.p + i, 1, n, out);
        i += n;
    }
    if (full > width) {
        fputs("\u2026", out);
        used++;
    }
    if (!is_right && !is_last && used < width)
        fprintf(out, "%*s", (int)(width - used), "");
    if (!is_last)
        fprintf(out, "%*s", GAP, "");
}

qd_status table_print(const table *t, FILE *out, qd_error *err)
{
    size_t widths[TABLE_COLUMNS] = {0}, room = terminal_width(out);
    if (t->failed || t->text.failed)
        return qd_fail_nomem(err);
    if (t->n_columns == 0)
        return QD_OK;
    for (size_t i = 0; i < t->n_cells; i++) {
        size_t w = width_of(cell(t, i));
        if (w > room)
            w = room;
        if (w > widths[i % t->n_columns])
            widths[i % t->n_columns] = w;
    }
    fit(t, widths, room);
    bool is_colored = isatty(fileno(out)) && !getenv("NO_COLOR");
    for (size_t i = 0; i < t->n_cells; i++) {
        size_t column = i % t->n_columns;
        bool is_last = column + 1 == t->n_columns;
        if (i == 0 && is_colored)
            fputs("\033[1m", out);
        put_cell(out, cell(t, i), widths[column], t->is_right[column], is_last);
        if (is_last)
            fputs(i + 1 == t->n_columns && is_colored ? "\033[0m\n" : "\n", out);
    }
    return QD_OK;
}

static void add_member(table *t, const char *key, const json_t *member)
{
    qd_buf text;
    if (!member || json_is_null(member) || (json_is_string(member) && json_string_length(member) == 0))
        return;
    qd_buf_init(&text, 1 << 20);
    text_json(&text, member);
    table_cell(t, key);
    table_cell_str(t, qd_buf_str(&text));
    qd_buf_deinit(&text);
}

qd_status table_print_members(const json_t *v, const char *const *keys, qd_error *err)
{
    table t;
    table_init(&t);
    table_column(&t, "FIELD", false);
    table_column(&t, "VALUE", false);
    for (; *keys; keys++)
        add_member(&t, *keys, json_object_get(v, *keys));
    qd_status rc = table_print(&t, stdout, err);
    table_deinit(&t);
    return rc;
}
