/* SPDX-License-Identifier: Apache-2.0 */
#include "../cmocka_qd.h"

#include "node/settings.h"

static void assert_read(const char *body, int64_t interval_ms, const char *written)
{
    json_t *json = json_loads(body, 0, NULL);
    qd_settings s;
    qd_error err = QD_ERROR_INIT;
    qd_buf buf;
    qd_json w;
    assert_status_ok(qd_settings_read(json, 1000, &s, &err), &err);
    assert_int_equal(s.refresh_interval_ms, interval_ms);
    qd_buf_init(&buf, 1 << 16);
    qd_json_init(&w, &buf, false);
    qd_json_begin_object(&w);
    qd_settings_write(&s, &w);
    qd_json_end_object(&w);
    assert_str_equal(qd_buf_str(&buf), written);
    qd_buf_deinit(&buf);
    qd_settings_deinit(&s);
    json_decref(json);
}

static void test_read__each_form_of_a_name__means_the_same(void **state)
{
    (void)state;
    const char *shown = "{\"number_of_shards\":\"1\",\"number_of_replicas\":\"0\",\"refresh_interval\":\"5s\"}";
    assert_read("{\"refresh_interval\":\"5s\"}", 5000, shown);
    assert_read("{\"index.refresh_interval\":\"5s\"}", 5000, shown);
    assert_read("{\"index\":{\"refresh_interval\":\"5s\"}}", 5000, shown);
    assert_read("{\"index\":{\"index.refresh_interval\":\"5s\"}}", 5000, shown);
    assert_read("{}", 1000, "{\"number_of_shards\":\"1\",\"number_of_replicas\":\"0\"}");
    assert_read("{\"number_of_shards\":3,\"refresh_interval\":-1,\"queries.cache.enabled\":false,\"mapping\":{\"total_"
                "fields\":{\"limit\":\"2000\"}}}",
                -1,
                "{\"number_of_shards\":\"3\",\"number_of_replicas\":\"0\",\"refresh_interval\":\"-1\",\"mapping\":{"
                "\"total_fields\":{\"limit\":\"2000\"}},"
                "\"queries\":{\"cache\":{\"enabled\":\"false\"}}}");
}

static void test_read__bad_settings__are_refused_by_name(void **state)
{
    (void)state;
    static const struct { const char *body, *message;
    } CASES[] = {
        {"{\"foo\":1}",
         "unknown setting [index.foo] please check that it is one of those that the documentation lists"},
        {"{\"analysis\":{\"analyzer\":{}},\"index.codec\":\"best\"}",
         "unknown setting [index.codec] please check that it is one of those that the documentation lists"},
        {"{\"number_of_shards\":0}",
         "Failed to parse value [0] for setting [index.number_of_shards] must be between 1 and 1024"},
        {"{\"refresh_interval\":\"soon\"}", "Failed to parse value [soon] for setting [index.refresh_interval]: "
                                            "expected a time such as 1s or 500ms, or -1"},
        {"{\"number_of_replicas\":[1]}",
         "Failed to parse value [] for setting [index.number_of_replicas]: expected a whole number"},
        {"[]", "settings: expected an object, got an array"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        json_t *json = json_loads(CASES[i].body, 0, NULL);
        qd_settings s;
        qd_error err = QD_ERROR_INIT;
        assert_failed_with(qd_settings_read(json, 1000, &s, &err), &err, QD_EINVAL, CASES[i].message);
        json_decref(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read__each_form_of_a_name__means_the_same),
        cmocka_unit_test(test_read__bad_settings__are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
