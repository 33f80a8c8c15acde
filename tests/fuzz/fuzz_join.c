/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions joined with their drivers against the same functions alone: random code (wasm_random.h) must give the same
 * results, or fail at the same row for the same reason, and leave the same in its memory. The first byte says how the
 * function is called, the others are the function. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "wasm/module_impl.h"
#include "wasm/program.h"
#include "wasm_random.h"

#define ROWS         43 /* turns of the unrolled loop and of the other */
#define MEMORY_BYTES 2048

typedef struct use {
    bool by_handle;
    uint64_t varying;
} use;

/* Says what was found, for whoever reads the module. */
#define EXPECT(is_true, why)                                                                                           \
    do {                                                                                                               \
        if (!(is_true)) {                                                                                              \
            fprintf(stderr, "%s: %s\n", #is_true, why);                                                                \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* ---- documents -------------------------------------------------------------------------------------------------- */

static int resolve(void *arg, qd_str path)
{
    (void)arg;
    return path.n % 4;
}

static bool column_f64(void *arg, int slot, double *out, uint8_t *valid, bool *all_valid)
{
    (void)arg, (void)valid;
    for (uint32_t row = 0; row < ROWS; row++)
        out[row] = slot + row * 0.5;
    *all_valid = true;
    return slot == 0;
}

static bool column_i64(void *arg, int slot, int64_t *out, uint8_t *valid, bool *all_valid)
{
    (void)arg, (void)out, (void)valid, (void)all_valid, (void)slot;
    return false;
}

static bool value(void *arg, int slot, uint32_t row, qd_value *out)
{
    (void)arg;
    *out = slot == 0 ? (qd_value){.type = QD_F64, .as.f = row * 0.5} : (qd_value){.type = QD_I64, .as.i = slot + row};
    return slot < 2 || row % 3 == 0;
}

static bool id(void *arg, uint32_t row, qd_str *out)
{
    (void)arg, (void)row;
    *out = QD_STR("an id");
    return true;
}

/* ---- one side --------------------------------------------------------------------------------------------------- */

typedef struct side {
    qd_wasm_module *module;
    qd_wasm_program *program;
    qd_instance *instance;
    qd_status status;
    qd_run_failure failure;
    qd_error err;
} side;

static qd_wasm_engine *engine(void)
{
    static qd_wasm_engine *engine;
    qd_wasm_engine_options options = QD_WASM_ENGINE_OPTIONS_INIT;
    options.compile_threads = 0;
    EXPECT(engine || qd_wasm_engine_new(&options, &engine, NULL) == QD_OK, "no engine");
    return engine;
}

static qd_status entry_of(void *arg, const qd_wasm_module *m, qd_wasm_entry *out, qd_error *err)
{
    const use *u = arg;
    (void)m, (void)err;
    *out = (qd_wasm_entry){
        .export_name = QD_STR("f"), .shape = u->by_handle ? QD_SHAPE_HANDLE : QD_SHAPE_TYPED, .varying = u->varying};
    return QD_OK;
}

static void load(side *s, const qd_buf *wasm, use *u, bool is_joined)
{
    const qd_wasm_module_options options = {
        .permissions = UINT32_MAX, .entry = is_joined ? entry_of : NULL, .entry_arg = u};
    const qd_wasm_program_spec spec = {
        .export_name = QD_STR("f"), .shape = u->by_handle ? QD_SHAPE_HANDLE : QD_SHAPE_TYPED, .name = "fuzz@1.0.0"};
    *s = (side){.err = QD_ERROR_INIT};
    s->status = qd_wasm_module_new(engine(), (const uint8_t *)wasm->p, wasm->n, &options, &s->module, &s->err);
    EXPECT(s->status == QD_OK, s->err.message);
    EXPECT((atomic_load(&s->module->native)->join != NULL) == is_joined, "fell back to code alone");
    EXPECT(qd_wasm_program_new(s->module, &spec, &s->program, &s->err) == QD_OK, s->err.message);
}

static void fill(side *s, const use *u)
{
    const qd_wasm_signature *signature = qd_wasm_program_signature(s->program);
    for (uint32_t arg = 0; arg < signature->n_params && !u->by_handle; arg++) {
        if (!(u->varying >> arg & 1)) {
            qd_instance_constant(s->instance, arg, (qd_value){.type = QD_F64, .as.f = 3.5 * arg - 2});
            continue;
        }
        void *column = qd_instance_column(s->instance, arg);
        for (int row = 0; row < ROWS; row++) {
            switch (signature->params[arg]) {
            case QD_WASM_I32:
                ((int32_t *)column)[row] = row - 3;
                break;
            case QD_WASM_I64:
                ((int64_t *)column)[row] = row * INT64_C(4000000000) - 9;
                break;
            case QD_WASM_F32:
                ((float *)column)[row] = (float)row * 0.25f - 2;
                break;
            default:
                ((double *)column)[row] = row * 1.5 - 7;
            }
        }
    }
}

static void run(side *s, const use *u, qd_call *call, uint32_t first)
{
    if (!s->instance) {
        s->status = qd_instance_acquire(s->program, u->varying, call, &s->instance, &s->err);
        EXPECT(s->status == QD_OK, s->err.message);
        fill(s, u);
    }
    s->err = (qd_error)QD_ERROR_INIT;
    s->status = qd_instance_run_range(s->instance, first, ROWS, &s->failure, &s->err);
}

static void unload(side *s)
{
    qd_instance_release(s->instance);
    qd_wasm_program_unref(s->program);
    qd_wasm_module_unref(s->module);
}

/* ---- both ------------------------------------------------------------------------------------------------------- */

/* A NaN may be any NaN. */
static bool is_equal(const void *a, const void *b, uint32_t row, qd_wasm_valtype type)
{
    switch (type) {
    case QD_WASM_I32:
        return ((const int32_t *)a)[row] == ((const int32_t *)b)[row];
    case QD_WASM_I64:
        return ((const int64_t *)a)[row] == ((const int64_t *)b)[row];
    case QD_WASM_F32: {
        float x = ((const float *)a)[row], y = ((const float *)b)[row];
        return (isnan(x) && isnan(y)) || (x == y && signbit(x) == signbit(y));
    }
    default: {
        double x = ((const double *)a)[row], y = ((const double *)b)[row];
        return (isnan(x) && isnan(y)) || (x == y && signbit(x) == signbit(y));
    }
    }
}

/* Offsets in functions go: the code generator gives some instructions the place of those before them. */
static void cut_offsets(char *message)
{
    static const char mark[] = "offset 0x";
    for (char *at = message; (at = strstr(at, mark));) {
        at += sizeof mark - 1;
        size_t n = strspn(at, "0123456789abcdef");
        memmove(at, at + n, strlen(at + n) + 1);
    }
}

static void compare(side *joined, side *alone, uint32_t first)
{
    char both[2 * sizeof joined->err.message + 64];
    snprintf(both, sizeof both, "joined %u '%s', alone %u '%s'", joined->failure.row, joined->err.message,
             alone->failure.row, alone->err.message);
    cut_offsets(joined->err.message);
    cut_offsets(alone->err.message);
    EXPECT(joined->status == alone->status && joined->failure.is_set == alone->failure.is_set, both);
    EXPECT(!joined->failure.is_set || joined->failure.row == alone->failure.row, both);
    /* How deep a stack is depends on what was inlined. */
    EXPECT(joined->status == QD_EUDF_MEMORY || strcmp(joined->err.message, alone->err.message) == 0, both);
    const void *a = qd_instance_results(joined->instance), *b = qd_instance_results(alone->instance);
    uint32_t end = joined->failure.is_set ? joined->failure.row : ROWS;
    for (uint32_t row = first; row < end; row++)
        EXPECT(is_equal(a, b, row, qd_wasm_program_signature(joined->program)->result), "other results");
    const uint8_t *memory = qd_instance_bytes(joined->instance, 0, MEMORY_BYTES);
    EXPECT(joined->status == QD_EUDF_MEMORY ||
               memcmp(memory, qd_instance_bytes(alone->instance, 0, MEMORY_BYTES), MEMORY_BYTES) == 0,
           "other bytes in the memory");
}

/* Goes on behind a row at which both failed, in fresh instances, as queries do. */
static void run_both(side *joined, side *alone, const use *u, qd_call *call)
{
    uint32_t first = 0;
    for (int round = 0; round < 4; round++) {
        run(joined, u, call, first);
        run(alone, u, call, first);
        compare(joined, alone, first);
        first = 0;
        if (!joined->failure.is_set)
            continue;
        first = joined->failure.row + 1;
        qd_instance_release(QD_TAKE(joined->instance));
        qd_instance_release(QD_TAKE(alone->instance));
        if (first >= ROWS)
            break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    float scores[ROWS];
    side joined, alone;
    qd_buf wasm;
    if (size == 0)
        return 0;
    use u = {.by_handle = data[0] & 1, .varying = data[0] >> 1 & 15};
    const qd_doc_source docs = {NULL, resolve, column_f64, column_i64, value, id, NULL, NULL};
    qd_call call = {.docs = &docs, .scores = scores, .deadline_ns = INT64_MAX};
    for (uint32_t row = 0; row < ROWS; row++)
        scores[row] = (float)row / 4;
    if (u.by_handle)
        u.varying = 0;
    qd_buf_init(&wasm, (size_t)1 << 20);
    qd_wasm_random(data + 1, size - 1, u.by_handle, &wasm);
    load(&joined, &wasm, &u, true);
    load(&alone, &wasm, &u, false);
    run_both(&joined, &alone, &u, &call);
    unload(&joined);
    unload(&alone);
    qd_buf_deinit(&wasm);
    return 0;
}
