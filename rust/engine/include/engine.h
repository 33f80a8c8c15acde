/* SPDX-License-Identifier: Apache-2.0
 *
 * The seam to Rust: Tantivy (inverted index, columns, document store), a streaming JSON reader (serde) and a wasm
 * module inspector (wasmparser). Wasmtime's own C headers stand beside this one; both live in one static library,
 * because two Rust static libraries cannot be linked into one program.
 *
 * The seam carries handles and data and decides nothing: mapping, planning, scoring functions, collecting, durability
 * and error texts for users belong to C. Rules:
 *  - Handles are opaque and freed by the function named beside their constructor; freeing NULL is legal.
 *  - Strings are (pointer, length), UTF-8 where they are text. What comes out as a view says how long it is valid.
 *  - 0 is success, everything else one of QE_*; the message goes to the qe_error that the caller owns. Outputs are
 *    written on success only.
 *  - No panic crosses: it becomes QE_EPANIC.
 *  - "taken" parameters are consumed even when the call fails.
 *  - Document ids (doc) count from 0 within a segment, in the order of `_seq_no`. Segments of a searcher are ordered by
 *    their smallest `_seq_no`, and merges keep to neighbours, so that (segment ordinal, doc) is the order in which
 *    documents were written. */
#ifndef QUIDDITCH_ENGINE_H
#define QUIDDITCH_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    QE_OK = 0,
    QE_EINVAL = 1,   /* an argument is wrong (unknown field, wrong kind of value) */
    QE_EIO = 2,      /* a file could not be read or written */
    QE_ECORRUPT = 3, /* what was read is not what was written */
    QE_ENOMEM = 4,
    QE_ESYNTAX = 5,  /* malformed JSON or wasm; line/column or offset say where */
    QE_ESTOPPED = 6, /* a callback asked to stop */
    QE_EPANIC = 7,
};

typedef struct qe_error {
    int code;
    uint32_t line, column; /* JSON: counted from 1, column in bytes */
    uint64_t offset;       /* wasm: byte offset */
    char message[512];     /* NUL-terminated UTF-8 */
} qe_error;

/* ---- index ------------------------------------------------------------------------------------------------------ */

typedef enum qe_kind {
    QE_TEXT,    /* analyzed by "standard" (UAX #29 words, lower case); frequencies, positions, norms; no column */
    QE_KEYWORD, /* one raw term per value, no frequencies, no norms; a string column */
    QE_I64,     /* terms and a column (long, integer) */
    QE_F64,     /* a column only (double, float, and the two halves of a geo_point) */
    QE_BOOL,    /* terms and a column */
    QE_DATE,    /* i64 milliseconds since the epoch; a column only */
} qe_kind;

typedef struct qe_field_def {
    const char *name; /* full dotted path; kept no longer than the call */
    size_t name_len;
    qe_kind kind;
    bool indexed; /* false: no terms */
    bool column;  /* false: no column (ignored for QE_TEXT, which has none) */
} qe_field_def;

typedef struct qe_index qe_index;       /* free with qe_index_close */
typedef struct qe_doc qe_doc;           /* free with qe_doc_free, or taken by qe_index_add */
typedef struct qe_searcher qe_searcher; /* free with qe_searcher_free */
typedef struct qe_query qe_query;       /* free with qe_query_free, or taken by a parent */
typedef struct qe_weight qe_weight;     /* free with qe_weight_free */
typedef struct qe_column qe_column;     /* free with qe_column_free */

/* Field ids are the index's: positions in the order of definition, starting at 0, stable for ever. Beside them each
 * index has four fields of its own: `_id` (term and stored), `_source` (stored), `_seq_no` and `_version` (i64
 * columns). */

/* Creates an index in an empty or absent directory with these fields (n may be 0). Durable on return. */
int qe_index_create(const char *dir, size_t dir_len, const qe_field_def *fields, size_t n, qe_error *err);

typedef struct qe_index_options {
    size_t writer_memory_bytes;            /* indexing buffer before a segment is flushed; >= 15 MiB */
    uint32_t merge_max_segments_per_level; /* 0: default (8) */
} qe_index_options;

/* Opens for reading and writing (takes the directory's lock). `*fields_in_index`: how many fields are defined. */
int qe_index_open(const char *dir, size_t dir_len, const qe_index_options *options, qe_index **out,
                  size_t *fields_in_index, qe_error *err);
/* Waits for merges; documents added since the last commit are lost (the op log has them). */
void qe_index_close(qe_index *index);
/* Adds fields at the end. Commits first (with the payload of the last commit if nothing was added since: the caller
 * gives `payload` as in qe_index_commit), then the schema grows durably; existing segments answer "no value" for the
 * new fields. Exclusive: no other call on the index runs meanwhile, except on searchers taken before, which stay valid.
 */
int qe_index_extend(qe_index *index, const qe_field_def *fields, size_t n, uint64_t payload, qe_error *err);

/* ---- documents -------------------------------------------------------------------------------------------------- */

qe_doc *qe_doc_new(void);
void qe_doc_free(qe_doc *doc);
void qe_doc_add_str(qe_doc *doc, uint32_t field, const char *p, size_t n); /* QE_TEXT, QE_KEYWORD */
void qe_doc_add_i64(qe_doc *doc, uint32_t field, int64_t v);               /* QE_I64, QE_DATE */
void qe_doc_add_f64(qe_doc *doc, uint32_t field, double v);
void qe_doc_add_bool(qe_doc *doc, uint32_t field, bool v);

/* Adds a document (taken) with its own fields. Blocks while the indexing queue is full. Field ids are checked here.
 * Threads: one writer at a time (add, delete, commit, extend are serialized by the caller). */
int qe_index_add(qe_index *index, qe_doc *doc, const char *id, size_t id_len, int64_t seq_no, int64_t version,
                 const char *source, size_t source_len, qe_error *err);
/* Deletes every document with that id that was added before this call. */
int qe_index_delete(qe_index *index, const char *id, size_t id_len, qe_error *err);
/* Makes everything added durable and visible to searchers opened afterwards; `payload` is stored with the commit (the
 * last `_seq_no`). */
int qe_index_commit(qe_index *index, uint64_t payload, qe_error *err);
/* The last commit's payload; UINT64_MAX when there was none. */
uint64_t qe_index_payload(const qe_index *index);
/* Merges what is committed down to at most `max_segments` (>= 1) and waits. Beside the other calls: it holds nobody up,
 * and segments that come meanwhile are not its business. */
int qe_index_force_merge(qe_index *index, uint32_t max_segments, qe_error *err);
/* Lets go of the writer's threads and buffers (some 3 MB) until something is written again. `*is_resting` false: not
 * now, since a merge runs or something is not committed. Serialized like a write. */
int qe_index_rest(qe_index *index, bool *is_resting, qe_error *err);

/* ---- searching -------------------------------------------------------------------------------------------------- */

/* A snapshot of the last commit; may be taken at any time. Threads: any number may use one; it stays valid when the
 * index commits, extends, merges or closes. */
int qe_searcher_new(qe_index *index, qe_searcher **out, qe_error *err);
void qe_searcher_free(qe_searcher *s);
size_t qe_searcher_segments(const qe_searcher *s);
uint64_t qe_searcher_live_docs(const qe_searcher *s);
uint32_t qe_segment_max_doc(const qe_searcher *s, size_t segment);
uint32_t qe_segment_live_docs(const qe_searcher *s, size_t segment);
uint64_t qe_searcher_size_bytes(const qe_searcher *s);
/* Looks an id up: *found false when no live document has it. */
int qe_searcher_find_id(const qe_searcher *s, const char *id, size_t id_len, bool *found, size_t *segment,
                        uint32_t *doc, int64_t *seq_no, int64_t *version, qe_error *err);
/* The stored id and source of a document: copied out, free with qe_stored_free. Keeps a small cache of decompressed
 * blocks. */
typedef struct qe_stored {
    const char *id, *source;
    size_t id_len, source_len;
    void *owner;
} qe_stored;
int qe_segment_stored(const qe_searcher *s, size_t segment, uint32_t doc, qe_stored *out, qe_error *err);
void qe_stored_free(qe_stored *stored);

/* The tokens that "standard" makes of a text, in order. `cb` gets views valid during the call; position counts from 0;
 * offsets are bytes. */
typedef void qe_token_fn(void *arg, const char *token, size_t len, uint32_t position, uint32_t start, uint32_t end);
void qe_analyze_standard(const char *text, size_t len, qe_token_fn *cb, void *arg);

/* Queries. Constructors never fail for good arguments: a NULL answer means out of memory or a field id that the
 * searcher does not know or whose kind does not fit. Scores are BM25 as Lucene 10 / OpenSearch 3 have it: k1 1.2, b
 * 0.75, no (k1+1) factor, document count and average length of the field (documents that have it), over all segments of
 * the searcher. Keyword, i64, bool and _id terms score likewise without norms. */
typedef struct qe_term {
    qe_kind kind; /* QE_TEXT and QE_KEYWORD: s; QE_I64: i; QE_BOOL: i is 0 or 1 */
    const char *s;
    size_t n;
    int64_t i;
} qe_term;
qe_query *qe_query_all(void); /* score 1 */
qe_query *qe_query_none(void);
qe_query *qe_query_term(const qe_searcher *s, uint32_t field, const qe_term *term);
/* Any of the terms; constant score 1. */
qe_query *qe_query_terms(const qe_searcher *s, uint32_t field, const qe_term *terms, size_t n);
/* Documents with any of the ids; constant score 1. */
qe_query *qe_query_ids(const qe_searcher *s, const qe_term *ids, size_t n);
/* A column's value within bounds (NULL: open), for QE_I64/QE_DATE (i), QE_F64 (f), QE_KEYWORD (s); constant score 1. */
typedef struct qe_bound {
    bool inclusive;
    int64_t i;
    double f;
    const char *s;
    size_t n;
} qe_bound;
qe_query *qe_query_range(const qe_searcher *s, uint32_t field, const qe_bound *lower, const qe_bound *upper);
/* Documents that have any value (a column's, or for QE_TEXT at least one token); constant score 1. */
qe_query *qe_query_exists(const qe_searcher *s, uint32_t field);
typedef enum qe_occur { QE_MUST, QE_SHOULD, QE_MUST_NOT, QE_FILTER } qe_occur;
/* Queries are taken. FILTER matches without scoring. minimum_should_match counts SHOULD clauses; with 0 they are
 * optional beside MUST and FILTER, and else one must match. Without any of the three: all documents, score 0, but
 * MUST_NOT's. */
qe_query *qe_query_bool(size_t n, const qe_occur *occurs, qe_query *const *queries, uint32_t minimum_should_match);
qe_query *qe_query_boost(qe_query *inner, float boost);                            /* inner taken */
qe_query *qe_query_constant(qe_query *inner, float score);                         /* inner taken */
qe_query *qe_query_dis_max(size_t n, qe_query *const *queries, float tie_breaker); /* taken */
void qe_query_free(qe_query *q);

/* The product's primitive: a query whose documents pass through C in blocks, anywhere in a tree. For each segment
 * `open` makes a state (NULL: stop with failure), then `block` gets the matches of `inner` in ascending order, at most
 * QE_BLOCK_DOCS at a time, each call with n >= 1; it may drop documents by compacting `docs` and `scores` in place,
 * keeping the order, and set scores; it returns how many remain, or QE_BLOCK_STOP, after which the search ends with
 * QE_ESTOPPED. `close` follows each `open` that gave a state. `scores` hold the inner query's scores when
 * `needs_inner_scores` and the whole search wants scores, else 1.0. Blocks of one state come one after the other on one
 * thread; states of different segments may run in parallel. Blocks that seek() skips are never computed; a block starts
 * small (32) after a seek and grows to QE_BLOCK_DOCS, so that a selective neighbour in a conjunction does not pay for
 * documents it never asks for. */
#define QE_BLOCK_DOCS 2048
#define QE_BLOCK_STOP SIZE_MAX
typedef struct qe_block_fns {
    void *(*open)(void *arg, const qe_searcher *s, size_t segment, bool wants_scores);
    size_t (*block)(void *state, size_t n, uint32_t *docs, float *scores);
    void (*close)(void *state);
    void (*release)(void *arg); /* when the query is freed; may be NULL */
} qe_block_fns;
/* inner is taken; arg is kept until `release`, which comes even when the answer is NULL. */
qe_query *qe_query_blocks(qe_query *inner, bool needs_inner_scores, const qe_block_fns *fns, void *arg);

/* Prepares a query (taken) for a searcher (borrowed: must outlive the weight). */
int qe_weight_new(const qe_searcher *s, qe_query *query, bool wants_scores, qe_weight **out, qe_error *err);
void qe_weight_free(qe_weight *w);
/* Runs over one segment, live documents only, blocks to the callback in ascending order (at most QE_BLOCK_DOCS each);
 * scores are NULL when the weight has none. The callback returns false to end early (QE_ESTOPPED). Threads: any, also
 * several segments of one weight at once. A root made by qe_query_blocks is driven directly, without a per-document
 * virtual call. */
typedef bool qe_collect_fn(void *arg, size_t n, const uint32_t *docs, const float *scores);
int qe_weight_run(const qe_weight *w, size_t segment, qe_collect_fn *cb, void *arg, qe_error *err);
/* Top documents by score with block-max pruning: `cb` sees a document when its score beats the threshold it last
 * returned (in each segment it starts at -FLT_MAX: nothing is skipped until it returns a higher one). Used when the
 * exact number of hits is not wanted, or known. */
typedef float qe_top_fn(void *arg, uint32_t doc, float score);
int qe_weight_top(const qe_weight *w, size_t segment, qe_top_fn *cb, void *arg, qe_error *err);
/* How many live documents match in a segment; cheap for one term without deletions, and for match-all. `*is_cheap` (may
 * be NULL) says whether it is: then no counting pass was needed; when `only_if_cheap` and it is not, *count is left
 * alone. */
int qe_weight_count(const qe_weight *w, size_t segment, bool only_if_cheap, bool *is_cheap, uint64_t *count,
                    qe_error *err);

/* Columns. Several values per document are kept in the order of `_source` for numbers as far as Tantivy keeps it. */
/* *out is NULL when no document of the segment has a value. */
int qe_column_open(const qe_searcher *s, size_t segment, uint32_t field, qe_column **out, qe_error *err);
#define QE_FIELD_SEQ_NO  UINT32_MAX /* the index's own columns */
#define QE_FIELD_VERSION (UINT32_MAX - 1)
void qe_column_free(qe_column *c);
/* First value of each document. `valid[k]` is 1 or 0; out[k] is 0 where it is not valid. Numbers convert: i64 and bool
 * columns give doubles and reverse (truncating). Returns false when the column holds strings. docs ascend. *all_valid
 * (may be NULL): every document has a value. A column that is read a lot is unpacked into memory, 128 MiB per index at
 * most. */
bool qe_column_f64(const qe_column *c, size_t n, const uint32_t *docs, double *out, uint8_t *valid, bool *all_valid);
bool qe_column_i64(const qe_column *c, size_t n, const uint32_t *docs, int64_t *out, uint8_t *valid, bool *all_valid);
/* String columns: first ordinal per document. Ordinals order as their strings do, within the segment. */
bool qe_column_ords(const qe_column *c, size_t n, const uint32_t *docs, uint64_t *out, uint8_t *valid, bool *all_valid);
/* The string of an ordinal: a view valid until the next call on this column, so one column handle per thread. It can
 * cost some 15 us, since a block of the dictionary is decompressed. */
int qe_column_ord_str(qe_column *c, uint64_t ord, const char **p, size_t *n, qe_error *err);
/* All strings at once, for whoever reads many: that of ordinal `i` < `n` is bytes[starts[i] .. starts[i + 1]). Views
 * valid as long as the handle. `wanted`: how many strings the caller is about to read. False: they are not in memory,
 * because too few have been asked for as yet, or there is no room; then qe_column_ord_str gives them one by one. */
typedef struct qe_strings {
    const char *bytes; /* UTF-8 */
    const uint32_t *starts;
    uint64_t n;
} qe_strings;
bool qe_column_strings(const qe_column *c, size_t wanted, qe_strings *out);
/* No document has more than one value: known without a look at any. */
bool qe_column_is_single(const qe_column *c);
/* How many values a document has, and the i-th (numbers or ordinals as above). */
uint32_t qe_column_count(const qe_column *c, uint32_t doc);
bool qe_column_nth_f64(const qe_column *c, uint32_t doc, uint32_t i, double *out);
bool qe_column_nth_i64(const qe_column *c, uint32_t doc, uint32_t i, int64_t *out);
bool qe_column_nth_ord(const qe_column *c, uint32_t doc, uint32_t i, uint64_t *out);
qe_kind qe_column_kind(const qe_column *c);

/* ---- JSON events ------------------------------------------------------------------------------------------------ */

typedef enum qe_event {
    QE_BEGIN_OBJECT,
    QE_END_OBJECT,
    QE_BEGIN_ARRAY,
    QE_END_ARRAY,
    QE_KEY,
    QE_STRING,
    QE_NUMBER_I64,
    QE_NUMBER_F64,
    QE_TRUE,
    QE_FALSE,
    QE_NULL
} qe_event;
typedef struct qe_json_value {
    const char *s; /* QE_KEY, QE_STRING: view valid during the call */
    size_t n;
    int64_t i; /* QE_NUMBER_I64 */
    double f;  /* QE_NUMBER_F64: fractions, exponents, and integers beyond i64 */
} qe_json_value;
/* Returns false to stop (QE_ESTOPPED). */
typedef bool qe_json_fn(void *arg, qe_event event, const qe_json_value *value);
/* Reads one JSON text whole (RFC 8259; trailing bytes, depth over `max_depth` or 127, and bad UTF-8 are QE_ESYNTAX with
 * line and column). Duplicate keys are passed on. */
int qe_json_read(const char *text, size_t len, uint32_t max_depth, qe_json_fn *cb, void *arg, qe_error *err);

/* ---- wasm inspection -------------------------------------------------------------------------------------------- */

/* What a module imports, exports and contains, read without Wasmtime: reading some types (a v128 or a newer reference
 * in a signature) through Wasmtime's C API aborts the process, so nothing is shown to it before this has passed. */
typedef enum qe_wasm_type {
    QE_WASM_I32,
    QE_WASM_I64,
    QE_WASM_F32,
    QE_WASM_F64,
    QE_WASM_V128,
    QE_WASM_REF
} qe_wasm_type;
typedef enum qe_wasm_extern { QE_WASM_FUNC, QE_WASM_TABLE, QE_WASM_MEMORY, QE_WASM_GLOBAL, QE_WASM_TAG } qe_wasm_extern;
typedef struct qe_wasm_item {
    qe_wasm_extern kind;
    const char *module, *name; /* views valid as long as the info; module is empty for exports */
    size_t module_len, name_len;
    const qe_wasm_type *params, *results; /* functions */
    size_t n_params, n_results;
    uint64_t min, max; /* memories: pages of 64 KiB; tables: elements; max is UINT64_MAX when unbounded */
} qe_wasm_item;
typedef struct qe_wasm_custom {
    const char *name;
    size_t name_len;
    const uint8_t *data;
    size_t data_len;
} qe_wasm_custom;
typedef struct qe_wasm_info qe_wasm_info; /* free with qe_wasm_info_free */
/* Validates a core module (`features`: WebAssembly 2.0 and SIMD as Wasmtime is configured: no threads, no memory64, no
 * exceptions, no GC, no references to objects of the host, no component). The bytes are borrowed.
 * Errors: QE_ESYNTAX with offset and wasmparser's message. */
int qe_wasm_inspect(const uint8_t *bytes, size_t len, qe_wasm_info **out, qe_error *err);
void qe_wasm_info_free(qe_wasm_info *info);
size_t qe_wasm_imports(const qe_wasm_info *info, const qe_wasm_item **items);
size_t qe_wasm_exports(const qe_wasm_info *info, const qe_wasm_item **items);
size_t qe_wasm_customs(const qe_wasm_info *info, const qe_wasm_custom **customs);
typedef struct qe_wasm_shape {
    uint32_t functions, tables, globals, data_segments;
    bool has_start;
    /* Ends by itself: no loop, no recursion (cycles in the call graph), no indirect call, in what exports and start
     * reach. Then longest_path bounds one call of any of these, in units of about a nanosecond at worst (cost.rs): a
     * simple instruction is 1, a read of memory 32, a host function 64, bulk memory 2^20. Saturates. */
    bool is_bounded;
    uint64_t longest_path;
} qe_wasm_shape;
qe_wasm_shape qe_wasm_shape_of(const qe_wasm_info *info);

/* Native code of a module, made by an engine of Wasmtime's C API for the target that it is configured for, as
 * wasmtime_module_deserialize takes it. The bytes are borrowed. Errors: QE_EINVAL when the compiler refuses, QE_EPANIC
 * when it fails. */
struct wasm_engine_t;
typedef struct qe_code qe_code; /* free with qe_code_free */
int qe_wasm_compile(const struct wasm_engine_t *engine, const uint8_t *bytes, size_t len, qe_code **out, qe_error *err);
const uint8_t *qe_code_bytes(const qe_code *code, size_t *len); /* view until it is freed */
void qe_code_free(qe_code *code);

/* Modules joined into one, each valid by itself: where a part imports something of the module `name` of another part,
 * and that exports it, the import is gone. The module exports all that the first part exports, and of the others what
 * no part imports, as "part:export". Calls from part to part are inlined where the callee is small; those within a part
 * stay as its compiler left them. It keeps the names of the first part's functions; those of others go by the name of
 * what they call of it, or by their part's. The result is wasm, `out` as of qe_wasm_compile. Errors: QE_EINVAL (kinds
 * that do not fit, an export twice, two start functions). */
typedef struct qe_wasm_part {
    const char *name;
    size_t name_len;
    const uint8_t *bytes;
    size_t len;
} qe_wasm_part;
int qe_wasm_join(const qe_wasm_part *parts, size_t n, qe_code **out, qe_error *err);
/* Where the instructions of what qe_wasm_join makes of these came from; 16 bytes for each. */
typedef struct qe_join_map qe_join_map; /* free with qe_join_map_free; immutable */
int qe_wasm_join_map(const qe_wasm_part *parts, size_t n, qe_join_map **out, qe_error *err);
/* The instruction at an offset in the joined module: its function and its offset in the first part; false when it is
 * not of that. */
bool qe_join_map_find(const qe_join_map *map, size_t offset, uint32_t *function, size_t *from);
void qe_join_map_free(qe_join_map *map);

/* What the memories and the tables of a store may have together, over all modules in it; Wasmtime's C API bounds each
 * of them alone. Read and written whenever something in the store grows, so by the thread that uses the store. */
typedef struct qe_store_budget {
    uint64_t memory_bytes, table_elements;    /* the most */
    size_t instances, memories;               /* of these, too; read once, when it is set */
    bool is_off;                              /* what grows now is not counted and not refused */
    uint64_t used_bytes, used_elements;       /* so far; memories and tables never shrink */
    uint64_t refused_bytes, refused_elements; /* by which the last one could not grow for want of budget; 0: none */
} qe_store_budget;
struct wasmtime_store;
/* `budget`: kept until the store is deleted. Errors: QE_EPANIC. */
int qe_store_set_budget(struct wasmtime_store *store, qe_store_budget *budget, qe_error *err);

#ifdef __cplusplus
}
#endif
#endif
