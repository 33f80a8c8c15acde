/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_soak MODULE [CALLS]: does anything grow with time? Calls a function that allocates (functions/soak.c) 10^8
 * times, as queries do: blocks of documents in instances that live for one segment of 32,768. Prints, at ten points,
 * how many calls there were, what one took since the last point, and how much memory the process holds. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "wasm/program.h"

#define SEGMENT_BLOCKS 16
#define POINTS         10
#define MODULE_MAX     (1u << 20)

static void require(qd_status rc, const qd_error *err)
{
    if (rc == QD_OK)
        return;
    fprintf(stderr, "bench_soak: %s\n", err->message);
    exit(1);
}

static long resident_kib(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%*d %ld", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static qd_wasm_program *load(qd_wasm_engine *e, const char *path)
{
    static uint8_t bytes[MODULE_MAX];
    qd_error err;
    qd_wasm_module *m = NULL;
    qd_wasm_program *p = NULL;
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(bytes, 1, sizeof bytes, f) : 0;
    if (f)
        fclose(f);
    const qd_wasm_module_options options = {0};
    require(qd_wasm_module_new(e, bytes, n, &options, &m, &err), &err);
    const qd_wasm_program_spec spec = {.export_name = QD_STR("score"), .shape = QD_SHAPE_TYPED, .name = "soak"};
    require(qd_wasm_program_new(m, &spec, &p, &err), &err);
    qd_wasm_module_unref(m);
    return p;
}

static void run_segment(qd_wasm_program *p)
{
    static qd_call call = {.deadline_ns = INT64_MAX};
    qd_instance *i = NULL;
    qd_error err;
    require(qd_instance_acquire(p, 1, &call, &i, &err), &err);
    double *x = qd_instance_column(i, 0);
    for (int row = 0; row < QD_BLOCK_DOCS; row++)
        x[row] = row;
    for (int block = 0; block < SEGMENT_BLOCKS; block++)
        require(qd_instance_run(i, QD_BLOCK_DOCS, NULL, &err), &err);
    qd_instance_release(i);
}

int main(int argc, char **argv)
{
    const uint64_t calls = argc > 2 ? strtoull(argv[2], NULL, 10) : 100000000;
    const uint64_t per_segment = (uint64_t)SEGMENT_BLOCKS * QD_BLOCK_DOCS;
    uint64_t done = 0;
    qd_wasm_engine *e = NULL;
    qd_error err;
    if (argc < 2) {
        fprintf(stderr, "usage: bench_soak MODULE [CALLS]\n");
        return 2;
    }
    require(qd_wasm_engine_new(NULL, &e, &err), &err);
    qd_wasm_program *p = load(e, argv[1]);
    for (uint64_t point = 1; point <= POINTS; point++) {
        uint64_t before = done;
        int64_t start = qd_clock_mono_ns();
        while (done < calls * point / POINTS) {
            run_segment(p);
            done += per_segment;
        }
        printf("{\"calls\": %llu, \"ns_per_call\": %.2f, \"resident_kib\": %ld}\n", (unsigned long long)done,
               (double)(qd_clock_mono_ns() - start) / (double)(done - before), resident_kib());
        fflush(stdout);
    }
    qd_wasm_program_unref(p);
    qd_wasm_engine_free(e);
    return 0;
}
