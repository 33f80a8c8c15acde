/* SPDX-License-Identifier: Apache-2.0
 *
 * A field of a stored document by path, straight from its text: "price", "vendor.name", "tags[2]", "items[0].sku".
 * Names may hold dots themselves; an array without an index stands for its first element that has the rest of the path.
 */
#ifndef QD_QUERY_SOURCE_PATH_H
#define QD_QUERY_SOURCE_PATH_H

#include "query/json_scan.h"

#define QD_MAX_PATH 512 /* bytes; longer ones are missing everywhere */

/* The value's text (a scalar, never null). False: missing. */
bool qd_source_find(qd_str source, qd_str path, qd_str *token);
/* How many values there are, an array without an index standing for all of its elements, and the text of the one at
 * place `at`, from 0; `token` may be NULL, and is left alone when there is none. */
uint32_t qd_source_values(qd_str source, qd_str path, uint32_t at, qd_str *token);

#endif
