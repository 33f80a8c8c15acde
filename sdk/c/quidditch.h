/* SPDX-License-Identifier: Apache-2.0
 *
 * Quidditch functions in C: what a function written for the search engine includes. ABI version 1.
 *
 *   clang --target=wasm32 -O2 -nostdlib -Wl,--no-entry -Wl,--strip-debug -o my.wasm my.c
 *   (with a C library: clang --target=wasm32-wasi --sysroot=… -O2 -mexec-model=reactor -o my.wasm my.c; without the
 *   reactor model add -Wl,--export=__wasm_call_ctors, or the linker wraps each export in calls of constructors and
 *   destructors, which cost more than a small function)
 *
 * A function has one of four shapes (docs/guest-abi.md). In the typed shape the arguments are the manifest's parameters
 * in their order, and no call out of the sandbox is needed; prefer it:
 *
 *   QD_EXPORT(score) double score(double relevance, double popularity)
 *   {
 *       return relevance * (1 + popularity);
 *   }
 *
 * In the row shape the function gets a context and asks for what it needs:
 *
 *   QD_EXPORT(filter) int32_t filter(qd_context ctx)
 *   {
 *       double price;
 *       return qd_get_f64(ctx, "price", &price) == QD_OK && price < 100;
 *   }
 *
 * In the handle shape it looks names up once, and reads numbers as fast as arguments:
 *
 *   static qd_handle price;
 *   __attribute__((constructor)) static void prepare(void) { price = qd_field("price"); }
 *   QD_EXPORT(score) double score(qd_context ctx) { return qd_score() * qd_field_f64(price); }
 *
 * (constructors run with -mexec-model=reactor; without it, export a function named _initialize that does the same.)
 * In the batch shape it gets a block of documents at once:
 *
 *   QD_EXPORT(score) void score(uint32_t n, const qd_column *columns, qd_column *out)
 *   {
 *       const double *relevance = columns[0].data, *price = columns[1].data;
 *       double *result = out->data;
 *       for (uint32_t i = 0; i < n; i++)
 *           result[i] = relevance[i] * price[i];
 *   }
 *
 * Each function below asks for a permission in the manifest ("permissions"), named with it; parameters need none. A
 * context is good for the call that it was given to, and for nothing after. Field names are paths: "vendor.name",
 * "tags[2]". */
#ifndef QUIDDITCH_GUEST_H
#define QUIDDITCH_GUEST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define QD_GUEST_ABI_VERSION 1

/* Puts a function into the module's exports under `name`; needed once per function that the manifest names. */
#define QD_EXPORT(name) __attribute__((export_name(#name), used))
#define QD_IMPORT(name) __attribute__((import_module("env"), import_name(#name)))

/* The document at hand: an id, never a pointer. */
typedef int64_t qd_context;

/* What the reading functions answer. Outputs are written with QD_OK only, but for the length with QD_BAD_BUFFER. */
enum {
    QD_OK = 0,
    QD_MISSING = 1,    /* the document has no such value; the query gives no such parameter */
    QD_WRONG_TYPE = 2, /* it has one of another type, or a number that does not fit */
    QD_BAD_BUFFER = 3, /* the buffer is too small (*len is then the length needed), an address is outside the module's
                          memory, or the context is not this call's */
};

enum { QD_LOG_DEBUG = 0, QD_LOG_INFO = 1, QD_LOG_WARNING = 2, QD_LOG_ERROR = 3 };

/* ---- host functions as they are: names as (pointer, length) ------------------------------------------------------ */

/* 1 when the document has a value for the field, else 0. Permission: read_document, as for all up to
 * qd_field_string_at. */
QD_IMPORT(has_field) int32_t qd_host_has_field(qd_context ctx, const char *name, uint32_t name_len);
/* A string, UTF-8, not terminated. *len: the buffer's size before, the string's length after. */
QD_IMPORT(get_field_string)
int32_t qd_host_field_string(qd_context ctx, const char *name, uint32_t name_len, char *buf, uint32_t *len);
/* A number; a fraction is cut toward zero. */
QD_IMPORT(get_field_i64) int32_t qd_host_field_i64(qd_context ctx, const char *name, uint32_t name_len, int64_t *out);
QD_IMPORT(get_field_f64) int32_t qd_host_field_f64(qd_context ctx, const char *name, uint32_t name_len, double *out);
/* A boolean: four bytes, 0 or 1. */
QD_IMPORT(get_field_bool) int32_t qd_host_field_bool(qd_context ctx, const char *name, uint32_t name_len, int32_t *out);
/* The document's _id; *len as above. */
QD_IMPORT(get_document_id) int32_t qd_host_document_id(qd_context ctx, char *buf, uint32_t *len);

/* How many values it has for the field: of an array, its elements. */
QD_IMPORT(get_field_count) int32_t qd_host_field_count(qd_context ctx, const char *name, uint32_t name_len);

/* Fields by handle. A name's handle stays the same as long as the module's instance: look it up once, when the module
 * is initialized or at the first document. -1: more than 64 of them, or an address outside the module's memory. */
typedef int32_t qd_handle;
QD_IMPORT(field_handle) qd_handle qd_host_field_handle(const char *name, uint32_t name_len);
/* Numbers, booleans (0 and 1) and dates (milliseconds since 1970) of the document at hand, without leaving the sandbox.
 * Where there is no such value, qd_field_valid gives 0 and the others 0. As i64, a fraction is cut, and what does not
 * fit becomes the nearest that does. */
QD_IMPORT(field_f64) double qd_field_f64(qd_handle field);
QD_IMPORT(field_i64) int64_t qd_field_i64(qd_handle field);
QD_IMPORT(field_valid) int32_t qd_field_valid(qd_handle field);
/* Strings, and the i-th of several values, from 0. They answer as qd_get_… do. */
QD_IMPORT(field_string) int32_t qd_field_string(qd_handle field, char *buf, uint32_t *len);
QD_IMPORT(field_count) int32_t qd_field_count(qd_handle field);
QD_IMPORT(field_f64_at) int32_t qd_field_f64_at(qd_handle field, uint32_t i, double *out);
QD_IMPORT(field_i64_at) int32_t qd_field_i64_at(qd_handle field, uint32_t i, int64_t *out);
QD_IMPORT(field_string_at) int32_t qd_field_string_at(qd_handle field, uint32_t i, char *buf, uint32_t *len);
/* The score as qd_get_score gives it, without leaving the sandbox. Permission: read_score. */
QD_IMPORT(score) double qd_score(void);

/* The score of the query below the function; 0 where there is none, NaN for a context that is not this call's.
 * Permission: read_score. */
QD_IMPORT(get_score) double qd_get_score(qd_context ctx);

/* The function's parameters by name: the query's value, or where the manifest says it comes from. No permission. */
QD_IMPORT(get_param_string) int32_t qd_host_param_string(const char *name, uint32_t name_len, char *buf, uint32_t *len);
QD_IMPORT(get_param_i64) int32_t qd_host_param_i64(const char *name, uint32_t name_len, int64_t *out);
QD_IMPORT(get_param_f64) int32_t qd_host_param_f64(const char *name, uint32_t name_len, double *out);
QD_IMPORT(get_param_bool) int32_t qd_host_param_bool(const char *name, uint32_t name_len, int32_t *out);

/* The result where it is no number. A function that returns a string (the manifest's "returns") says which, UTF-8; what
 * it returns itself is not looked at, and without a string there is no result. Any function can say that a document has
 * no result. No permission. */
QD_IMPORT(set_result_string) void qd_host_set_result_string(const char *text, uint32_t text_len);
QD_IMPORT(set_result_missing) void qd_set_result_missing(void);

/* A message for the log, at one of QD_LOG_…; past the function's limit (log_bytes) the rest is dropped. When a call
 * fails, the last error that it logged becomes part of what the user is told. Permission: log. */
QD_IMPORT(log) int32_t qd_host_log(int32_t level, const char *message, uint32_t message_len);

/* ---- the same with C strings ------------------------------------------------------------------------------------- */

/* The compiler counts a literal's bytes itself; the loop is for other texts, without a C library (volatile, lest it
 * becomes a call of strlen). */
static inline uint32_t qd_length_(const char *z)
{
    uint32_t n = 0;
    if (__builtin_constant_p(__builtin_strlen(z)))
        return (uint32_t)__builtin_strlen(z);
    while (((const volatile char *)z)[n])
        n++;
    return n;
}

static inline int32_t qd_has(qd_context ctx, const char *field)
{
    return qd_host_has_field(ctx, field, qd_length_(field));
}

static inline int32_t qd_count(qd_context ctx, const char *field)
{
    return qd_host_field_count(ctx, field, qd_length_(field));
}

static inline qd_handle qd_field(const char *name)
{
    return qd_host_field_handle(name, qd_length_(name));
}

static inline int32_t qd_get_string(qd_context ctx, const char *field, char *buf, uint32_t *len)
{
    return qd_host_field_string(ctx, field, qd_length_(field), buf, len);
}

static inline int32_t qd_get_i64(qd_context ctx, const char *field, int64_t *out)
{
    return qd_host_field_i64(ctx, field, qd_length_(field), out);
}

static inline int32_t qd_get_f64(qd_context ctx, const char *field, double *out)
{
    return qd_host_field_f64(ctx, field, qd_length_(field), out);
}

static inline int32_t qd_get_bool(qd_context ctx, const char *field, int32_t *out)
{
    return qd_host_field_bool(ctx, field, qd_length_(field), out);
}

static inline int32_t qd_get_id(qd_context ctx, char *buf, uint32_t *len)
{
    return qd_host_document_id(ctx, buf, len);
}

static inline int32_t qd_param_string(const char *name, char *buf, uint32_t *len)
{
    return qd_host_param_string(name, qd_length_(name), buf, len);
}

static inline int32_t qd_param_i64(const char *name, int64_t *out)
{
    return qd_host_param_i64(name, qd_length_(name), out);
}

static inline int32_t qd_param_f64(const char *name, double *out)
{
    return qd_host_param_f64(name, qd_length_(name), out);
}

static inline int32_t qd_param_bool(const char *name, int32_t *out)
{
    return qd_host_param_bool(name, qd_length_(name), out);
}

static inline void qd_set_result(const char *text)
{
    qd_host_set_result_string(text, qd_length_(text));
}

static inline void qd_log(int32_t level, const char *message)
{
    (void)qd_host_log(level, message, qd_length_(message));
}

/* ---- the batch shape --------------------------------------------------------------------------------------------- */

/* A string: an argument (two i32 in the typed shape), or an element of a batch. */
typedef struct qd_string {
    const char *data;
    uint32_t n;
} qd_string;

enum { QD_COLUMN_I32 = 0, QD_COLUMN_I64 = 1, QD_COLUMN_F32 = 2, QD_COLUMN_F64 = 3, QD_COLUMN_STRING = 4 };
enum { QD_COLUMN_CONSTANT = 1 };

/* A block's values of one parameter, or its results; of the results `valid` is never NULL, and all 1 at the start. */
typedef struct qd_column {
    void *data;     /* int32_t (also booleans), int64_t, float, double or qd_string */
    uint8_t *valid; /* a byte per row, 0 where there is no value; NULL: all rows have one */
    uint32_t type;  /* QD_COLUMN_… */
    uint32_t flags; /* QD_COLUMN_CONSTANT: all rows are equal */
} qd_column;

#ifdef __cplusplus
}
#endif
#endif
