/* SPDX-License-Identifier: Apache-2.0
 *
 * Building a mapping, private to mapping*.c. A mapping under construction belongs to one thread; once it is given out
 * nothing in it changes. Ids are a function of the order of `fields`, so whoever reorders them numbers them again. */
#ifndef QD_INDEX_MAPPING_BUILD_H
#define QD_INDEX_MAPPING_BUILD_H

#include "index/mapping.h"

#define QD_MAPPING_MAX_DEPTH 20        /* of objects within objects, as OpenSearch's index.mapping.depth.limit */
#define QD_FIELD_PATH_MAX    1024      /* bytes of a dotted path */
#define QD_DYNAMIC_IGNORE_ABOVE 256    /* of the keyword under a string field that was mapped dynamically */

/* NULL when out of memory. */
qd_mapping *qd_mapping_alloc(uint32_t max_fields);
qd_mapping *qd_mapping_copy(const qd_mapping *m);
/* Appends a field (path copied) with the defaults of its type, under `parent` when that is not NULL. NULL when out of
 * memory. */
qd_field *qd_mapping_append(qd_mapping *m, qd_str path, qd_field_type type, qd_field *parent);
/* False when out of memory. */
bool qd_mapping_add_object(qd_mapping *m, qd_str path);
void qd_mapping_number(qd_mapping *m);

#endif
