/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing JSON (RFC 8259) straight into a buffer, and small helpers around jansson for reading requests.
 * The writer puts commas itself; the caller is trusted to nest correctly. Strings that are not UTF-8 get U+FFFD. */
#ifndef QD_BASE_JSON_H
#define QD_BASE_JSON_H

#include <jansson.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/value.h"

typedef struct qd_json {
    qd_buf *out;
    bool need_comma;
    bool pretty;
    unsigned depth;
} qd_json;

void qd_json_init(qd_json *w, qd_buf *out, bool pretty);
void qd_json_begin_object(qd_json *w);
void qd_json_end_object(qd_json *w);
void qd_json_begin_array(qd_json *w);
void qd_json_end_array(qd_json *w);
void qd_json_key(qd_json *w, const char *key);
void qd_json_key_str(qd_json *w, qd_str key);
void qd_json_str(qd_json *w, qd_str value);
void qd_json_z(qd_json *w, const char *value); /* NULL writes null */
void qd_json_i64(qd_json *w, int64_t value);
void qd_json_u64(qd_json *w, uint64_t value);
/* Shortest decimal that reads back as the same double ("1.0", "0.1"); NaN and infinities write null. */
void qd_json_f64(qd_json *w, double value);
/* The same for a score: shortest that reads back as the same float. */
void qd_json_f32(qd_json *w, float value);
void qd_json_bool(qd_json *w, bool value);
void qd_json_null(qd_json *w);
/* null, a boolean, a number or a string. */
void qd_json_scalar(qd_json *w, qd_value value);
/* Bytes that are JSON already, as one value. */
void qd_json_raw(qd_json *w, qd_str json);
/* A jansson value, compact. */
void qd_json_value(qd_json *w, const json_t *value);
/* key + value in one call. */
void qd_json_kv_z(qd_json *w, const char *key, const char *value);
void qd_json_kv_i64(qd_json *w, const char *key, int64_t value);
void qd_json_kv_bool(qd_json *w, const char *key, bool value);
void qd_json_kv_f64(qd_json *w, const char *key, double value);
/* An array of the lines of a text; of "" an empty one. */
void qd_json_kv_lines(qd_json *w, const char *key, const char *text);

/* A jansson value as compact text; `is_sorted`: members by name, the form that is hashed. Owned by caller (free). NULL
 * when out of memory (json_dumps may leave out a member's name then, and give the rest). */
char *qd_json_text(const json_t *value, bool is_sorted);

/* Parses a whole text. Duplicate keys, trailing bytes, depth over 128 (QD_JSON_MAX_DEPTH) and bad UTF-8 are refused.
 * The error has line and column. *out: owned by caller (json_decref). Errors: QD_EPARSE, QD_ENOMEM. */
qd_status qd_json_parse(qd_str text, json_t **out, qd_error *err);
#define QD_JSON_MAX_DEPTH 128

/* "an object", "a string", …, for messages. */
const char *qd_json_type_name(const json_t *v);
/* What is there, for messages: `the string "abc"` (cut at 60 bytes), `the number 1.5`, `true`, `an array`. 128 bytes
 * are enough. */
void qd_json_describe(const json_t *v, char *out, size_t size);

/* A member that must be of a type when it is there. Absent: QD_OK and *out untouched. Wrong type: `code` naming
 * `where` and `key`. Strings are views valid as long as `obj`. */
qd_status qd_json_get_str(const json_t *obj, const char *where, const char *key, qd_status code, qd_str *out,
                          qd_error *err);
qd_status qd_json_get_i64(const json_t *obj, const char *where, const char *key, qd_status code, int64_t *out,
                          qd_error *err);
qd_status qd_json_get_f64(const json_t *obj, const char *where, const char *key, qd_status code, double *out,
                          qd_error *err);
qd_status qd_json_get_bool(const json_t *obj, const char *where, const char *key, qd_status code, bool *out,
                           qd_error *err);

/* Refuses members of `obj` that are not in `allowed` (NULL-terminated), naming the first. */
qd_status qd_json_only(const json_t *obj, const char *where, const char *const *allowed, qd_status code, qd_error *err);

/* JSON source text -> events, for documents (parsed by serde in the seam) lives in index/document.h. */

#endif
