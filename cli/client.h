/* SPDX-License-Identifier: Apache-2.0
 *
 * One keep-alive connection to the server, by libcurl. Requests one at a time. */
#ifndef QCTL_CLIENT_H
#define QCTL_CLIENT_H

#include "base/buf.h"
#include "base/error.h"

typedef struct client client;

/* A part of a multipart form; a file when `filename` is not NULL. Borrowed. */
typedef struct form_part {
    const char *name, *filename, *content_type;
    qd_str data;
} form_part;

typedef struct request {
    const char *method, *path; /* path: escaped, with its query */
    const char *content_type;  /* of `body`; NULL: application/json */
    qd_str body;               /* p NULL: none */
    const form_part *parts;    /* a multipart form instead of `body` */
    size_t n_parts;
} request;

typedef struct answer {
    long http_status;
    qd_buf body;
    double ms;          /* from sending to the last byte */
    long retry_after_s; /* from Retry-After; 0: none */
} answer;

/* `url`: "http://127.0.0.1:9200"; kept. Errors: QD_EINVAL (not http or https), QD_ENOMEM. */
qd_status client_new(const char *url, client **out, qd_error *err);
void client_free(client *c);
/* Any HTTP status is a success here. Errors: QD_EIO (not reachable, broken off), QD_ETOOLARGE, QD_ENOMEM. `out` is
 * initialized by this call, whatever it returns; on success: answer_deinit. */
qd_status client_send(client *c, const request *rq, answer *out, qd_error *err);
void answer_deinit(answer *a);

/* Adds `text` to a path, percent-encoded. */
void path_add(qd_buf *path, const char *text);
/* Adds the path of a function: "NAME", or "NAME@VERSION" for one version. */
void path_add_function(qd_buf *path, const char *spec);
/* Adds "?name=value" or "&name=value", encoded; NULL value: nothing. */
void path_add_query(qd_buf *path, const char *name, const char *value);

#endif
