/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* More of a document's id is not quoted: a message has room for the reason too. */
#define MAX_QUOTED_ID 200

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
    ROW(QD_EUDF_SIGNATURE, 403, "SIGNATURE_INVALID", "security_exception"),
    ROW(QD_EUDF_QUARANTINED, 503, "UDF_QUARANTINED", "script_exception"),

    ROW(QD_ERATE, 429, "RATE_LIMITED", "rejected_execution_exception"),

    ROW(QD_EINDEX_NOTFOUND, 404, "INDEX_NOT_FOUND", "index_not_found_exception"),
    ROW(QD_EINDEX_EXISTS, 400, "INDEX_ALREADY_EXISTS", "resource_already_exists_exception"),
    ROW(QD_EMAPPING, 400, "MAPPING_ERROR", "mapper_parsing_exception"),
    ROW(QD_EPARSE, 400, "INVALID_PARAMETERS", "parsing_exception"),
    ROW(QD_EQUERY, 400, "INVALID_PARAMETERS", "query_shard_exception"),
    ROW(QD_EINDEX_NAME, 400, "INVALID_PARAMETERS", "invalid_index_name_exception"),
    ROW(QD_EINDEX_FAILED, 503, "UNAVAILABLE", "unavailable_shards_exception"),
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
    /* The arguments may point into *err itself (a message that quotes the previous one). Only what is in use is
     * written: filling an error costs what its text does. */
    char message[sizeof err->message], of[sizeof err->field] = "";
    if (field && (size_t)snprintf(of, sizeof of, "%s", field) >= sizeof of)
        trim_to_character(of);
    format(message, sizeof message, fmt, args);
    err->code = code;
    err->line = err->column = 0;
    err->function = err->version = err->document = err->reason = (qd_error_part){0, 0};
    err->stack[0] = '\0';
    memcpy(err->field, of, strlen(of) + 1);
    memcpy(err->message, message, strlen(message) + 1);
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

/* The message got `n` bytes longer at its front, and was cut to `length`. */
static void shift_part(qd_error_part *part, size_t n, size_t length)
{
    size_t at = part->at + n;
    if (part->n == 0)
        return;
    *part = at >= length ? (qd_error_part){0, 0}
                         : (qd_error_part){(uint16_t)at, (uint16_t)(at + part->n > length ? length - at : part->n)};
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
    size_t length = strlen(text);
    memcpy(err->message, text, length + 1);
    shift_part(&err->function, n, length);
    shift_part(&err->version, n, length);
    shift_part(&err->document, n, length);
    shift_part(&err->reason, n, length);
}

void qd_error_append(qd_error *err, const char *fmt, ...)
{
    if (!err)
        return;
    char text[sizeof err->message];
    size_t n = strlen(err->message);
    va_list args;
    va_start(args, fmt);
    format(text, sizeof text - n, fmt, args);
    va_end(args);
    memcpy(err->message + n, text, strlen(text) + 1);
}

/* ---- parts ------------------------------------------------------------------------------------------------------- */

qd_str qd_error_text(const qd_error *err, qd_error_part part)
{
    return (qd_str){err->message + part.at, part.n};
}

static void mark(const qd_error *err, qd_error_part *part, size_t at, size_t n)
{
    size_t length = strlen(err->message);
    if (n > 0 && at + n <= length)
        *part = (qd_error_part){(uint16_t)at, (uint16_t)n};
}

/* Of an id, so much as is quoted: whole characters. */
static int quoted_length(qd_str id)
{
    size_t n = id.n < MAX_QUOTED_ID ? id.n : MAX_QUOTED_ID;
    while (n < id.n && n > 0 && ((unsigned char)id.p[n] & 0xC0) == 0x80)
        n--;
    return (int)n;
}

void qd_error_set_function(qd_error *err, const char *label, const qd_str *document)
{
    static const char FUNCTION[] = "function '", DOCUMENT[] = "', document '", END[] = "': ";
    size_t label_n = strlen(label), label_at = sizeof FUNCTION - 1, reason_at = label_at + label_n + sizeof END - 1;
    if (!err || err->function.n)
        return;
    if (strncmp(err->message, FUNCTION, label_at) == 0) {
        qd_error_mark_function(err, qd_str_of(label));
        return;
    }
    if (document) {
        int n = quoted_length(*document);
        size_t at = label_at + label_n + sizeof DOCUMENT - 1;
        qd_error_prefix(err, "%s%s%s%.*s%s", FUNCTION, label, DOCUMENT, n, document->p, END);
        mark(err, &err->document, at, (size_t)n);
        reason_at = at + (size_t)n + sizeof END - 1;
    } else {
        qd_error_prefix(err, "%s%s%s", FUNCTION, label, END);
    }
    mark(err, &err->function, label_at, label_n);
    if (strlen(err->message) > reason_at)
        mark(err, &err->reason, reason_at, strlen(err->message) - reason_at);
}

static void mark_text(qd_error *err, qd_error_part *part, qd_str text)
{
    const char *found = text.n && !part->n ? memmem(err->message, strlen(err->message), text.p, text.n) : NULL;
    if (found)
        mark(err, part, (size_t)(found - err->message), text.n);
}

void qd_error_mark_function(qd_error *err, qd_str label)
{
    if (err)
        mark_text(err, &err->function, label);
}

void qd_error_mark_version(qd_error *err, qd_str version)
{
    if (err)
        mark_text(err, &err->version, version);
}
