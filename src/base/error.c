/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

/* An exit status is 10 plus the code's number, so that it stays clear of the shell's own and of the usage error 2. */
/* clang-format off */
#define ROW(code, http, api, search) {code, #code, http, (code) ? 10 - (code) : 0, api, search}
/* clang-format on */

static const qd_status_info TABLE[] = {
    ROW(QD_OK, 200, "OK", "ok"),
    ROW(QD_EINVAL, 400, "INVALID_PARAMETERS", "illegal_argument_exception"),
    ROW(QD_ENOMEM, 503, "UNAVAILABLE", "circuit_breaking_exception"),
    ROW(QD_EIO, 500, "IO_ERROR", "i_o_exception"),
    ROW(QD_EINTERNAL, 500, "INTERNAL_ERROR", "exception"),
    ROW(QD_ENOTFOUND, 404, "NOT_FOUND", "resource_not_found_exception"),
    ROW(QD_ECONFLICT, 409, "CONFLICT", "version_conflict_engine_exception"),
    ROW(QD_ELIMIT, 400, "LIMIT_EXCEEDED", "illegal_argument_exception"),
    ROW(QD_EBUSY, 429, "RATE_LIMITED", "rejected_execution_exception"),
    ROW(QD_ETIMEOUT, 504, "TIMEOUT", "timeout_exception"),
    ROW(QD_ECANCELED, 503, "CANCELED", "task_cancelled_exception"),
    ROW(QD_ETOOLARGE, 413, "PAYLOAD_TOO_LARGE", "content_too_long_exception"),
    ROW(QD_EUNSUPPORTED, 400, "UNSUPPORTED", "illegal_argument_exception"),
    ROW(QD_EMETHOD, 405, "METHOD_NOT_ALLOWED", "method_not_allowed_exception"),

    ROW(QD_EUDF_NOTFOUND, 404, "UDF_NOT_FOUND", "resource_not_found_exception"),
    ROW(QD_EUDF_EXISTS, 409, "UDF_ALREADY_EXISTS", "resource_already_exists_exception"),
    ROW(QD_EUDF_PARAMS, 400, "INVALID_PARAMETERS", "illegal_argument_exception"),
    ROW(QD_EUDF_WASM, 422, "INVALID_WASM", "script_exception"),
    ROW(QD_EUDF_COMPILE, 422, "COMPILATION_FAILED", "script_exception"),
    ROW(QD_EUDF_PERMISSION, 403, "PERMISSION_DENIED", "security_exception"),
    ROW(QD_EUDF_FULL, 503, "REGISTRY_FULL", "circuit_breaking_exception"),
    ROW(QD_EUDF_FAILED, 500, "EXECUTION_FAILED", "script_exception"),
    ROW(QD_EUDF_TIMEOUT, 504, "TIMEOUT", "timeout_exception"),
    ROW(QD_EUDF_MEMORY, 500, "MEMORY_LIMIT", "script_exception"),
    ROW(QD_EUDF_DEPENDED, 409, "UDF_IN_USE", "resource_in_use_exception"),

    ROW(QD_EINDEX_NOTFOUND, 404, "INDEX_NOT_FOUND", "index_not_found_exception"),
    ROW(QD_EINDEX_EXISTS, 400, "INDEX_ALREADY_EXISTS", "resource_already_exists_exception"),
    ROW(QD_EMAPPING, 400, "MAPPING_ERROR", "mapper_parsing_exception"),
    ROW(QD_EPARSE, 400, "INVALID_PARAMETERS", "parsing_exception"),
    ROW(QD_EQUERY, 400, "INVALID_PARAMETERS", "query_shard_exception"),
    ROW(QD_EINDEX_NAME, 400, "INVALID_PARAMETERS", "invalid_index_name_exception"),
};

const qd_status_info *qd_status_describe(qd_status code)
{
    const qd_status_info *internal = NULL;
    for (size_t i = 0; i < sizeof TABLE / sizeof *TABLE; i++) {
        if (TABLE[i].code == code)
            return &TABLE[i];
        if (TABLE[i].code == QD_EINTERNAL)
            internal = &TABLE[i];
    }
    return internal;
}

const char *qd_status_name(qd_status code)
{
    return qd_status_describe(code)->name;
}

/* A text that was cut may end inside a character: drop what is left of that character. */
static void trim_to_character(char *text)
{
    size_t n = strlen(text), start = n;
    while (start > 0 && n - start < 3 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start > 0 && (unsigned char)text[start - 1] >= 0xC0) {
        start--;
        if (qd_str_utf8_length(text + start, n - start) == 0)
            text[start] = '\0';
    }
}

/* A message quotes what it was given, which may be no UTF-8 or cut inside a character. The message itself is text. */
static void mend_characters(char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        size_t n = qd_str_utf8_length(text, left);
        if (n == 0) {
            *text = '?';
            n = 1;
        }
        text += n;
        left -= n;
    }
}

static void format(char *out, size_t size, const char *fmt, va_list args)
{
    int n = vsnprintf(out, size, fmt, args);
    if (n < 0)
        out[0] = '\0';
    else if ((size_t)n >= size)
        trim_to_character(out);
    mend_characters(out);
}

static qd_status fill(qd_error *err, qd_status code, const char *field, const char *fmt, va_list args)
{
    if (!err)
        return code;
    /* The arguments may point into *err itself (a message that quotes the previous one). */
    qd_error next = QD_ERROR_INIT;
    next.code = code;
    if (field && (size_t)snprintf(next.field, sizeof next.field, "%s", field) >= sizeof next.field)
        trim_to_character(next.field);
    format(next.message, sizeof next.message, fmt, args);
    *err = next;
    return code;
}

qd_status qd_fail(qd_error *err, qd_status code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fill(err, code, NULL, fmt, args);
    va_end(args);
    return code;
}

qd_status qd_fail_field(qd_error *err, qd_status code, const char *field, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fill(err, code, field, fmt, args);
    va_end(args);
    return code;
}

qd_status qd_fail_at(qd_error *err, qd_status code, uint32_t line, uint32_t column, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fill(err, code, NULL, fmt, args);
    va_end(args);
    if (err) {
        err->line = line;
        err->column = column;
    }
    return code;
}

qd_status qd_fail_nomem(qd_error *err)
{
    return qd_fail(err, QD_ENOMEM, "out of memory");
}

void qd_error_prefix(qd_error *err, const char *fmt, ...)
{
    if (!err)
        return;
    char text[sizeof err->message * 2];
    va_list args;
    va_start(args, fmt);
    format(text, sizeof err->message, fmt, args);
    va_end(args);
    size_t n = strlen(text);
    memcpy(text + n, err->message, strlen(err->message) + 1);
    if (strlen(text) >= sizeof err->message) {
        text[sizeof err->message - 1] = '\0';
        trim_to_character(text);
    }
    memcpy(err->message, text, strlen(text) + 1);
}
