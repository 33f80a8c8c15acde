/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables for people: as wide as they need, at most as wide as the terminal; then the widest columns give way. In a pipe
 * or a file nothing is cut. Text from outside cannot steer the terminal: control characters show as '?'. */
#ifndef QCTL_TABLE_H
#define QCTL_TABLE_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/error.h"

#define TABLE_COLUMNS 12

typedef struct table {
    size_t n_columns, n_cells, cap_cells;
    bool is_right[TABLE_COLUMNS], is_whole[TABLE_COLUMNS];
    size_t *ends; /* of each cell in `text`, the titles first */
    qd_buf text;
    bool failed; /* out of memory */
} table;

void table_init(table *t);
void table_deinit(table *t);
/* All columns first, then cells row by row. */
void table_column(table *t, const char *title, bool is_right);
/* One that is never cut: half a time says nothing. */
void table_column_whole(table *t, const char *title);
void table_cell(table *t, const char *text);
void table_cell_str(table *t, qd_str text);
void table_cell_f(table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Errors: QD_ENOMEM, nothing printed. */
qd_status table_print(const table *t, FILE *out, qd_error *err);
/* Two columns, FIELD and VALUE: the members of a JSON object that keys (ended by NULL) name, in that order; those that
 * are absent, null or "" are left out. */
qd_status table_print_members(const json_t *v, const char *const *keys, qd_error *err);

#endif
