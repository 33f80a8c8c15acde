/* SPDX-License-Identifier: Apache-2.0
 *
 * A progress bar on stderr, when that is a terminal. */
#ifndef QCTL_PROGRESS_H
#define QCTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    bool is_shown;
    int64_t total_bytes; /* 0: unknown, then only counts are shown */
    int64_t start_ns, last_ns;
} progress;

void progress_begin(progress *p, int64_t total_bytes, bool is_quiet);
void progress_show(progress *p, int64_t bytes, int64_t docs);
/* Clears the line, so that what follows stands alone. */
void progress_end(progress *p);

#endif
