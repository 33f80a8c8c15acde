/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <unistd.h>

#include "cmocka_qd.h"

static qd_config config;
static char path[] = "/tmp/qd-config-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return qd_config_init(&config, NULL) == QD_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    qd_config_deinit(&config);
    return 0;
}

static void write_file(const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

#define LOAD(environment, ...) load((char *[]){"quidditchd", __VA_ARGS__, NULL}, (char *[]){environment, NULL})
static qd_error load_err;
static qd_config_action action;

static qd_status load(char **arguments, char **environment)
{
    int n = 0;
    while (arguments[n])
        n++;
    return qd_config_load(&config, n, arguments, environment, &action, &load_err);
}

static void test_defaults(void **state)
{
    (void)state;
    assert_string_equal(config.http_host, "127.0.0.1");
    assert_int_equal(config.http_port, 9200);
    assert_int_equal(config.http_max_body_bytes, 100 << 20);
    assert_int_equal(config.log_level, QD_LOG_INFO);
}

static void test_precedence__flags_environment_file_default(void **state)
{
    (void)state;
    write_file("http:\n  port: 1\n  threads: 3\n  host: 127.0.0.2\nsearch.queue: 7\n");
    assert_status_ok(LOAD("QUIDDITCH_HTTP_THREADS=5", "--config", path, "--set", "http.host=127.0.0.3", "--port=0",
                          "--data", "/tmp/x"),
                     &load_err);
    assert_int_equal(action, QD_CONFIG_RUN);
    assert_int_equal(config.http_port, 0);
    assert_int_equal(config.http_threads, 5);
    assert_string_equal(config.http_host, "127.0.0.3");
    assert_int_equal(config.search_queue, 7);
    assert_string_equal(config.data_dir, "/tmp/x");
}

static void test_set__units_and_limits(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_config_set(&config, "http.max_body_bytes", "2mb", "t", &err), &err);
    assert_int_equal(config.http_max_body_bytes, 2 << 20);
    assert_status_ok(qd_config_set(&config, "http.max_body_bytes", "4096", "t", &err), &err);
    assert_int_equal(config.http_max_body_bytes, 4096);
    assert_status_ok(qd_config_set(&config, "index.refresh_interval_ms", "-1", "t", &err), &err);
    assert_int_equal(config.refresh_interval_ms, -1);
    assert_failed_with(qd_config_set(&config, "http.port", "65536", "--port", &err), &err, QD_EINVAL,
                       "--port: http.port: expected 0 to 65535 (port number), got 65536");
    assert_failed_with(qd_config_set(&config, "http.port", "http", "--port", &err), &err, QD_EINVAL,
                       "--port: http.port: expected a number (port number), got 'http'");
    assert_failed_with(qd_config_set(&config, "udf.memory_bytes", "1tb", "t", &err), &err, QD_EINVAL,
                       "t: udf.memory_bytes: expected a number (bytes, or with kb, mb or gb), got '1tb'");
    assert_failed_with(qd_config_set(&config, "log.level", "loud", "t", &err), &err, QD_EINVAL,
                       "t: log.level: expected error, warn, info or debug, got 'loud'");
    assert_failed_with(qd_config_set(&config, "data.dir", "", "--data", &err), &err, QD_EINVAL,
                       "--data: data.dir: expected a text, got an empty one");
    assert_failed_with(qd_config_set(&config, "http.prt", "1", "--set", &err), &err, QD_EINVAL,
                       "--set: unknown key 'http.prt'; `quidditchd --help-config` lists the keys");
    assert_int_equal(config.http_port, 9200);
}

static void test_flags__bad__refused(void **state)
{
    (void)state;
    assert_failed_with(LOAD(NULL, "--prot", "1"), &load_err, QD_EINVAL,
                       "unknown argument '--prot'; `quidditchd --help` lists the flags");
    assert_failed_with(LOAD(NULL, "--port"), &load_err, QD_EINVAL, "--port: expected a value after it");
    assert_failed_with(LOAD(NULL, "--set", "x"), &load_err, QD_EINVAL, "--set: expected KEY=VALUE, got 'x'");
    assert_failed_with(LOAD(NULL, "--config", "/nowhere/at/all"), &load_err, QD_EIO,
                       "/nowhere/at/all: cannot be opened: No such file or directory");
    assert_status_ok(LOAD("QUIDDITCH_SERVICE_HOST=10.0.0.1", "--port", "0"), &load_err);
    assert_failed_with(LOAD("QUIDDITCH_HTTP_PROT=1", "--port", "0"), &load_err, QD_EINVAL,
                       "environment: QUIDDITCH_HTTP_PROT is no key; `quidditchd --help-config` lists the keys");
}

static void test_flags__actions__nothing_else_is_read(void **state)
{
    (void)state;
    assert_status_ok(LOAD("QUIDDITCH_NO_KEY=1", "--config", "/nowhere", "--version"), &load_err);
    assert_int_equal(action, QD_CONFIG_VERSION);
    assert_status_ok(LOAD(NULL, "--help-config"), &load_err);
    assert_int_equal(action, QD_CONFIG_LIST);
}

static void test_yaml__bad__refused_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        qd_status status;
        uint32_t line;
        const char *message;
    } CASES[] = {
        {"http:\n  prot: 1\n", QD_EINVAL, 2,
         "line 2: unknown key 'http.prot'; `quidditchd --help-config` lists the keys"},
        {"http.port: x\n", QD_EINVAL, 1, "line 1: http.port: expected a number (port number), got 'x'"},
        {"http:\n- 1\n", QD_EPARSE, 2, "line 2: a list does not belong here: every key has one value"},
        {"just text\n", QD_EPARSE, 1, "line 1: expected a mapping of keys to values"},
        {"a: &x 1\nb: *x\n", QD_EINVAL, 1, "line 1: unknown key 'a'; `quidditchd --help-config` lists the keys"},
        {"http: {port: 1\n", QD_EPARSE, 2, "line 2: did not find expected ',' or '}'"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char expected[256];
        qd_error err = QD_ERROR_INIT;
        write_file(CASES[i].text);
        snprintf(expected, sizeof expected, "%s, %s", path, CASES[i].message);
        assert_failed_with(qd_config_read_yaml(&config, path, &err), &err, CASES[i].status, expected);
        assert_int_equal(err.line, CASES[i].line);
    }
}

static void test_yaml__empty_and_nested(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    write_file("# nothing\n");
    assert_status_ok(qd_config_read_yaml(&config, path, &err), &err);
    write_file("http: {port: 77, max_body_bytes: 3mb}\nlog: {level: warn}\nhttp.host: ::1\n");
    assert_status_ok(qd_config_read_yaml(&config, path, &err), &err);
    assert_int_equal(config.http_port, 77);
    assert_int_equal(config.http_max_body_bytes, 3 << 20);
    assert_int_equal(config.log_level, QD_LOG_WARN);
    assert_string_equal(config.http_host, "::1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defaults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_precedence__flags_environment_file_default, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_set__units_and_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flags__bad__refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flags__actions__nothing_else_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_yaml__bad__refused_with_its_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_yaml__empty_and_nested, set_up, tear_down),
    };
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
