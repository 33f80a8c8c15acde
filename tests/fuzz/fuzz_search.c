/* SPDX-License-Identifier: Apache-2.0
 *
 * A search body, run against a small index with functions: parsed, planned, scored, collected, answered. The answer
 * must be JSON, an error must say something. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "quidditch/quidditch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char directory[] = "/tmp/quidditch-fuzz-XXXXXX";
static qd_database *db;

static const char INDEX[] =
    "{\"mappings\":{\"properties\":{\"title\":{\"type\":\"text\"},\"tag\":{\"type\":\"keyword\"},\"n\":{\"type\":"
    "\"long\"},"
    "\"x\":{\"type\":\"double\"},\"day\":{\"type\":\"date\"},\"flag\":{\"type\":\"boolean\"},"
    "\"place\":{\"type\":\"geo_point\"},\"vendor\":{\"properties\":{\"name\":{\"type\":\"keyword\"}}}}}}";
static const char DOCUMENT[] = "{\"index\":{\"_id\":\"%d\"}}\n{\"title\":\"red broom number "
                               "%d\",\"tag\":[\"a\",\"t%d\"],\"n\":%d,\"x\":%d.5,\"day\":\"2026-11-%02d\","
                               "\"flag\":%s,\"place\":{\"lat\":%d,\"lon\":1},\"vendor\":{\"name\":\"v%d\"}}\n";
static const char FILTER[] =
    "(module (func (export \"f\") (param f64 f64) (result i32) (f64.lt (local.get 0) (local.get 1))))";
static const char FILTER_MANIFEST[] =
    "{\"name\":\"less\",\"version\":\"1.0.0\",\"function_name\":\"f\",\"parameters\":["
    "{\"name\":\"x\",\"type\":\"f64\",\"from\":\"_source.x\"},{\"name\":\"limit\",\"type\":\"f64\",\"default\":3}]}";
static const char SCORE[] = "(module (func (export \"f\") (param f64 i64) (result f64) (f64.add (local.get 0) "
                            "(f64.convert_i64_s (local.get 1)))))";
static const char SCORE_MANIFEST[] = "{\"name\":\"plus\",\"version\":\"1.0.0\",\"function_name\":\"f\",\"parameters\":["
                                     "{\"name\":\"s\",\"type\":\"f64\",\"from\":\"_score\"},{\"name\":\"n\",\"type\":"
                                     "\"i64\",\"from\":\"_source.n\",\"default\":0}]}";

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void finish(void)
{
    qd_database_close(db);
    nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void expect(qd_status st)
{
    if (st != QD_OK)
        abort();
}

/* Two refreshes make two segments. */
static void load(int from, int to)
{
    char body[8192], *answer = NULL;
    size_t n = 0;
    for (int i = from; i < to; i++)
        n += (size_t)snprintf(body + n, sizeof body - n, DOCUMENT, i, i, i % 3, i, i, i + 1, i % 2 ? "true" : "false",
                              i, i % 4);
    expect(qd_database_bulk(db, "fuzz", body, n, &answer, NULL));
    qd_free(answer);
    expect(qd_database_refresh(db, "fuzz", NULL));
}

static void start(void)
{
    qd_database_options options = QD_DATABASE_OPTIONS_INIT;
    options.search_threads = 0;
    options.refresh_interval_ms = -1;
    options.writer_memory_bytes = (size_t)15 << 20;
    if (!mkdtemp(directory))
        abort();
    expect(qd_database_open(directory, &options, &db, NULL));
    atexit(finish);
    expect(qd_database_create_index(db, "fuzz", INDEX, sizeof INDEX - 1, NULL));
    load(0, 10);
    load(10, 20);
    expect(qd_database_register_udf(db, FILTER_MANIFEST, sizeof FILTER_MANIFEST - 1, FILTER, sizeof FILTER - 1, NULL));
    expect(qd_database_register_udf(db, SCORE_MANIFEST, sizeof SCORE_MANIFEST - 1, SCORE, sizeof SCORE - 1, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *answer = NULL;
    json_t *json = NULL;
    qd_error err = QD_ERROR_INIT;
    if (!db)
        start();
    if (qd_database_search(db, "fuzz", (const char *)data, size, 0, &answer, &err) == QD_OK) {
        if (qd_json_parse(qd_str_of(answer), &json, &err) != QD_OK || !json_object_get(json, "hits"))
            abort();
        json_decref(json);
        qd_free(answer);
    } else if (err.message[0] == '\0' || err.code == QD_EINTERNAL || err.code == QD_EIO) {
        abort();
    }
    return 0;
}
