/* SPDX-License-Identifier: Apache-2.0
 *
 * One thread refreshes the indices whose interval has passed since something was written to them. */
#include <malloc.h>

#include "base/clock.h"
#include "node/node_internal.h"

#define NS_PER_S      INT64_C(1000000000)
#define TRIM_AFTER_NS (30 * NS_PER_S)

/* The buffers of a writer that was let go are many and small: free, but not yet the system's. Giving them back holds
 * others up for some 10 ms, so it is done once for all that rest about the same time. Answers when it will be. */
static int64_t trim_memory(qd_node *n, bool has_rested)
{
    if (has_rested && n->trim_due_ns == INT64_MAX)
        n->trim_due_ns = qd_clock_mono_ns() + TRIM_AFTER_NS;
    if (n->trim_due_ns <= qd_clock_mono_ns()) {
        malloc_trim(0);
        n->trim_due_ns = INT64_MAX;
    }
    return n->trim_due_ns;
}

/* Refreshes what is due, and lets rest what has long not been written to; answers when the next index will be. */
int64_t qd_node_refresh_due(void *node)
{
    qd_node *n = node;
    qd_index **indices = NULL;
    size_t count = 0;
    int64_t next = INT64_MAX;
    bool has_rested = false;
    if (qd_node_all(n, &indices, &count, NULL) != QD_OK)
        return qd_clock_mono_ns() + NS_PER_S; /* no memory: try again a little later */
    for (size_t i = 0; i < count; i++) {
        qd_error err = QD_ERROR_INIT;
        int64_t due = qd_index_refresh_due_ns(indices[i]);
        if (due <= qd_clock_mono_ns()) {
            (void)qd_index_refresh(indices[i], &err); /* a failure is logged and kept by the index itself */
            due = qd_index_refresh_due_ns(indices[i]);
        }
        int64_t rest_due = qd_index_rest_due_ns(indices[i]);
        if (rest_due <= qd_clock_mono_ns()) {
            has_rested |= qd_index_rest(indices[i]);
            rest_due = qd_index_rest_due_ns(indices[i]);
        }
        due = rest_due < due ? rest_due : due;
        next = due < next ? due : next;
    }
    qd_node_release(indices, count);
    int64_t trim_due = trim_memory(n, has_rested);
    return trim_due < next ? trim_due : next;
}
