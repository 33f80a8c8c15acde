/* SPDX-License-Identifier: Apache-2.0
 *
 * libquidditch inside a program of your own: no daemon, no network. Opens a database, registers a function written as
 * WebAssembly text, indexes three products, and ranks them by relevance times a boost for what is in stock.
 *
 *   embed DIR */
#include <stdio.h>
#include <string.h>

#include "quidditch/quidditch.h"

static const char MODULE[] =
    "(module (func (export \"score\") (param $relevance f64) (param $stock i64) (result f64)"
    "  (f64.mul (local.get $relevance)"
    "           (select (f64.const 2) (f64.const 1) (i64.gt_s (local.get $stock) (i64.const 0))))))";

static const char MANIFEST[] =
    "{\"name\": \"in_stock\", \"version\": \"1.0.0\", \"function_name\": \"score\", \"kind\": \"score\", \"abi\": "
    "\"typed\","
    " \"parameters\": [{\"name\": \"relevance\", \"type\": \"f64\", \"from\": \"_score\"},"
    "                {\"name\": \"stock\", \"type\": \"i64\", \"from\": \"_source.stock\", \"default\": 0}]}";

static const char DOCUMENTS[] = "{\"index\": {\"_id\": \"1\"}}\n{\"title\": \"red broom\", \"stock\": 0}\n"
                                "{\"index\": {\"_id\": \"2\"}}\n{\"title\": \"fast red racing broom\", \"stock\": 7}\n"
                                "{\"index\": {\"_id\": \"3\"}}\n{\"title\": \"golden snitch\", \"stock\": 1}\n";

static const char QUERY[] = "{\"query\": {\"script_score\": {\"query\": {\"match\": {\"title\": \"broom\"}},"
                            " \"script\": {\"lang\": \"wasm\", \"source\": \"in_stock\"}}}, \"_source\": [\"title\"]}";

int main(int argc, char **argv)
{
    qd_database *db = NULL;
    qd_error err = QD_ERROR_INIT;
    char *answer = NULL;
    qd_status st = qd_database_open(argc > 1 ? argv[1] : "embed-data", NULL, &db, &err);
    if (st == QD_OK)
        st = qd_database_register_udf(db, MANIFEST, strlen(MANIFEST), MODULE, strlen(MODULE), &err);
    if (st == QD_OK)
        st = qd_database_bulk(db, "products", DOCUMENTS, strlen(DOCUMENTS), &answer, &err);
    qd_free(answer);
    answer = NULL;
    if (st == QD_OK)
        st = qd_database_refresh(db, "products", &err);
    if (st == QD_OK)
        st = qd_database_search(db, "products", QUERY, strlen(QUERY), 0, &answer, &err);
    if (st == QD_OK)
        puts(answer);
    else
        fprintf(stderr, "%s: %s\n", qd_status_name(st), err.message);
    qd_free(answer);
    qd_database_close(db);
    return st == QD_OK ? 0 : qd_status_describe(st)->exit_status;
}
