/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading the body of a search out of memory. */
#include <stdlib.h>

#include "../failing_alloc.h"
#include "query/body.h"

static const char *text;

static qd_status parse(qd_error *err)
{
    const qd_search_request rq = {.from = -1, .size = -1, .track_total_hits = -1};
    qd_body body;
    qd_uses uses = {0};
    json_t *json = NULL;
    qd_arena *arena = qd_arena_new(16 << 20);
    if (!arena)
        return qd_fail_nomem(err);
    qd_parser p = {.text = qd_str_of(text), .arena = arena, .err = err, .uses = &uses};
    qd_status st = qd_json_parse(p.text, &json, err);
    if (st == QD_OK)
        st = qd_body_parse(&p, json, &rq, &body);
    json_decref(json);
    qd_arena_free(arena);
    return st;
}

#define BODY(name, json)                                                                                               \
    static void begin_##name(void)                                                                                     \
    {                                                                                                                  \
        text = json;                                                                                                   \
    }

BODY(leaves, "{\"query\":{\"bool\":{\"must\":[{\"match\":{\"t\":{\"query\":\"a b\",\"operator\":\"and\"}}},"
             "{\"multi_match\":{\"query\":\"x\",\"fields\":[\"a^2\",\"b\"]}},{\"match_all\":{}}],"
             "\"should\":[{\"term\":{\"k\":\"v\"}},{\"terms\":{\"k\":[\"a\",1,true]}},{\"exists\":{\"field\":\"f\"}}],"
             "\"filter\":{\"range\":{\"n\":{\"gte\":1,\"lt\":\"2\"}}},\"must_not\":[{\"ids\":{\"values\":[\"1\"]}}]}},"
             "\"sort\":[{\"n\":\"desc\"},\"_score\"],\"_source\":{\"includes\":[\"a.*\"],\"excludes\":\"b\"}}")
BODY(functions,
     "{\"query\":{\"function_score\":{\"query\":{\"script_score\":{\"query\":{\"wasm_udf\":{\"name\":\"f\",\"version\":"
     "\"1\",\"parameters\":{\"x\":1},\"query\":{\"match_all\":{}}}},\"script\":{\"source\":\"g\",\"params\":{}}}},"
     "\"script_score\":{\"script\":\"h\"}}},\"aggs\":{\"m\":{\"wasm_udf\":{\"name\":\"mean\"}}},"
     "\"script_fields\":{\"s\":{\"script\":{\"source\":\"i\"}}},\"context\":{\"c\":1},"
     "\"sort\":{\"_script\":{\"type\":\"number\",\"script\":\"j\",\"order\":\"asc\"}}}")

static const memory_case CASES[] = {
    {"clauses", begin_leaves, parse, NULL},
    {"functions", begin_functions, parse, NULL},
};

int main(void)
{
    return memory_cases_run(CASES, sizeof CASES / sizeof *CASES, NULL, NULL);
}
