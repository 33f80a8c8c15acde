/* SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "text.h"

#define BAR_WIDTH 40
#define REDRAW_NS 100000000

void progress_begin(progress *p, int64_t total_bytes, bool is_quiet)
{
    memset(p, 0, sizeof *p);
    p->is_shown = !is_quiet && isatty(STDERR_FILENO);
    p->total_bytes = total_bytes;
    p->start_ns = qd_clock_mono_ns();
}

void progress_show(progress *p, int64_t bytes, int64_t docs)
{
    char bar[BAR_WIDTH + 1], count[TEXT_SIZE], rate[TEXT_SIZE];
    int64_t now = qd_clock_mono_ns();
    if (!p->is_shown || now - p->last_ns < REDRAW_NS)
        return;
    p->last_ns = now;
    double seconds = (double)(now - p->start_ns) / 1e9;
    text_count(docs, count);
    text_count(seconds > 0 ? (int64_t)((double)docs / seconds) : 0, rate);
    if (p->total_bytes > 0) {
        double share = bytes >= p->total_bytes ? 1 : (double)bytes / (double)p->total_bytes;
        int full = (int)(share * BAR_WIDTH);
        memset(bar, '#', (size_t)full);
        memset(bar + full, '.', (size_t)(BAR_WIDTH - full));
        bar[BAR_WIDTH] = '\0';
        fprintf(stderr, "\r[%s] %3.0f %%  %s documents  %s/s\033[K", bar, share * 100, count, rate);
    } else {
        fprintf(stderr, "\r%s documents  %s/s\033[K", count, rate);
    }
    fflush(stderr);
}

void progress_end(progress *p)
{
    if (p->is_shown)
        fputs("\r\033[K", stderr);
    p->is_shown = false;
}
