/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_stats: what counting costs. Prints JSON, the best of many passes: nanoseconds to count one block, alone and
 * with as many threads as processors on the same function, and with the two readings of the clock that a runner does;
 * this as a share of a block of 2,048 documents at 5 ns each; bytes that a function takes before and after its first
 * calls. */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "udf/stats.h"
#include "wasm/program.h"

#define PASSES      200
#define BLOCKS      2000
#define MAX_THREADS 16

typedef struct pass {
    qd_udf_stats *s;
    bool has_clock;
    double best_ns;
} pass;

static double pass_ns(const pass *p)
{
    int64_t start = qd_clock_mono_ns();
    for (int i = 0; i < BLOCKS; i++) {
        int64_t ns = 10000 + i;
        if (p->has_clock) {
            ns = -qd_clock_mono_ns();
            ns += qd_clock_mono_ns();
        }
        qd_udf_stats_add(p->s, &(qd_stats_block){QD_BLOCK_DOCS, QD_BLOCK_DOCS, ns, 3, 7});
    }
    return (double)(qd_clock_mono_ns() - start) / BLOCKS;
}

static void *best_pass(void *arg)
{
    pass *p = arg;
    p->best_ns = 1e9;
    for (int i = 0; i < PASSES; i++) {
        double ns = pass_ns(p);
        p->best_ns = ns < p->best_ns ? ns : p->best_ns;
    }
    return NULL;
}

/* Of the slowest thread. */
static double with_threads(qd_udf_stats *s, long n, bool has_clock)
{
    pthread_t threads[MAX_THREADS];
    pass passes[MAX_THREADS];
    double worst = 0;
    for (long i = 0; i < n; i++) {
        passes[i] = (pass){s, has_clock, 0};
        if (pthread_create(&threads[i], NULL, best_pass, &passes[i]) != 0)
            exit(1);
    }
    for (long i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
        worst = passes[i].best_ns > worst ? passes[i].best_ns : worst;
    }
    return worst;
}

static size_t heap_bytes(void)
{
    return mallinfo2().uordblks;
}

int main(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    n = n > MAX_THREADS ? MAX_THREADS : n < 1 ? 1 : n;
    qd_error err;
    qd_stats_summary summary;
    void *volatile first = malloc(1); /* the heap has beginnings of its own */
    free(first);
    size_t before = heap_bytes();
    qd_udf_stats *s = qd_udf_stats_new(QD_STR("bench"), QD_STR("1.0.0"));
    if (!s)
        return 1;
    size_t idle = heap_bytes() - before;
    for (int i = 0; i < 100; i++) /* times of a function from 3 to 60 ns a document */
        qd_udf_stats_add(s, &(qd_stats_block){QD_BLOCK_DOCS, QD_BLOCK_DOCS, QD_BLOCK_DOCS * (3 + i % 58), 0, 0});
    if (qd_udf_stats_read(s, &summary, &err) != QD_OK)
        return 1;
    size_t used = heap_bytes() - before;
    double alone = with_threads(s, 1, false), together = with_threads(s, n, false), clocked = with_threads(s, 1, true);
    printf("{\"count_block_ns\": %.1f, \"count_block_ns_%ld_threads\": %.1f, \"with_clock_ns\": %.1f,\n"
           " \"share_of_block_percent\": %.2f, \"bytes_idle\": %zu, \"bytes_used\": %zu}\n",
           alone, n, together, clocked, clocked / (5.0 * QD_BLOCK_DOCS) * 100, idle, used);
    qd_udf_stats_unref(s);
    return 0;
}
