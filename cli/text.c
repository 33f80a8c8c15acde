/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/json.h"

#define MAX_JSON_BYTES ((size_t)64 << 20)

const char *text_count(int64_t n, char out[TEXT_SIZE])
{
    char digits[TEXT_SIZE];
    int length = snprintf(digits, sizeof digits, "%" PRId64, n);
    char *p = out;
    for (int i = 0; i < length; i++) {
        if (i > 0 && digits[i - 1] != '-' && (length - i) % 3 == 0)
            *p++ = ',';
        *p++ = digits[i];
    }
    *p = '\0';
    return out;
}

const char *text_bytes(int64_t n, char out[TEXT_SIZE])
{
    static const char *const units[] = {"KB", "MB", "GB", "TB"};
    double v = (double)n / 1000;
    size_t unit = 0;
    if (n < 1000) {
        snprintf(out, TEXT_SIZE, "%" PRId64 " bytes", n);
        return out;
    }
    for (; v >= 1000 && unit + 1 < sizeof units / sizeof *units; unit++)
        v /= 1000;
    snprintf(out, TEXT_SIZE, "%.1f %s", v, units[unit]);
    return out;
}

const char *text_ms(double ms, char out[TEXT_SIZE])
{
    if (ms >= 1000)
        snprintf(out, TEXT_SIZE, "%.1f s", ms / 1000);
    else
        snprintf(out, TEXT_SIZE, ms < 10 ? "%.2f ms" : "%.1f ms", ms);
    return out;
}

void text_json(qd_buf *out, const json_t *v)
{
    qd_json w;
    if (json_is_string(v)) {
        qd_buf_add(out, json_string_value(v), json_string_length(v));
    } else if (json_is_real(v)) {
        qd_buf_addf(out, "%.7g", json_real_value(v));
    } else if (v && !json_is_null(v)) {
        qd_json_init(&w, out, false);
        qd_json_value(&w, v);
    }
}

void text_print(FILE *out, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        bool is_c1 = c == 0xC2 && i + 1 < n && (unsigned char)text[i + 1] < 0xA0;
        bool is_control = c < 0x20 || c == 0x7F || is_c1;
        fputc(c == '\n' || c == '\t' ? ' ' : is_control ? '?' : c, out);
        i += is_c1;
    }
}

qd_status read_file(const char *path, size_t max, qd_buf *out, qd_error *err)
{
    qd_status rc = QD_OK;
    char chunk[16384];
    size_t n;
    bool is_stdin = strcmp(path, "-") == 0;
    qd_buf_init(out, max);
    FILE *f = is_stdin ? stdin : fopen(path, "rb");
    if (!f)
        return qd_fail(err, QD_EIO, "cannot open '%s': %s", path, strerror(errno));
    while (!out->failed && (n = fread(chunk, 1, sizeof chunk, f)) > 0)
        qd_buf_add(out, chunk, n);
    if (ferror(f))
        rc = qd_fail(err, QD_EIO, "cannot read '%s': %s", path, strerror(errno));
    else if (out->failed)
        rc = qd_fail(err, QD_ETOOLARGE, "'%s' is larger than %zu bytes", path, max);
    if (!is_stdin)
        fclose(f);
    if (rc)
        qd_buf_deinit(out);
    return rc;
}

qd_status read_json(const char *text, const char *what, json_t **out, qd_error *err)
{
    qd_status rc;
    qd_buf file;
    qd_buf_init(&file, MAX_JSON_BYTES);
    if (text[0] == '@') {
        if ((rc = read_file(text + 1, MAX_JSON_BYTES, &file, err)))
            return rc;
        rc = qd_json_parse(qd_buf_str(&file), out, err);
    } else {
        rc = qd_json_parse(qd_str_of(text), out, err);
    }
    if (rc)
        qd_error_prefix(err, "%s: ", what);
    qd_buf_deinit(&file);
    return rc;
}

qd_status read_json_file(const char *path, json_t **out, qd_error *err)
{
    qd_buf file;
    qd_status rc = read_file(path, MAX_JSON_BYTES, &file, err);
    if (rc)
        return rc;
    rc = qd_json_parse(qd_buf_str(&file), out, err);
    if (rc)
        qd_error_prefix(err, "%s: ", path);
    qd_buf_deinit(&file);
    return rc;
}

qd_status write_json(const json_t *v, qd_buf *out, qd_error *err)
{
    qd_json w;
    qd_buf_init(out, (size_t)256 << 20);
    qd_json_init(&w, out, false);
    qd_json_value(&w, v);
    if (!out->failed)
        return QD_OK;
    qd_buf_deinit(out);
    return qd_fail_nomem(err);
}
