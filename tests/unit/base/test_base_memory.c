/* SPDX-License-Identifier: Apache-2.0
 *
 * What the other rooms are built of, out of memory. */
#include <stdio.h>
#include <stdlib.h>

#include "../failing_alloc.h"
#include "base/arena.h"
#include "base/histogram.h"
#include "base/json.h"
#include "base/map.h"
#include "base/pool.h"

#define KEYS 100

static qd_map *map;

static void begin_map(void)
{
    map = qd_map_new();
    assert_non_null(map);
}

static qd_str key_of(size_t i, char text[16])
{
    return (qd_str){text, (size_t)snprintf(text, 16, "key %zu", i)};
}

static qd_status fill_map(qd_error *err)
{
    char text[16];
    for (size_t i = 0; i < KEYS; i++)
        if (!qd_map_put(map, key_of(i, text), map, NULL))
            return qd_fail_nomem(err);
    return QD_OK;
}

/* What was put is there, and nothing else. */
static void end_map(qd_status st)
{
    char text[16];
    size_t n = qd_map_count(map);
    assert_true(st == QD_OK ? n == KEYS : n < KEYS);
    for (size_t i = 0; i < KEYS; i++)
        assert_true((qd_map_get(map, key_of(i, text)) != NULL) == (i < n));
    qd_map_free(map, NULL);
}

static const char TEXT[] =
    "{\"a\":[1,2.5,true,null,{\"b\":\"a string that is longer than a buffer begins\"}],\"c\":{}}";

static qd_status write_json(qd_error *err)
{
    json_t *v = NULL;
    qd_status st = qd_json_parse(qd_str_of(TEXT), &v, err);
    if (st != QD_OK)
        return st;
    char *text = qd_json_text(v, true);
    json_decref(v);
    if (!text)
        return qd_fail_nomem(err);
    assert_string_equal(text, TEXT);
    free(text);
    return QD_OK;
}

static qd_status fill_buffer(qd_error *err)
{
    qd_buf b;
    qd_buf_init(&b, 1 << 20);
    for (int i = 0; i < 100; i++)
        qd_buf_addf(&b, "%0300d", i);
    assert_false(b.is_over_max);
    size_t n = 0;
    char *text = qd_buf_take(&b, &n);
    if (!text)
        return qd_fail_nomem(err);
    assert_int_equal(n, 30000);
    free(text);
    return QD_OK;
}

static qd_status fill_arena(qd_error *err)
{
    qd_status st = QD_OK;
    qd_arena *a = qd_arena_new(1 << 20);
    if (!a)
        return qd_fail_nomem(err);
    for (size_t i = 0; i < 100 && st == QD_OK; i++)
        if (!qd_arena_printf(a, "%zu", i) || !qd_arena_array(a, i, 100))
            st = qd_fail_nomem(err);
    assert_false(qd_arena_is_full(a));
    qd_arena_free(a);
    return st;
}

static void count(void *arg, size_t i)
{
    (void)i;
    __atomic_fetch_add((size_t *)arg, 1, __ATOMIC_RELAXED);
}

static qd_status use_pool(qd_error *err)
{
    size_t n = 0;
    qd_pool *p = NULL;
    qd_status st = qd_pool_new("test", 2, 10, &p, err);
    if (st == QD_OK) {
        qd_pool_parallel(p, 50, count, &n);
        assert_int_equal(n, 50);
    }
    qd_pool_free(p);
    return st;
}

static const memory_case CASES[] = {
    {"map", begin_map, fill_map, end_map}, {"json", NULL, write_json, NULL}, {"buffer", NULL, fill_buffer, NULL},
    {"arena", NULL, fill_arena, NULL},     {"pool", NULL, use_pool, NULL},
};

int main(void)
{
    return memory_cases_run(CASES, sizeof CASES / sizeof *CASES, NULL, NULL);
}
