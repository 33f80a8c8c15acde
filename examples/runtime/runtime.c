/* SPDX-License-Identifier: Apache-2.0
 *
 * The function runtime inside a program of your own: no index, no daemon, nothing kept. Registers a discount, written
 * as WebAssembly text, and runs it on one document in JSON, on one given as fields, and on columns of four. */
#include <stdio.h>
#include <string.h>

#include "quidditch/runtime.h"
#include "quidditch/quidditch.h"

static const char MODULE[] = "(module (func (export \"price\") (param $price f64) (param $percent f64) (result f64)"
                             "  (f64.mul (local.get $price)"
                             "           (f64.sub (f64.const 1) (f64.div (local.get $percent) (f64.const 100))))))";

static const char MANIFEST[] =
    "{\"name\": \"discount\", \"version\": \"1.0.0\", \"function_name\": \"price\", \"kind\": \"transform\","
    " \"abi\": \"typed\", \"parameters\": [{\"name\": \"price\", \"type\": \"f64\", \"from\": \"_source.price\"},"
    "                                  {\"name\": \"percent\", \"type\": \"f64\", \"default\": 10}]}";

static const char DOCUMENT[] = "{\"title\": \"golden snitch\", \"price\": 250}";

static qd_status use(qd_udf_call *call, qd_error *err)
{
    const double prices[] = {10, 20, 30, 40};
    const uint8_t there[] = {1, 1, 0, 1};
    const qd_data_column columns[] = {{"price", QD_DATA_F64, prices, there}};
    const qd_field_value fields[] = {{"price", {QD_DATA_F64, {.f = 80}}}};
    double results[4];
    uint8_t valid[4];
    qd_data one = {QD_DATA_MISSING, {0}};
    qd_status st = qd_udf_call_json(call, DOCUMENT, strlen(DOCUMENT), &one, err);
    if (st == QD_OK)
        printf("json: %g\n", one.as.f);
    if (st == QD_OK)
        st = qd_udf_call_fields(call, fields, 1, &one, err);
    if (st == QD_OK)
        printf("fields: %g\n", one.as.f);
    if (st == QD_OK)
        st = qd_udf_call_columns(call, columns, 1, 4, NULL, results, valid, err);
    for (int i = 0; i < 4 && st == QD_OK; i++)
        valid[i] ? printf("row %d: %g\n", i, results[i]) : printf("row %d: missing\n", i);
    return st;
}

int main(void)
{
    qd_runtime *rt = NULL;
    qd_udf_call *call = NULL;
    qd_error err = QD_ERROR_INIT;
    char *stats = NULL;
    qd_status st = qd_runtime_open(NULL, NULL, &rt, &err);
    if (st == QD_OK)
        st = qd_runtime_register(rt, MANIFEST, strlen(MANIFEST), MODULE, strlen(MODULE), &err);
    if (st == QD_OK)
        st = qd_udf_call_open(rt, "discount", "{\"percent\": 25}", &call, &err);
    if (st == QD_OK)
        st = use(call, &err);
    if (st == QD_OK)
        st = qd_runtime_stats(rt, "discount", NULL, &stats, &err);
    puts(st == QD_OK ? stats : err.message);
    qd_free(stats);
    qd_udf_call_close(call);
    qd_runtime_close(rt);
    return st == QD_OK ? 0 : qd_status_describe(st)->exit_status;
}
