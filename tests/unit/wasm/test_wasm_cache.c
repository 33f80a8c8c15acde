/* SPDX-License-Identifier: Apache-2.0
 *
 * The native cache: what is kept, what is refused, what goes. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "wasm/cache.h"
#include "wasm/program.h"

static char directory[64], logged[512];

static int setup(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/qd-cache-XXXXXX");
    logged[0] = '\0';
    return mkdtemp(directory) ? 0 : -1;
}

static char *path_of(const char *name)
{
    static char path[1200];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static int teardown(void **state)
{
    struct dirent *e;
    DIR *d = opendir(directory);
    (void)state;
    while (d && (e = readdir(d)))
        if (remove(path_of(e->d_name)) != 0 && e->d_name[0] != '.')
            rmdir(path_of(e->d_name));
    closedir(d);
    return rmdir(directory);
}

static void keep_line(void *arg, const char *line)
{
    (void)arg;
    snprintf(logged, sizeof logged, "%s", line);
}

static qd_native_cache *open_cache(uint64_t max_bytes)
{
    qd_native_cache *c = NULL;
    qd_error err = QD_ERROR_INIT;
    if (qd_native_cache_open(directory, max_bytes, &c, &err))
        fail_msg("%s", err.message);
    return c;
}

/* A key of 64 times the same digit. */
static const char *key(char digit)
{
    static char keys[16][QD_CACHE_KEY_SIZE];
    char *k = keys[digit <= '9' ? digit - '0' : digit - 'a' + 10];
    memset(k, digit, QD_CACHE_KEY_SIZE - 1);
    return k;
}

static bool has(qd_native_cache *c, char digit, const char *text)
{
    uint8_t *bytes = NULL;
    qd_str code;
    if (!qd_native_cache_get(c, key(digit), &bytes, &code))
        return false;
    assert_int_equal(code.n, strlen(text));
    assert_memory_equal(code.p, text, code.n);
    free(bytes);
    return true;
}

static void put(qd_native_cache *c, char digit, const char *text)
{
    qd_native_cache_put(c, key(digit), qd_str_of(text));
}

static qd_cache_counters counters(qd_native_cache *c)
{
    qd_cache_counters k;
    qd_native_cache_read_counters(c, &k);
    return k;
}

/* ---- entries ----------------------------------------------------------------------------------------------------- */

static void test_cache__kept__over_a_reopening(void **state)
{
    (void)state;
    struct stat st;
    qd_native_cache *c = open_cache(1 << 20);
    assert_false(has(c, '1', ""));
    put(c, '1', "first code");
    put(c, '2', "");
    assert_true(has(c, '1', "first code"));
    put(c, '1', "other code");
    assert_true(has(c, '1', "other code"));
    assert_true(has(c, '2', ""));
    assert_true(counters(c).hits == 3 && counters(c).misses == 1 && counters(c).rejected == 0);
    assert_int_equal(counters(c).entries, 2);
    assert_int_equal(counters(c).bytes, 2 * QD_CACHE_HEADER_BYTES + strlen("other code"));
    qd_native_cache_close(c);
    assert_int_equal(stat(path_of(key('1')), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(path_of("node.key"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);

    c = open_cache(1 << 20);
    qd_native_cache_scan(c);
    assert_int_equal(counters(c).entries, 2);
    assert_int_equal(counters(c).bytes, 2 * QD_CACHE_HEADER_BYTES + strlen("other code"));
    assert_true(has(c, '1', "other code"));
    qd_native_cache_close(c);
}

static void change_byte(const char *name, size_t at)
{
    FILE *f = fopen(path_of(name), "r+b");
    assert_non_null(f);
    fseek(f, (long)at, SEEK_SET);
    int byte = fgetc(f);
    assert_true(byte != EOF);
    fseek(f, (long)at, SEEK_SET);
    fputc(byte ^ 1, f);
    fclose(f);
}

static void test_cache__any_changed_byte__is_rejected_and_replaced(void **state)
{
    (void)state;
    const char *code = "code that must not run when it is not what was written";
    qd_native_cache *c = open_cache(1 << 20);
    size_t n = QD_CACHE_HEADER_BYTES + strlen(code);
    for (size_t at = 0; at < n; at++) {
        put(c, 'a', code);
        assert_true(has(c, 'a', code));
        change_byte(key('a'), at);
        assert_false(has(c, 'a', code));
        assert_int_not_equal(access(path_of(key('a')), F_OK), 0);
        assert_int_equal(counters(c).rejected, at + 1);
        assert_int_equal(counters(c).entries, 0);
        assert_int_equal(counters(c).bytes, 0);
    }
    for (size_t cut = 0; cut < n; cut++) {
        put(c, 'a', code);
        assert_int_equal(truncate(path_of(key('a')), (off_t)cut), 0);
        assert_false(has(c, 'a', code));
    }
    put(c, 'a', code);
    assert_int_equal(truncate(path_of(key('a')), (off_t)n + 1), 0);
    assert_false(has(c, 'a', code));
    qd_native_cache_close(c);
}

static void test_cache__anothers_entry__is_rejected(void **state)
{
    (void)state;
    char from[1200];
    qd_native_cache *c = open_cache(1 << 20);
    put(c, '1', "code of one");
    snprintf(from, sizeof from, "%s", path_of(key('1')));
    assert_int_equal(link(from, path_of(key('2'))), 0); /* authentic, but for another key */
    assert_false(has(c, '2', ""));
    assert_true(has(c, '1', "code of one"));
    qd_native_cache_close(c);

    assert_int_equal(remove(path_of("node.key")), 0);
    c = open_cache(1 << 20); /* another node's now */
    assert_false(has(c, '1', ""));
    assert_int_equal(counters(c).rejected, 1);
    put(c, '1', "own code");
    qd_native_cache_close(c);

    assert_int_equal(chmod(path_of("node.key"), 0640), 0); /* others may know it: not used any more */
    c = open_cache(1 << 20);
    assert_false(has(c, '1', ""));
    qd_native_cache_close(c);
}

static void test_cache__no_regular_files__are_not_followed(void **state)
{
    (void)state;
    char target[1200];
    qd_native_cache *c = open_cache(1 << 20);
    put(c, '1', "code");
    snprintf(target, sizeof target, "%s", path_of(key('1')));
    assert_int_equal(symlink(target, path_of(key('2'))), 0);
    assert_int_equal(mkdir(path_of(key('3')), 0700), 0);
    assert_int_equal(mkfifo(path_of(key('4')), 0600), 0); /* must not wait for a writer */
    assert_false(has(c, '2', ""));
    assert_false(has(c, '3', ""));
    assert_false(has(c, '4', ""));
    assert_true(has(c, '1', "code"));
    qd_native_cache_close(c);
}

/* ---- the directory ----------------------------------------------------------------------------------------------- */

static void test_cache__directory_of_others__is_refused(void **state)
{
    (void)state;
    qd_native_cache *c = NULL;
    qd_error err;
    char expected[300];
    static const mode_t modes[] = {0770, 0707, 0777};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(chmod(directory, modes[i]), 0);
        assert_int_equal(qd_native_cache_open(directory, 1 << 20, &c, &err), QD_EIO);
        snprintf(expected, sizeof expected,
                 "native cache: '%s' is not used, because others may write there: native code there could be "
                 "anybody's; make it this user's with mode 0700",
                 directory);
        assert_string_equal(err.message, expected);
    }
    assert_int_equal(chmod(directory, 0700), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(directory, 12345, 12345), 0);
        assert_int_equal(qd_native_cache_open(directory, 1 << 20, &c, &err), QD_EIO);
        assert_non_null(strstr(err.message, "because it belongs to another user"));
        assert_int_equal(chown(directory, 0, 0), 0);
    }
    assert_int_equal(qd_native_cache_open(path_of("a/b"), 1 << 20, &c, &err), QD_EIO);
    assert_non_null(strstr(err.message, "cannot be made"));
    assert_null(c);
}

/* ---- eviction ---------------------------------------------------------------------------------------------------- */

#define TEXT_100 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
#define ENTRY_BYTES (QD_CACHE_HEADER_BYTES + 100)

static void test_cache__full__longest_unused_goes(void **state)
{
    (void)state;
    qd_native_cache *c = open_cache(4 * ENTRY_BYTES);
    for (char digit = '1'; digit <= '4'; digit++)
        put(c, digit, TEXT_100);
    assert_int_equal(counters(c).evictions, 0);
    assert_true(has(c, '1', TEXT_100));
    put(c, '5', TEXT_100);
    assert_int_equal(counters(c).evictions, 1);
    assert_int_equal(counters(c).entries, 4);
    assert_int_equal(counters(c).bytes, 4 * ENTRY_BYTES);
    assert_false(has(c, '2', TEXT_100));
    assert_true(has(c, '1', TEXT_100));
    put(c, '6', TEXT_100 TEXT_100); /* more than a fourth of all: not kept */
    assert_false(has(c, '6', ""));
    assert_int_equal(counters(c).evictions, 1);
    qd_native_cache_close(c);
}

static void set_used(char digit, time_t s)
{
    const struct timespec times[2] = {{s, 0}, {s, 0}};
    assert_int_equal(utimensat(AT_FDCWD, path_of(key(digit)), times, 0), 0);
}

static void test_cache__reopened__knows_the_order_of_use(void **state)
{
    (void)state;
    qd_native_cache *c = open_cache(4 * ENTRY_BYTES);
    for (char digit = '1'; digit <= '4'; digit++)
        put(c, digit, TEXT_100);
    qd_native_cache_close(c);
    set_used('1', 300);
    set_used('2', 100);
    set_used('3', 400);
    set_used('4', 200);
    assert_int_equal(close(open(path_of("new-1-1"), O_CREAT | O_WRONLY, 0600)), 0); /* of an interrupted writer */
    c = open_cache(4 * ENTRY_BYTES);
    put(c, '5', TEXT_100);
    assert_int_not_equal(access(path_of("new-1-1"), F_OK), 0);
    assert_false(has(c, '2', ""));
    put(c, '6', TEXT_100);
    assert_false(has(c, '4', ""));
    assert_true(has(c, '3', TEXT_100));
    qd_native_cache_close(c);

    set_used('5', 500);
    set_used('6', 600);
    c = open_cache(2 * ENTRY_BYTES); /* a smaller limit; nothing is written that would have the directory read */
    assert_int_equal(counters(c).entries, 2);
    assert_int_equal(counters(c).bytes, 2 * ENTRY_BYTES);
    assert_true(has(c, '3', TEXT_100) && has(c, '6', TEXT_100));
    qd_native_cache_close(c);
}

static void *use_cache(void *arg)
{
    qd_native_cache *c = arg;
    for (int i = 0; i < 200; i++) {
        char digit = (char)('0' + i % 8);
        put(c, digit, TEXT_100);
        has(c, digit, TEXT_100);
    }
    return NULL;
}

static void test_cache__many_threads__stays_bounded_and_right(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    qd_native_cache *c = open_cache(4 * ENTRY_BYTES);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_cache, c), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(counters(c).rejected, 0);
    assert_true(counters(c).bytes <= 4 * ENTRY_BYTES);
    qd_native_cache_close(c);
}

/* ---- in an engine ------------------------------------------------------------------------------------------------ */

#define LOOPED                                                                                                         \
    "(module (func (export \"f\") (param f64) (result f64) (loop) (f64.add (local.get 0) (f64.const 1))))"
#define BOUNDED "(module (func (export \"f\") (param f64) (result f64) (f64.add (local.get 0) (f64.const 1))))"

typedef struct used {
    qd_wasm_status status;
    qd_wasm_counters counters;
} used;

/* A node's life: starts, loads the function, calls it, ends. */
static used live(const char *wat)
{
    qd_wasm_engine_options options = QD_WASM_ENGINE_OPTIONS_INIT;
    const qd_wasm_module_options no_options = {0};
    const qd_wasm_program_spec spec = {.export_name = QD_STR("f"), .shape = QD_SHAPE_TYPED, .name = "test@1.0.0"};
    qd_wasm_engine *e = NULL;
    qd_wasm_module *m = NULL;
    qd_wasm_program *p = NULL;
    qd_instance *i = NULL;
    qd_error err = QD_ERROR_INIT;
    qd_call call = {.deadline_ns = INT64_MAX};
    uint8_t *bytes = NULL;
    size_t n = 0;
    used u;
    options.cache_dir = directory;
    options.log = keep_line;
    assert_int_equal(qd_wasm_engine_new(&options, &e, &err), QD_OK);
    assert_int_equal(qd_wasm_from_wat(qd_str_of(wat), &bytes, &n, &err), QD_OK);
    assert_int_equal(qd_wasm_module_new(e, bytes, n, &no_options, &m, &err), QD_OK);
    assert_int_equal(qd_wasm_program_new(m, &spec, &p, &err), QD_OK);
    assert_int_equal(qd_instance_acquire(p, 1, &call, &i, &err), QD_OK);
    *(double *)qd_instance_column(i, 0) = 41;
    assert_int_equal(qd_instance_run(i, 1, NULL, &err), QD_OK);
    assert_true(*(const double *)qd_instance_results(i) == 42);
    qd_instance_release(i);
    qd_wasm_engine_drain(e);
    qd_wasm_module_read_status(m, &u.status);
    qd_wasm_engine_read_counters(e, &u.counters);
    qd_wasm_program_unref(p);
    qd_wasm_module_unref(m);
    qd_wasm_engine_free(e);
    free(bytes);
    return u;
}

static void test_engine__second_start__compiles_nothing(void **state)
{
    (void)state;
    static const char *const wats[] = {LOOPED, BOUNDED};
    for (size_t i = 0; i < 2; i++) {
        used first = live(wats[i]), second = live(wats[i]);
        assert_int_equal(first.status.source, QD_SOURCE_COMPILED);
        assert_int_equal(first.counters.cache_misses, 2); /* the function and its driver */
        assert_int_equal(second.status.source, QD_SOURCE_CACHE);
        assert_int_equal(second.status.tier, QD_TIER_OPTIMIZED);
        assert_int_equal(second.status.has_epoch_checks, i == 0);
        assert_int_equal(second.counters.cache_hits, 2);
        assert_int_equal(second.counters.cache_misses, 0);
        assert_int_equal(second.counters.compiled[QD_TIER_OPTIMIZED], 0);
        assert_string_equal(qd_wasm_source_name(second.status.source), "cache");
    }
    assert_string_equal(logged, "");
}

static void test_engine__corrupt_entries__are_compiled_again(void **state)
{
    (void)state;
    struct dirent *e;
    live(LOOPED);
    DIR *d = opendir(directory);
    while ((e = readdir(d)))
        if (strlen(e->d_name) == QD_CACHE_KEY_SIZE - 1)
            change_byte(e->d_name, 3000);
    closedir(d);
    used u = live(LOOPED);
    assert_int_equal(u.status.source, QD_SOURCE_COMPILED);
    assert_int_equal(u.counters.cache_rejected, 2);
    assert_int_equal(u.counters.compiled[QD_TIER_OPTIMIZED], 1);
    assert_int_equal(live(LOOPED).status.source, QD_SOURCE_CACHE);
}

static void test_engine__unfit_directory__goes_on_without_and_says_so(void **state)
{
    (void)state;
    assert_int_equal(chmod(directory, 0777), 0);
    used u = live(LOOPED);
    assert_int_equal(u.status.source, QD_SOURCE_COMPILED);
    assert_int_equal(u.counters.cache_misses, 0);
    assert_non_null(strstr(logged, "is not used, because others may write there"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_cache__kept__over_a_reopening),
        TEST(test_cache__any_changed_byte__is_rejected_and_replaced),
        TEST(test_cache__anothers_entry__is_rejected),
        TEST(test_cache__no_regular_files__are_not_followed),
        TEST(test_cache__directory_of_others__is_refused),
        TEST(test_cache__full__longest_unused_goes),
        TEST(test_cache__reopened__knows_the_order_of_use),
        TEST(test_cache__many_threads__stays_bounded_and_right),
        TEST(test_engine__second_start__compiles_nothing),
        TEST(test_engine__corrupt_entries__are_compiled_again),
        TEST(test_engine__unfit_directory__goes_on_without_and_says_so),
    };
    return cmocka_run_group_tests_name("wasm_cache", tests, NULL, NULL);
}
