/* SPDX-License-Identifier: Apache-2.0
 *
 * A mapping in the first line (may be empty), a document in the rest. A document that brings new fields must parse once
 * they are merged; a merged mapping must survive being written and read. */
#include <stdlib.h>

#include "index/document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_readable(const qd_mapping *m)
{
    qd_buf text;
    qd_json w;
    json_t *json = NULL;
    qd_mapping *again = NULL;
    qd_buf_init(&text, (size_t)1 << 24);
    qd_json_init(&w, &text, false);
    qd_mapping_write(m, &w, true);
    if (qd_json_parse(qd_buf_str(&text), &json, NULL) != QD_OK ||
        qd_mapping_new(json, m->max_fields, &again, NULL) != QD_OK || again->n_ids != m->n_ids)
        abort();
    qd_mapping_unref(again);
    json_decref(json);
    qd_buf_deinit(&text);
}

/* Merges until the document fits, as the write path does. */
static void parse(qd_mapping **m, qd_str source)
{
    for (int round = 0; round < 3; round++) {
        qe_doc *doc = NULL;
        json_t *additions = NULL;
        qd_mapping *merged = NULL;
        qd_status st = qd_document_parse(*m, source, &doc, &additions, NULL);
        if (st == QD_OK && !doc && !additions)
            abort();
        if (additions)
            st = qd_mapping_merge(*m, additions, &merged, NULL);
        bool is_done = st != QD_OK || doc;
        if (doc)
            qe_doc_free(doc);
        json_decref(additions);
        if (is_done)
            return;
        qd_mapping_unref(*m);
        *m = merged;
        expect_readable(merged);
    }
    abort(); /* what was merged is still missing */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *line_end = size ? memchr(text, '\n', size) : NULL;
    json_t *body = NULL;
    qd_mapping *m = NULL;
    if (!line_end)
        return 0;
    size_t first = (size_t)(line_end - text);
    if (first > 0 && qd_json_parse((qd_str){text, first}, &body, NULL) != QD_OK)
        return 0;
    if (qd_mapping_new(body, 200, &m, NULL) == QD_OK) {
        expect_readable(m);
        parse(&m, (qd_str){line_end + 1, size - first - 1});
    }
    qd_mapping_unref(m);
    json_decref(body);
    return 0;
}
