/* SPDX-License-Identifier: Apache-2.0
 *
 * One thread opens indices that failed (a full disk, an I/O error) again, first soon, then ever more seldom while it
 * does not help. */
#include "base/clock.h"
#include "node/node_internal.h"

#define FIRST_DELAY_NS (INT64_C(100) * 1000000)
#define MAX_DELAY_NS   (INT64_C(30) * 1000000000)
#define MAX_DOUBLINGS  16

/* Counts on until something was committed: opening may work on a disk that is full for the next write. */
static int64_t next_attempt(qd_index *ix)
{
    unsigned attempt = atomic_fetch_add(&ix->heal_attempts, 1);
    int64_t delay = attempt < MAX_DOUBLINGS ? FIRST_DELAY_NS << attempt : MAX_DELAY_NS;
    return qd_clock_mono_ns() + (delay < MAX_DELAY_NS ? delay : MAX_DELAY_NS);
}

static void heal(qd_node *n, qd_index *ix)
{
    uint64_t replayed = 0;
    qd_error err = QD_ERROR_INIT;
    if (qd_index_heal(ix, &replayed, &err) == QD_OK) {
        ix->heal_due_ns = 0;
        atomic_fetch_add(&n->healed, 1);
        qd_node_logf(n, "index '%s' takes writes again: opened again, %llu operations replayed", qd_index_name(ix),
                     (unsigned long long)replayed);
        return;
    }
    ix->heal_due_ns = next_attempt(ix);
    qd_node_logf(n, "index '%s' cannot be opened again yet, next attempt in %.1f s: %s", qd_index_name(ix),
                 (double)(ix->heal_due_ns - qd_clock_mono_ns()) / 1e9, err.message);
}

int64_t qd_node_heal_due(void *node)
{
    qd_node *n = node;
    qd_index **indices = NULL;
    size_t count = 0;
    int64_t next = INT64_MAX;
    if (qd_node_all(n, &indices, &count, NULL) != QD_OK)
        return qd_clock_mono_ns() + MAX_DELAY_NS; /* no memory: a failure wakes sooner */
    for (size_t i = 0; i < count && !qd_ticker_is_stopping(&n->healer); i++) {
        qd_index *ix = indices[i];
        if (qd_index_check_failure(ix, NULL) == QD_OK)
            continue;
        if (ix->heal_due_ns == 0)
            ix->heal_due_ns = next_attempt(ix);
        if (ix->heal_due_ns <= qd_clock_mono_ns())
            heal(n, ix);
        if (ix->heal_due_ns != 0 && ix->heal_due_ns < next)
            next = ix->heal_due_ns;
    }
    qd_node_release(indices, count);
    return next;
}
