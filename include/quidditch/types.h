/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUIDDITCH_TYPES_H
#define QUIDDITCH_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An open data directory; see quidditch.h. */
typedef struct qd_database qd_database;

#endif
