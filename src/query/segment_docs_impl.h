/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of a segment's documents, for segment_docs*.c: what is kept per field that is read. */
#ifndef QD_QUERY_SEGMENT_DOCS_IMPL_H
#define QD_QUERY_SEGMENT_DOCS_IMPL_H

#include "base/arena.h"
#include "index/column.h"
#include "query/segment_docs.h"

typedef enum slot_kind { SLOT_NUMBER, SLOT_BOOL, SLOT_STRING, SLOT_SOURCE, SLOT_MISSING } slot_kind;

typedef struct dict_entry {
    uint64_t ord_plus_1; /* 0: empty */
    qd_str text;
} dict_entry;

typedef struct slot {
    char *path;
    slot_kind kind;
    bool is_float, is_open;
    uint32_t field_id;
    qd_column *column; /* NULL: no document of the segment has a value */
    /* Of a string column: the view's ordinals, and all its strings, or else those seen lately. */
    uint64_t *ords, view;
    uint8_t *ord_valid;
    qd_strings strings; /* n 0: not in memory */
    dict_entry *dict;
} slot;

struct qd_segment_docs {
    qd_doc_source source;
    const qd_searcher *searcher;
    uint32_t segment;
    slot *slots;
    int n_slots, cap_slots;
    const uint32_t *block, *docs; /* the block's documents, the view's */
    size_t block_n, n;
    uint64_t view; /* counts views */
    qd_arena *text;
    /* Stored documents of this block: kept[k - 1] where kept_at[index in block] is k. */
    qd_stored *kept, loose;
    uint16_t *kept_at;
    size_t n_kept, kept_bytes;
    qd_status status;
    qd_error err;
};

/* NULL: there is none of that number. */
slot *qd_segment_slot(qd_segment_docs *d, int i);
/* False: no document has a value, or it could not be opened. */
bool qd_segment_open_column(qd_segment_docs *d, slot *s);
/* The view's ordinals of a string column; false: they cannot be read. */
bool qd_segment_read_ords(qd_segment_docs *d, slot *s);
bool qd_segment_string_of(qd_segment_docs *d, slot *s, uint64_t ord, qd_value *out);
/* The stored document of a row; *is_loose: valid only until the next one is read. NULL: it could not be read. */
const qd_stored *qd_segment_stored(qd_segment_docs *d, uint32_t row, bool *is_loose);
bool qd_segment_keep_text(qd_segment_docs *d, bool is_loose, qd_str *s);

/* segment_docs_values.c: qd_doc_source's count and value_at. */
uint32_t qd_segment_count(void *arg, int i, uint32_t row);
bool qd_segment_value_at(void *arg, int i, uint32_t row, uint32_t at, qd_value *out);

#endif
