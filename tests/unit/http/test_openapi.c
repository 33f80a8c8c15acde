/* SPDX-License-Identifier: Apache-2.0 */
#include "http/openapi.h"

#include "cmocka_qd.h"
#include "http/server_impl.h"

static json_t *description;

static int set_up(void **state)
{
    (void)state;
    qd_buf out;
    qd_json w;
    qd_error err = QD_ERROR_INIT;
    qd_buf_init(&out, 16u << 20);
    qd_json_init(&w, &out, false);
    qd_openapi_write_all(&w);
    qd_status status = out.failed ? QD_ENOMEM : qd_json_parse(qd_buf_str(&out), &description, &err);
    qd_buf_deinit(&out);
    return status == QD_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    json_decref(description);
    return 0;
}

static const json_t *at(const json_t *v, const char *key)
{
    const json_t *found = json_object_get(v, key);
    if (!found)
        fail_msg("no member '%s'", key);
    return found;
}

static void test_every_parameter__has_a_meaning(void **state)
{
    (void)state;
    for (size_t i = 0; i < QD_ROUTES_COUNT; i++) {
        const qd_route *route = &QD_ROUTES[i];
        for (const char *p = route->params; *p; p += strspn(p, " ")) {
            size_t n = strcspn(p, " ");
            if (!qd_openapi_find_param(route, (qd_str){p, n}, false))
                fail_msg("%s: parameter '%.*s' is in no table of openapi_params.c", route->path, (int)n, p);
            p += n;
        }
        for (const char *p = strchr(route->path, '{'); p; p = strchr(p, '{')) {
            size_t n = strcspn(++p, "}");
            if (!qd_openapi_find_param(route, (qd_str){p, n}, true))
                fail_msg("%s: '%.*s' is in no table of openapi_params.c", route->path, (int)n, p);
        }
    }
}

static void test_every_route__has_an_operation_of_its_own(void **state)
{
    (void)state;
    static const char *const METHODS[] = {"get", "head", "post", "put", "delete"};
    const json_t *paths = at(description, "paths");
    json_t *seen = json_object();
    for (size_t i = 0; i < QD_ROUTES_COUNT; i++) {
        for (size_t m = 0; m < 5; m++) {
            if (!(QD_ROUTES[i].methods & (1u << m)))
                continue;
            const json_t *operation = at(at(paths, QD_ROUTES[i].path), METHODS[m]);
            const char *id = json_string_value(at(operation, "operationId"));
            if (json_object_get(seen, id))
                fail_msg("two operations '%s'", id);
            json_object_set_new(seen, id, json_true());
            at(at(operation, "responses"), "200");
            assert_true(strlen(json_string_value(at(operation, "summary"))) > 0);
        }
    }
    json_decref(seen);
}

static void check_refs(const json_t *v, json_t *used)
{
    const char *key;
    json_t *member;
    size_t i;
    static const char SCHEMAS[] = "#/components/schemas/";
    const char *ref = json_string_value(json_object_get(v, "$ref"));
    if (ref && strncmp(ref, SCHEMAS, sizeof SCHEMAS - 1) == 0) {
        at(at(at(description, "components"), "schemas"), ref + sizeof SCHEMAS - 1);
        json_object_set_new(used, ref + sizeof SCHEMAS - 1, json_true());
    }
    json_object_foreach ((json_t *)v, key, member)
        check_refs(member, used);
    json_array_foreach (v, i, member)
        check_refs(member, used);
}

static void test_every_schema__is_there_and_used(void **state)
{
    (void)state;
    const char *name;
    json_t *schema, *used = json_object();
    check_refs(description, used);
    json_object_foreach ((json_t *)at(at(description, "components"), "schemas"), name, schema) {
        if (!json_object_get(used, name))
            fail_msg("schema '%s' is used by nothing", name);
    }
    json_decref(used);
}

static void test_limited_route__tells_its_headers_and_refusal(void **state)
{
    (void)state;
    const json_t *register_it = at(at(at(description, "paths"), "/api/v1/udfs"), "post"),
                 *list = at(at(at(description, "paths"), "/api/v1/udfs"), "get");
    const json_t *refused = at(at(register_it, "responses"), "429");
    at(at(refused, "headers"), "Retry-After");
    at(at(refused, "headers"), "X-RateLimit-Limit");
    at(at(at(at(register_it, "responses"), "201"), "headers"), "X-RateLimit-Reset");
    assert_null(json_object_get(at(at(list, "responses"), "200"), "headers"));
    at(at(at(register_it, "requestBody"), "content"), "multipart/form-data");
    at(at(register_it, "responses"), "409");
    assert_null(json_object_get(at(list, "responses"), "409"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_parameter__has_a_meaning),
        cmocka_unit_test(test_every_route__has_an_operation_of_its_own),
        cmocka_unit_test(test_every_schema__is_there_and_used),
        cmocka_unit_test(test_limited_route__tells_its_headers_and_refusal),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
