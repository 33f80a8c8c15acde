/* SPDX-License-Identifier: Apache-2.0
 *
 * Sort keys that functions compute (`_script`), for one segment. They become ranks as numbers of fields do (sort.h). */
#ifndef QD_QUERY_SORT_SCRIPT_H
#define QD_QUERY_SORT_SCRIPT_H

#include "query/sort.h"

typedef struct qd_sort_scripts qd_sort_scripts;

/* Does any key of the body read scores? */
bool qd_sort_scripts_need_scores(const qd_run *run);
/* *out: NULL when no key is a script. Errors: QD_ENOMEM, and what opening a function fails with. */
qd_status qd_sort_scripts_open(const qd_run *run, size_t task, const qd_sort *sort, qd_sort_scripts **out,
                               qd_error *err);
void qd_sort_scripts_close(qd_sort_scripts *s);
/* Ranks of a block's documents, n <= QE_BLOCK_DOCS, for each key that is a script: of the k-th at
 * ranks[k * QE_BLOCK_DOCS]. Errors: those of functions. */
qd_status qd_sort_scripts_ranks(qd_sort_scripts *s, size_t n, const uint32_t *docs, const float *scores, int64_t *ranks,
                                qd_error *err);

#endif
