/* SPDX-License-Identifier: Apache-2.0
 *
 * Filling a qd_error. Set it where the fault is detected, once; a caller may add a prefix
 * (qd_error_prefix) but never rewords. NULL is legal everywhere: the code is then enough. */
#ifndef QD_BASE_ERROR_H
#define QD_BASE_ERROR_H

#include "base/str.h"
#include "quidditch/error.h"

/* Moves a pointer out of a local: `*out = QD_TAKE(x)` leaves x NULL for the cleanup at `done:`. */
#define QD_TAKE(x) qd_take_((void **)&(x))
static inline void *qd_take_(void **x)
{
    void *v = *x;
    *x = NULL;
    return v;
}

/* Writes code and message (printf style, cut at the buffer's end) and returns `code`. */
qd_status qd_fail(qd_error *err, qd_status code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same, naming the field at fault. */
qd_status qd_fail_field(qd_error *err, qd_status code, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The same, with a place in a text. */
qd_status qd_fail_at(qd_error *err, qd_status code, uint32_t line, uint32_t column, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* "out of memory" with QD_ENOMEM. */
qd_status qd_fail_nomem(qd_error *err);

/* Puts text before the message: "index 'a': " + message. Code and place stay. */
void qd_error_prefix(qd_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Puts text behind the message. All else stays; what of the text has no room is cut. */
void qd_error_append(qd_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Says which function the error is about (`label`: "name@version"), and with `document` (may be NULL) on which
 * document: puts "function 'label', document 'id': " before the message and marks the parts. An error that says so
 * already is left alone. A very long id is cut, so that the reason stays. */
void qd_error_set_function(qd_error *err, const char *label, const qd_str *document);
/* Marks where the message itself names the function, by its label or its name, and where its version, if that stands
 * apart. Without effect where it does not, or when it is marked already. */
void qd_error_mark_function(qd_error *err, qd_str label);
void qd_error_mark_version(qd_error *err, qd_str version);
/* A view into the message; "" when there is no such part. */
qd_str qd_error_text(const qd_error *err, qd_error_part part);

#endif
