/* SPDX-License-Identifier: Apache-2.0
 *
 * Hash map from byte strings to pointers (open addressing, keys copied, seeded against flooding).
 * Not synchronized: the owner locks. Iteration order is unspecified. */
#ifndef QD_BASE_MAP_H
#define QD_BASE_MAP_H

#include "base/str.h"

typedef struct qd_map qd_map;

qd_map *qd_map_new(void);                                /* NULL when out of memory */
void qd_map_free(qd_map *m, void (*free_value)(void *)); /* free_value may be NULL */
size_t qd_map_count(const qd_map *m);
void *qd_map_get(const qd_map *m, qd_str key); /* NULL when absent */
/* Inserts or replaces; *old (may be NULL) receives the replaced value or NULL. False when out of memory: unchanged. */
bool qd_map_put(qd_map *m, qd_str key, void *value, void **old);
void *qd_map_remove(qd_map *m, qd_str key); /* the value, or NULL */
void qd_map_clear(qd_map *m, void (*free_value)(void *));
/* `*i` starts at 0; false at the end. The map must not change between calls. */
bool qd_map_next(const qd_map *m, size_t *i, qd_str *key, void **value);

#endif
