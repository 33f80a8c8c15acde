/* SPDX-License-Identifier: Apache-2.0
 *
 * One thread opens indices that failed (a full disk, an I/O error) again, first soon, then ever more seldom while it
 * does not help; and those that could not be opened when the node started. */
#include <stdlib.h>

#include "base/clock.h"
#include "node/node_internal.h"

#define FIRST_DELAY_NS (INT64_C(100) * 1000000)
#define MAX_DELAY_NS   (INT64_C(30) * 1000000000)
#define MAX_DOUBLINGS  16
/* It has failed a moment ago: 1.6 s. */
#define FIRST_BROKEN_ATTEMPT 4

static int64_t due_of(unsigned attempt)
{
    int64_t delay = attempt < MAX_DOUBLINGS ? FIRST_DELAY_NS << attempt : MAX_DELAY_NS;
    return qd_clock_mono_ns() + (delay < MAX_DELAY_NS ? delay : MAX_DELAY_NS);
}

/* Counts on until something was committed: opening may work on a disk that is full for the next write. */
static int64_t next_attempt(qd_index *ix)
{
    return due_of(atomic_fetch_add(&ix->heal_attempts, 1));
}

static void log_failure(qd_node *n, const char *name, int64_t due_ns, const qd_error *why)
{
    qd_node_logf(n, "index '%s' cannot be opened again yet, next attempt in %.1f s: %s", name,
                 (double)(due_ns - qd_clock_mono_ns()) / 1e9, why->message);
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
    log_failure(n, qd_index_name(ix), ix->heal_due_ns, &err);
}

/* ---- those that could not be opened ---- */

/* Opens one; what the healer knows of it goes with it then. Held: create_mutex. */
static void open_broken(qd_node *n, const char *name, qd_broken_index *broken)
{
    uint64_t replayed = 0;
    qd_error err = QD_ERROR_INIT;
    if (qd_node_open_broken(n, name, &replayed, &err) == QD_OK) {
        atomic_fetch_add(&n->healed, 1);
        qd_node_logf(n, "index '%s' is open now, %llu operations replayed", name, (unsigned long long)replayed);
        return;
    }
    broken->due_ns = due_of(broken->attempts++);
    log_failure(n, name, broken->due_ns, &err);
}

/* The name of one that is due, or NULL, and when the next will be. It changes under create_mutex only, which is held.
 * Owned by caller (free). */
static char *find_due_broken(qd_node *n, qd_broken_index **out, int64_t *next)
{
    qd_str name;
    void *value;
    *next = INT64_MAX;
    for (size_t i = 0; qd_map_next(n->broken, &i, &name, &value);) {
        qd_broken_index *broken = value;
        if (broken->due_ns == 0)
            broken->due_ns = due_of(broken->attempts = FIRST_BROKEN_ATTEMPT);
        *out = broken;
        if (broken->due_ns <= qd_clock_mono_ns()) {
            *next = due_of(MAX_DOUBLINGS); /* without memory for the name */
            return qd_str_dup(name);
        }
        *next = broken->due_ns < *next ? broken->due_ns : *next;
    }
    return NULL;
}

static int64_t open_due_broken(qd_node *n)
{
    int64_t next = INT64_MAX;
    bool is_done = false;
    while (!is_done && !qd_ticker_is_stopping(&n->healer)) {
        qd_broken_index *broken = NULL;
        pthread_mutex_lock(&n->create_mutex);
        char *name = find_due_broken(n, &broken, &next);
        if (name)
            open_broken(n, name, broken);
        pthread_mutex_unlock(&n->create_mutex);
        is_done = !name;
        free(name);
    }
    return next;
}

/* ---- the thread ---- */

static int64_t heal_failed(qd_node *n)
{
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

int64_t qd_node_heal_due(void *node)
{
    qd_node *n = node;
    int64_t failed = heal_failed(n), broken = open_due_broken(n);
    return failed < broken ? failed : broken;
}
