/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUIDDITCH_TYPES_H
#define QUIDDITCH_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An open data directory; see quidditch.h. */
typedef struct qd_database qd_database;

#ifdef __cplusplus
extern "C" {
#endif

/* Frees an answer. NULL is legal. */
void qd_free(void *answer);

#ifdef __cplusplus
}
#endif

#endif
