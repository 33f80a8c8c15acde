/* SPDX-License-Identifier: Apache-2.0
 *
 * Values by path in plain JSON: the request's context and the documents of a test call. A path is names separated by
 * dots, with "[2]" behind a name for one element of an array: "vendor.name", "tags[2]". Without an index an array
 * gives its first value, as a field's column does. A member whose own name has dots is found too. */
#ifndef QD_UDF_JSON_PATH_H
#define QD_UDF_JSON_PATH_H

#include <jansson.h>

#include "base/value.h"

/* What is at a path: a borrowed string, number, boolean, object or array; NULL when nothing, null or an empty array is.
 */
const json_t *qd_json_path_get(const json_t *root, qd_str path);

/* How many values are at a path, an array without an index standing for all of its elements; *out (may be NULL): the
 * one at place `at`, from 0, left alone when there is none. */
uint32_t qd_json_path_values(const json_t *root, qd_str path, uint32_t at, const json_t **out);

/* A scalar as a value (strings are views into `v`); false when it is an object, an array, null or NULL. */
bool qd_json_to_value(const json_t *v, qd_value *out);

#endif
