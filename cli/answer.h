/* SPDX-License-Identifier: Apache-2.0
 *
 * What the server said: its JSON, or the error in either of the API's shapes. */
#ifndef QCTL_ANSWER_H
#define QCTL_ANSWER_H

#include <jansson.h>

#include "command.h"

/* Sends and reads the answer. An HTTP error becomes an error with the server's own sentence; with --json its body goes
 * to stdout too. *json (may be NULL): owned by caller (json_decref). On success: answer_deinit(out). */
qd_status call(qctl *q, const request *rq, answer *out, json_t **json, qd_error *err);
/* GET of a path built in a buffer, which is freed. */
qd_status call_get(qctl *q, qd_buf *path, answer *out, json_t **json, qd_error *err);
/* POST to a path built in a buffer, which is freed; without a body, or with one that is JSON (taken; NULL: the words it
 * was made of are not UTF-8). */
qd_status call_action(qctl *q, qd_buf *path, answer *out, json_t **json, qd_error *err);
qd_status call_post(qctl *q, qd_buf *path, json_t *body, answer *out, json_t **json, qd_error *err);
/* With --json: prints the answer as it came, and true. */
bool print_raw(const qctl *q, const answer *a);
/* The end of a command whose answer is a sentence: prints its `message` (or all of it, with --json) and frees both. */
qd_status print_message(const qctl *q, answer *a, json_t *json);

/* Which part of a list: --page and --size, as far as they are given; the others stay as they are. */
typedef struct list_page {
    int64_t page, size;
} list_page;
qd_status args_page(const args *a, int64_t last_page, list_page *out, qd_error *err);
void path_add_page(qd_buf *path, const list_page *p);

/* The status behind `error.code`, `error.type` and the HTTP status, from the one table. `name` may be NULL. */
qd_status status_of(const char *name, long http_status);

/* Members by a dotted path; NULL, 0 or "" when absent or of another type. Views. */
const json_t *json_at(const json_t *v, const char *path);
const char *json_text_at(const json_t *v, const char *path);
int64_t json_i64_at(const json_t *v, const char *path);
double json_f64_at(const json_t *v, const char *path);

#endif
