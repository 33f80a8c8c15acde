/* SPDX-License-Identifier: Apache-2.0
 *
 * An aggregate in the typed shape: five functions that share a state. Each segment of an index has a state of its own,
 * in an instance of its own; they leave as bytes, and are merged into a last one, which gives the result.
 */
#include "quidditch.h"

typedef struct mean {
    double sum, n;
} mean;

static mean only; /* an instance has one state */

QD_EXPORT(aggregate_init) mean *aggregate_init(void)
{
    return &only;
}

QD_EXPORT(aggregate_update) void aggregate_update(mean *m, double value)
{
    m->sum += value;
    m->n++;
}

/* Where the state's bytes lie, and how many they are. */
QD_EXPORT(aggregate_serialize) uint64_t aggregate_serialize(const mean *m)
{
    return (uint64_t)(uintptr_t)m << 32 | sizeof *m;
}

/* Adds a state that aggregate_serialize gave in another instance. */
QD_EXPORT(aggregate_merge) void aggregate_merge(mean *m, const mean *other, uint32_t n)
{
    if (n != sizeof *other)
        __builtin_trap();
    m->sum += other->sum;
    m->n += other->n;
}

QD_EXPORT(aggregate_finish) double aggregate_finish(const mean *m)
{
    if (m->n == 0)
        qd_set_result_missing();
    return m->sum / m->n;
}
