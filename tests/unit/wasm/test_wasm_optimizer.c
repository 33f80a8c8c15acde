/* SPDX-License-Identifier: Apache-2.0
 *
 * The optimizer when things go wrong: more modules than it takes, a compiler that fails or panics, an engine that goes
 * while it works. This program is linked with --wrap=qe_wasm_compile: what threads other than the test's compile waits
 * at a gate, and ends as the test wants. */
#include "fixture.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine.h"
#include "wasm/instance.h"
#include "wasm/module_impl.h"

int __real_qe_wasm_compile(const struct wasm_engine_t *engine, const uint8_t *bytes, size_t len, qe_code **out,
                           qe_error *err);
int __wrap_qe_wasm_compile(const struct wasm_engine_t *engine, const uint8_t *bytes, size_t len, qe_code **out,
                           qe_error *err);

/* ---- the gate ---- */

static pthread_t test_thread;
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_open;
    unsigned waiting, passed;
    int outcome; /* QE_OK: it compiles */
} gate = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static int pass_gate(void)
{
    pthread_mutex_lock(&gate.mutex);
    gate.waiting++;
    pthread_cond_broadcast(&gate.changed);
    while (!gate.is_open)
        pthread_cond_wait(&gate.changed, &gate.mutex);
    gate.waiting--;
    gate.passed++;
    int outcome = gate.outcome;
    pthread_mutex_unlock(&gate.mutex);
    return outcome;
}

static void set_gate(bool is_open, int outcome)
{
    pthread_mutex_lock(&gate.mutex);
    gate.is_open = is_open;
    gate.outcome = outcome;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.mutex);
}

static void await_waiting(unsigned n)
{
    pthread_mutex_lock(&gate.mutex);
    while (gate.waiting < n)
        pthread_cond_wait(&gate.changed, &gate.mutex);
    pthread_mutex_unlock(&gate.mutex);
}

static unsigned waiting_now(void)
{
    pthread_mutex_lock(&gate.mutex);
    unsigned n = gate.waiting;
    pthread_mutex_unlock(&gate.mutex);
    return n;
}

int __wrap_qe_wasm_compile(const struct wasm_engine_t *engine, const uint8_t *bytes, size_t len, qe_code **out,
                           qe_error *err)
{
    int outcome = pthread_equal(pthread_self(), test_thread) ? QE_OK : pass_gate();
    if (outcome == QE_OK)
        return __real_qe_wasm_compile(engine, bytes, len, out, err);
    snprintf(err->message, sizeof err->message, "the compiler gave up");
    return outcome;
}

/* ---- an engine with one thread that optimizes, and a queue of two ---- */

#define QUEUE 2
#define LOOPED                                                                                                         \
    "(module (func (export \"f\") (param i64) (result f64) (local $i i32)"                                             \
    " (loop $l (br_if $l (i32.lt_s (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 9))))"             \
    " (f64.const 45)))"

static char log_text[1024];

static void keep_line(void *arg, const char *line)
{
    (void)arg;
    snprintf(log_text, sizeof log_text, "%s", line);
}

static void new_engine(fixture *f, uint32_t stop_ms)
{
    qd_wasm_engine_options options = QD_WASM_ENGINE_OPTIONS_INIT;
    options.direct_code_bytes = 0;
    options.compile_queue = QUEUE;
    options.stop_ms = stop_ms;
    options.log = keep_line;
    qd_wasm_engine_free(f->engine);
    f->engine = NULL;
    assert_int_equal(qd_wasm_engine_new(&options, &f->engine, &f->err), QD_OK);
}

static int set_up(void **state)
{
    log_text[0] = '\0';
    gate.passed = 0;
    set_gate(false, QE_OK);
    fixture_reset(state);
    new_engine(*state, 600000);
    return 0;
}

static qd_wasm_status status_of(qd_wasm_module *m)
{
    qd_wasm_status s;
    qd_wasm_module_read_status(m, &s);
    return s;
}

static void assert_works(fixture *f)
{
    assert_int_equal(fixture_program(f, QD_SHAPE_ROW, NULL, "test@1.0.0"), QD_OK);
    assert_int_equal(qd_instance_acquire(f->program, 0, &f->call, &f->instance, &f->err), QD_OK);
    assert_int_equal(fixture_run(f, 3), QD_OK);
    assert_true(((const double *)qd_instance_results(f->instance))[2] == 45);
}

static void test_queue__full__the_next_is_optimized_before_it_is_used(void **state)
{
    fixture *f = *state;
    qd_wasm_module *waiting[1 + QUEUE];
    qd_wasm_counters c;
    for (size_t i = 0; i < 1 + QUEUE; i++) {
        assert_int_equal(fixture_compile(f, LOOPED, 0), QD_OK);
        waiting[i] = QD_TAKE(f->module);
        assert_int_equal(status_of(waiting[i]).tier, QD_TIER_BASELINE);
        assert_true(status_of(waiting[i]).is_optimizing);
        await_waiting(1); /* the first is at work, the others queue */
    }
    assert_int_equal(fixture_compile(f, LOOPED, 0), QD_OK);
    assert_int_equal(status_of(f->module).tier, QD_TIER_OPTIMIZED);
    assert_false(status_of(f->module).is_optimizing);
    assert_works(f);
    qd_wasm_engine_read_counters(f->engine, &c);
    assert_int_equal(c.queued, 1 + QUEUE);
    assert_int_equal(c.compiled[QD_TIER_BASELINE], 1 + QUEUE); /* the last was compiled once */
    assert_int_equal(c.tier_transitions, 0);

    qd_wasm_module_unref(waiting[1]); /* leaves the queue, so there is room */
    assert_true(qd_optimizer_has_room(f->engine->optimizer));
    set_gate(true, QE_OK);
    qd_wasm_engine_drain(f->engine);
    assert_int_equal(status_of(waiting[0]).tier, QD_TIER_OPTIMIZED);
    assert_int_equal(status_of(waiting[2]).tier, QD_TIER_OPTIMIZED);
    assert_int_equal(gate.passed, 2);
    assert_string_equal(log_text, "");
    qd_wasm_module_unref(waiting[0]);
    qd_wasm_module_unref(waiting[2]);
}

/* It serves on with what it has, says why once, and whatever comes after it is optimized. */
static void fail_in_background(fixture *f, int outcome)
{
    char expected[300];
    qd_wasm_counters c;
    assert_int_equal(fixture_compile(f, LOOPED, 0), QD_OK);
    set_gate(true, outcome);
    qd_wasm_engine_drain(f->engine);
    assert_int_equal(status_of(f->module).tier, QD_TIER_BASELINE);
    assert_false(status_of(f->module).is_optimizing);
    assert_works(f);
    snprintf(expected, sizeof expected,
             "warning: the module with the hash %s was not optimized and goes on as it is: the module does not "
             "compile: the compiler gave up",
             f->module->hash);
    assert_string_equal(log_text, expected);
    qd_wasm_engine_read_counters(f->engine, &c);
    assert_int_equal(c.compiled[QD_TIER_OPTIMIZED], 0);

    qd_wasm_module *failed = QD_TAKE(f->module);
    set_gate(true, QE_OK);
    assert_int_equal(fixture_compile(f, LOOPED, 0), QD_OK);
    qd_wasm_engine_drain(f->engine);
    assert_int_equal(status_of(f->module).tier, QD_TIER_OPTIMIZED);
    qd_wasm_module_unref(failed);
}

static void test_compiler__fails_in_the_background__the_module_goes_on(void **state)
{
    fail_in_background(*state, QE_EINVAL);
}

static void test_compiler__panics_in_the_background__the_module_goes_on(void **state)
{
    fail_in_background(*state, QE_EPANIC);
}

static void test_module__gone_while_its_code_fails__nobody_is_told(void **state)
{
    fixture *f = *state;
    assert_int_equal(fixture_compile(f, LOOPED, 0), QD_OK);
    await_waiting(1);
    fixture_reset(state);
    set_gate(true, QE_EINVAL);
    qd_wasm_engine_drain(f->engine);
    assert_string_equal(log_text, "");
}

static void *open_soon(void *arg)
{
    (void)arg;
    set_gate(true, QE_OK);
    return NULL;
}

static void test_engine__freed_while_a_module_is_compiled__waits_for_it_and_leaves_the_queue(void **state)
{
    fixture *f = *state;
    pthread_t opener;
    qd_wasm_module *queued;
    assert_int_equal(fixture_compile(f, LOOPED, 0), QD_OK);
    await_waiting(1);
    queued = QD_TAKE(f->module);
    assert_int_equal(fixture_compile(f, LOOPED, 0), QD_OK);
    qd_wasm_module_unref(queued);
    fixture_reset(state);
    assert_int_equal(pthread_create(&opener, NULL, open_soon, NULL), 0);
    qd_wasm_engine_free(f->engine);
    f->engine = NULL;
    pthread_join(opener, NULL);
    assert_int_equal(waiting_now(), 0);
    assert_int_equal(gate.passed, 1);
}

static bool has_thread(const char *wanted)
{
    char path[300], name[32];
    bool is_there = false;
    DIR *dir = opendir("/proc/self/task");
    assert_non_null(dir);
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", e->d_name);
        FILE *in = fopen(path, "r");
        is_there |= in && fgets(name, sizeof name, in) && strcmp(name, wanted) == 0;
        if (in)
            fclose(in);
    }
    closedir(dir);
    return is_there;
}

/* The gate stays closed until the engine is gone for the caller: a wait for it would not end. */
static void test_engine__freed_while_a_compilation_takes_long__does_not_wait(void **state)
{
    fixture *f = *state;
    new_engine(f, 1);
    assert_int_equal(fixture_compile(f, LOOPED, 0), QD_OK);
    await_waiting(1);
    fixture_reset(state);
    qd_wasm_engine_free(f->engine);
    f->engine = NULL;
    assert_int_equal(waiting_now(), 1);
    set_gate(true, QE_OK); /* its thread frees what is left and ends; the address sanitizer looks at how */
    while (has_thread("qd-optimize\n"))
        usleep(1000);
}

static int group_set_up(void **state)
{
    test_thread = pthread_self();
    set_gate(true, QE_OK);
    return fixture_setup(state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(test_queue__full__the_next_is_optimized_before_it_is_used),
        TEST(test_compiler__fails_in_the_background__the_module_goes_on),
        TEST(test_compiler__panics_in_the_background__the_module_goes_on),
        TEST(test_module__gone_while_its_code_fails__nobody_is_told),
        TEST(test_engine__freed_while_a_module_is_compiled__waits_for_it_and_leaves_the_queue),
        TEST(test_engine__freed_while_a_compilation_takes_long__does_not_wait),
    };
    return cmocka_run_group_tests(tests, group_set_up, fixture_teardown);
}
