/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_registry [DIRECTORY [FUNCTIONS]]: what a registry of many functions costs, in a store in that directory (which
 * is to be empty; /dev/shm keeps the disk out of it). Prints JSON, in processor time: milliseconds to open it, bytes of
 * memory for each function that is not loaded, nanoseconds of a look-up of the active version, of a version and of a
 * range, milliseconds of a page of the list without a filter, with a text and with a tag. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "udf/registry.h"

#define LOOKUPS 200000

static qd_error err;

/* Of this thread alone, so that a busy machine does not count. */
static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void check(qd_status st)
{
    if (st == QD_OK)
        return;
    fprintf(stderr, "bench_registry: %s\n", err.message);
    exit(1);
}

static void name_of(int i, char out[32])
{
    snprintf(out, 32, "function_%05d", i);
}

static void fill(qd_registry *r, int functions)
{
    for (int i = 0; i < functions; i++) {
        char wat[128], name[32], tag[16];
        uint8_t *wasm;
        qd_registration reg = {0};
        qd_registered result;
        qd_udf *u = NULL;
        snprintf(wat, sizeof wat, "(module (func (export \"filter\") (result f64) f64.const %d))", i);
        check(qd_wasm_from_wat(qd_str_of(wat), &wasm, &reg.wasm_size, &err));
        name_of(i, name);
        snprintf(tag, sizeof tag, "tag%d", i % 100);
        json_t *manifest = json_pack("{s:s, s:s, s:s, s:s, s:s, s:[s, s]}", "name", name, "version", "1.2.3", "author",
                                     "Ada Lovelace <ada@example.org>", "category", "relevance", "description",
                                     "Multiplies what a text is worth by what a shop earns with it, more or less",
                                     "tags", tag, "shop");
        reg.manifest = manifest;
        reg.wasm = wasm;
        check(qd_registry_register(r, &reg, &u, &result, &err));
        qd_udf_unref(u);
        json_decref(manifest);
        free(wasm);
    }
}

static size_t heap_bytes(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

/* All functions that are asked for are loaded: 64 of them, so that the time is not that of cache misses alone. */
static double lookup_ns(qd_registry *r, int functions, const char *version)
{
    char names[64][32];
    for (int i = 0; i < 64; i++)
        name_of((int)((int64_t)i * functions / 64), names[i]);
    double best = 1e9;
    for (int pass = 0; pass < 6; pass++) {
        int64_t start = cpu_ns();
        for (int i = 0; i < LOOKUPS; i++) {
            qd_udf *u = NULL;
            check(qd_registry_get(r, qd_str_of(names[i % 64]), qd_str_of(version), &u, &err));
            qd_udf_unref(u);
        }
        double ns = (double)(cpu_ns() - start) / LOOKUPS;
        best = pass > 0 && ns < best ? ns : best;
    }
    return best;
}

static double list_ms(qd_registry *r, const qd_udf_filter *f)
{
    double best = 1e9;
    for (int pass = 0; pass < 10; pass++) {
        qd_buf out;
        qd_json w;
        qd_buf_init(&out, SIZE_MAX);
        qd_json_init(&w, &out, false);
        int64_t start = cpu_ns();
        check(qd_registry_list(r, f, &w, &err));
        double ms = (double)(cpu_ns() - start) / 1e6;
        best = ms < best ? ms : best;
        qd_buf_deinit(&out);
    }
    return best;
}

int main(int argc, char **argv)
{
    const char *dir = argc > 1 ? argv[1] : "/dev/shm/bench_registry";
    int functions = argc > 2 ? atoi(argv[2]) : 10000;
    const qd_wasm_engine_options engine_options = QD_WASM_ENGINE_OPTIONS_INIT;
    qd_registry_options options = QD_REGISTRY_OPTIONS_INIT;
    qd_wasm_engine *e = NULL;
    qd_kv *kv = NULL;
    qd_registry *r = NULL;
    options.max_functions = UINT32_MAX;
    check(qd_wasm_engine_new(&engine_options, &e, &err));
    check(qd_kv_lmdb_open(dir, (size_t)4 << 30, &kv, &err));
    check(qd_registry_open(kv, e, &options, NULL, NULL, &r, &err));
    int64_t start = cpu_ns();
    if (qd_registry_count(r) == 0)
        fill(r, functions);
    double fill_s = (double)(cpu_ns() - start) / 1e9;
    qd_registry_close(r);
    malloc_trim(0);
    size_t before = heap_bytes();
    start = cpu_ns();
    check(qd_registry_open(kv, e, &options, NULL, NULL, &r, &err));
    double open_ms = (double)(cpu_ns() - start) / 1e6;
    double idle = (double)(heap_bytes() - before) / functions;
    printf("{\"functions\":%d,\"register_ms\":%.3f,\"open_ms\":%.1f,\"idle_bytes\":%.0f,", functions,
           fill_s * 1e3 / functions, open_ms, idle);
    printf("\"lookup_active_ns\":%.0f,", lookup_ns(r, functions, ""));
    printf("\"lookup_version_ns\":%.0f,", lookup_ns(r, functions, "1.2.3"));
    printf("\"lookup_range_ns\":%.0f,", lookup_ns(r, functions, "^1.2"));
    printf("\"list_ms\":%.3f,", list_ms(r, &(qd_udf_filter){.page = 400, .size = 20}));
    printf("\"list_text_ms\":%.3f,", list_ms(r, &(qd_udf_filter){.page = 1, .size = 20, .text = QD_STR("nowhere")}));
    printf("\"list_tag_ms\":%.3f}\n", list_ms(r, &(qd_udf_filter){.page = 1, .size = 20, .tag = QD_STR("tag7")}));
    qd_registry_close(r);
    qd_kv_close(kv);
    qd_wasm_engine_free(e);
    return 0;
}
