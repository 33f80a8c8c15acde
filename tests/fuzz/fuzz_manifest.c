/* SPDX-License-Identifier: Apache-2.0
 *
 * A function's manifest as JSON. What is accepted keeps its promises and is accepted again as it is stored; an error
 * must say something that is text. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "udf/manifest.h"
#include "udf/semver_range.h"

static void expect(bool is_true)
{
    if (!is_true)
        abort();
}

static void expect_sound(const qd_manifest *m)
{
    qd_semver version;
    qd_semver_range range;
    expect(m->name.n > 0 && m->name.n <= 64 && m->function_name.n > 0 && qd_semver_parse(m->version, &version));
    expect(m->n_params <= 64 && m->n_deps <= QD_WASM_MAX_DEPENDENCIES);
    expect(m->kind <= QD_KIND_AGGREGATE && m->abi <= QD_ABI_BATCH);
    expect(!m->has_max_score || (isfinite(m->max_score) && m->max_score >= 0));
    for (size_t i = 0; i < m->n_params; i++) {
        expect(m->params[i].name.n > 0 && m->params[i].type != QD_NULL);
        for (size_t j = 0; j < i; j++)
            expect(!qd_str_eq(m->params[i].name, m->params[j].name));
    }
    for (size_t i = 0; i < m->n_deps; i++) {
        const qd_udf_dependency *d = &m->deps[i];
        expect(qd_str_is(d->version, "latest") || qd_str_is(d->version, "active") ||
               qd_semver_range_parse(d->version, &range, NULL) == QD_OK);
    }
}

/* As the registry stores and reads it. */
static void store(const qd_manifest *m)
{
    qd_error err = QD_ERROR_INIT;
    json_t *json = NULL;
    qd_manifest *again = NULL;
    char *text = json_dumps(m->json, JSON_COMPACT | JSON_SORT_KEYS);
    expect(text != NULL && qd_json_parse(qd_str_of(text), &json, &err) == QD_OK);
    expect(qd_manifest_parse(json, &again, &err) == QD_OK);
    expect(again->n_params == m->n_params && again->n_deps == m->n_deps && again->kind == m->kind &&
           again->abi == m->abi && again->permissions == m->permissions && json_equal(again->json, m->json));
    qd_manifest_free(again);
    json_decref(json);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *json = NULL;
    qd_manifest *m = NULL;
    qd_error err = QD_ERROR_INIT;
    if (qd_json_parse((qd_str){(const char *)data, size}, &json, &err) != QD_OK)
        return 0;
    if (qd_manifest_parse(json, &m, &err) == QD_OK) {
        expect_sound(m);
        store(m);
    } else {
        expect(err.message[0] != '\0' && qd_str_is_utf8(qd_str_of(err.message)));
    }
    qd_manifest_free(m);
    json_decref(json);
    return 0;
}
