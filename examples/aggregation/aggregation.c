/* SPDX-License-Identifier: Apache-2.0
 *
 * An aggregate inside a program of your own: a mean, written as WebAssembly text, over documents in JSON in one place
 * and over columns in another. Their states meet as bytes, which could as well come from a file or another machine. */
#include <stdio.h>
#include <string.h>

#include "quidditch/runtime.h"
#include "quidditch/quidditch.h"

/* The state: a sum and a count, at address 64. */
static const char MODULE[] =
    "(module (import \"env\" \"set_result_missing\" (func $missing)) (memory (export \"memory\") 1)"
    "  (func $add (param $s i32) (param $sum f64) (param $n f64)"
    "    (f64.store (local.get $s) (f64.add (f64.load (local.get $s)) (local.get $sum)))"
    "    (f64.store offset=8 (local.get $s) (f64.add (f64.load offset=8 (local.get $s)) (local.get $n))))"
    "  (func (export \"mean_init\") (result i32) (i32.const 64))"
    "  (func (export \"mean_update\") (param $s i32) (param $price f64)"
    "    (call $add (local.get $s) (local.get $price) (f64.const 1)))"
    "  (func (export \"mean_serialize\") (param $s i32) (result i64)"
    "    (i64.or (i64.shl (i64.extend_i32_u (local.get $s)) (i64.const 32)) (i64.const 16)))"
    "  (func (export \"mean_merge\") (param $s i32) (param $at i32) (param $n i32)"
    "    (call $add (local.get $s) (f64.load (local.get $at)) (f64.load offset=8 (local.get $at))))"
    "  (func (export \"mean_finish\") (param $s i32) (result f64)"
    "    (if (f64.eq (f64.load offset=8 (local.get $s)) (f64.const 0)) (then (call $missing)))"
    "    (f64.div (f64.load (local.get $s)) (f64.load offset=8 (local.get $s)))))";

static const char MANIFEST[] =
    "{\"name\": \"mean\", \"version\": \"1.0.0\", \"function_name\": \"mean\", \"kind\": \"aggregate\","
    " \"abi\": \"typed\", \"parameters\": [{\"name\": \"price\", \"type\": \"f64\", \"from\": \"_source.price\"}]}";

static const char DOCUMENTS[] = "[{\"price\": 10}, {\"price\": 20}, {\"title\": \"not for sale\"}]";

static qd_status use(qd_udf_aggregation *here, qd_udf_aggregation *there, qd_error *err)
{
    const double prices[] = {30, 40};
    const qd_data_column columns[] = {{"price", QD_DATA_F64, prices, NULL}};
    qd_data mean = {QD_DATA_MISSING, {0}};
    char *json = NULL;
    void *state = NULL;
    size_t n = 0;
    qd_status st = qd_udf_aggregation_json(here, DOCUMENTS, strlen(DOCUMENTS), err);
    if (st == QD_OK)
        st = qd_udf_aggregation_finish(here, &mean, err); /* so far; more may follow */
    if (st == QD_OK)
        printf("here: %g\n", mean.as.f);
    if (st == QD_OK)
        st = qd_udf_aggregation_columns(there, columns, 1, 2, NULL, err);
    if (st == QD_OK)
        st = qd_udf_aggregation_serialize(there, &state, &n, err);
    if (st == QD_OK)
        st = qd_udf_aggregation_merge(here, state, n, err);
    if (st == QD_OK)
        st = qd_udf_aggregation_finish_json(here, &json, err);
    if (st == QD_OK)
        printf("here and there: %s\n", json);
    qd_free(json);
    qd_free(state);
    return st;
}

int main(void)
{
    qd_runtime *rt = NULL;
    qd_udf_aggregation *here = NULL, *there = NULL;
    qd_error err = QD_ERROR_INIT;
    qd_status st = qd_runtime_open(NULL, NULL, &rt, &err);
    if (st == QD_OK)
        st = qd_runtime_register(rt, MANIFEST, strlen(MANIFEST), MODULE, strlen(MODULE), &err);
    if (st == QD_OK)
        st = qd_udf_aggregation_open(rt, "mean", NULL, &here, &err);
    if (st == QD_OK)
        st = qd_udf_aggregation_open(rt, "mean", NULL, &there, &err);
    if (st == QD_OK)
        st = use(here, there, &err);
    if (st != QD_OK)
        puts(err.message);
    qd_udf_aggregation_close(there);
    qd_udf_aggregation_close(here);
    qd_runtime_close(rt);
    return st == QD_OK ? 0 : qd_status_describe(st)->exit_status;
}
