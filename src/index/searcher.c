/* SPDX-License-Identifier: Apache-2.0 */
#include "index/searcher.h"

#include <stdlib.h>

#include "index/seam.h"

qd_searcher *qd_searcher_ref(qd_searcher *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void qd_searcher_unref(qd_searcher *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    qe_searcher_free(s->engine);
    qd_mapping_unref(s->mapping);
    free(s);
}

size_t qd_searcher_segments(const qd_searcher *s)
{
    return qe_searcher_segments(s->engine);
}

uint32_t qd_searcher_max_doc(const qd_searcher *s, size_t segment)
{
    return qe_segment_max_doc(s->engine, segment);
}

uint64_t qd_searcher_live_docs(const qd_searcher *s)
{
    return qe_searcher_live_docs(s->engine);
}

uint64_t qd_searcher_size_bytes(const qd_searcher *s)
{
    uint64_t bytes = atomic_load_explicit(&s->size_bytes, memory_order_relaxed);
    if (bytes == 0) { /* it looks into every file; metrics ask often, of every index */
        bytes = qe_searcher_size_bytes(s->engine);
        atomic_store_explicit(&((qd_searcher *)s)->size_bytes, bytes, memory_order_relaxed);
    }
    return bytes;
}

qd_status qd_searcher_find(const qd_searcher *s, qd_str id, qd_found *out, qd_error *err)
{
    qe_error seam = {0};
    bool found = false;
    size_t segment = 0;
    uint32_t doc = 0;
    int64_t seq_no = -1, version = 0;
    int rc = qe_searcher_find_id(s->engine, id.p, id.n, &found, &segment, &doc, &seq_no, &version, &seam);
    if (rc != QE_OK)
        return qd_seam_status(rc, &seam, "cannot look up a document's id", err);
    *out = (qd_found){found, {(uint32_t)segment, doc}, seq_no, version};
    return QD_OK;
}

qd_status qd_searcher_stored(const qd_searcher *s, qd_doc_address at, qd_stored *out, qd_error *err)
{
    qe_error seam = {0};
    qe_stored stored = {0};
    int rc = qe_segment_stored(s->engine, at.segment, at.doc, &stored, &seam);
    if (rc != QE_OK)
        return qd_seam_status(rc, &seam, "cannot read a stored document", err);
    *out = (qd_stored){{stored.id, stored.id_len}, {stored.source, stored.source_len}, stored};
    return QD_OK;
}

void qd_stored_free(qd_stored *d)
{
    qe_stored_free(&d->owner);
}

void qd_analyze(qd_str text, qe_token_fn *fn, void *arg)
{
    qe_analyze_standard(text.p ? text.p : "", text.n, fn, arg);
}
