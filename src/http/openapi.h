/* SPDX-License-Identifier: Apache-2.0
 *
 * The API's description (OpenAPI 3.1), made from the routes table: each row becomes its operations. What parameters
 * mean stands in openapi_params.c, what bodies look like in openapi_schemas.json (JSON Schema 2020-12), which the build
 * lays into the program. The system tests hold real answers against it. */
#ifndef QD_HTTP_OPENAPI_H
#define QD_HTTP_OPENAPI_H

#include "http/router.h"

/* docs/openapi.md says how to get and use it. */
void qd_openapi_write(const qd_route *routes, size_t n, qd_json *w);
/* The description of the daemon's own routes. */
void qd_openapi_write_all(qd_json *w);

typedef struct qd_openapi_param {
    const char *name, *schema; /* the schema as JSON */
    const char *text;
} qd_openapi_param;
/* A parameter of the query, or with `is_path` a {…} of the path; NULL when the tables lack it. */
const qd_openapi_param *qd_openapi_find_param(const qd_route *route, qd_str name, bool is_path);

/* Members of "components": {"schemas"}: the text of openapi_schemas.json. */
extern const char qd_openapi_schemas[];

#endif
