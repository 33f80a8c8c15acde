/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers and sizes for people, files for requests. */
#ifndef QCTL_TEXT_H
#define QCTL_TEXT_H

#include <jansson.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/error.h"

#define TEXT_SIZE 48
const char *text_count(int64_t n, char out[TEXT_SIZE]); /* "63,666" */
const char *text_bytes(int64_t n, char out[TEXT_SIZE]); /* "4.6 KB" */
const char *text_ms(double ms, char out[TEXT_SIZE]);    /* "3.4 ms", "12.1 s" */
/* A JSON value as a cell: strings bare, numbers short, the rest as JSON. */
void text_json(qd_buf *out, const json_t *v);
/* Prints what came from outside (n bytes of UTF-8) on the line: line ends and tabs are blanks, other control
 * characters, C1 too, '?': nobody's text steers the terminal. */
void text_print(FILE *out, const char *text, size_t n);

/* A whole file ("-": stdin) of at most `max` bytes; `out` is initialized here. Errors: QD_EIO, QD_ETOOLARGE, naming it.
 */
qd_status read_file(const char *path, size_t max, qd_buf *out, qd_error *err);
/* JSON given on the command line: text, or "@FILE" ("@-": stdin). `what` is for the message. */
qd_status read_json(const char *text, const char *what, json_t **out, qd_error *err);
/* A file that holds JSON ("-": stdin). Errors: QD_EIO, QD_EPARSE, naming it. */
qd_status read_json_file(const char *path, json_t **out, qd_error *err);
/* The value compact, sorted as given. Errors: QD_ENOMEM. */
qd_status write_json(const json_t *v, qd_buf *out, qd_error *err);

#endif
