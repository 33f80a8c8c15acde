/* SPDX-License-Identifier: Apache-2.0
 *
 * Items run in chunks, so that a large request takes memory for its answer and for one chunk of operations, and in each
 * chunk index by index in the order given. The answer keeps the order of the request. */
#include "node/bulk.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/map.h"
#include "node/bulk_parse.h"

#define CHUNK_ITEMS      8192
#define ARENA_MAX_BYTES  ((size_t)512 << 20)
#define ANSWER_MAX_BYTES ((size_t)1 << 30)

/* An index that the request writes to. */
typedef struct group {
    qd_str name;
    qd_index *index; /* NULL until a chunk needs it, or `status` says why not */
    qd_status status;
    qd_error error;
    size_t first, n, used; /* its operations in this chunk */
    bool has_documents;    /* not only deletions: it may be created */
} group;

typedef struct run {
    qd_node *node;
    bool refresh;
    const qd_bulk_item *items;
    group *groups;
    size_t n_groups, capacity;
    qd_map *by_name;    /* index name -> number of its group + 1 */
    size_t *group_of;   /* by place in the chunk; SIZE_MAX: refused */
    qd_op **op_of;      /* by place in the chunk; NULL: refused */
    qd_op *ops;         /* of the chunk, group by group */
    bool has_errors;
    qd_json *w;
} run;

/* ---- groups ---- */

static qd_status group_for(run *r, qd_str name, size_t *out, qd_error *err)
{
    if (r->n_groups > 0 && qd_str_eq(r->groups[r->n_groups - 1].name, name)) {
        *out = r->n_groups - 1;
        return QD_OK;
    }
    uintptr_t known = (uintptr_t)qd_map_get(r->by_name, name);
    if (known) {
        *out = known - 1;
        return QD_OK;
    }
    if (r->n_groups == r->capacity) {
        size_t capacity = r->capacity ? 2 * r->capacity : 4;
        group *grown = realloc(r->groups, capacity * sizeof *grown);
        if (!grown)
            return qd_fail_nomem(err);
        r->groups = grown;
        r->capacity = capacity;
    }
    if (!qd_map_put(r->by_name, name, (void *)(uintptr_t)(r->n_groups + 1), NULL))
        return qd_fail_nomem(err);
    r->groups[r->n_groups] = (group){.name = name};
    *out = r->n_groups++;
    return QD_OK;
}

static void open_group(run *r, group *g)
{
    if (g->index || g->n == 0)
        return;
    g->status = g->has_documents ? qd_node_index_or_create(r->node, g->name, &g->index, &g->error)
                                 : qd_node_index(r->node, g->name, &g->index, &g->error);
}

static qd_status assign_groups(run *r, const qd_bulk_item *items, size_t n, qd_error *err)
{
    for (size_t k = 0; k < r->n_groups; k++)
        r->groups[k].n = r->groups[k].used = 0;
    for (size_t i = 0; i < n; i++) {
        r->group_of[i] = SIZE_MAX;
        if (items[i].refused)
            continue;
        qd_status st = group_for(r, items[i].index, &r->group_of[i], err);
        if (st != QD_OK)
            return st;
        group *g = &r->groups[r->group_of[i]];
        g->n++;
        g->has_documents = g->has_documents || items[i].action != QD_BULK_DELETE;
    }
    size_t first = 0;
    for (size_t k = 0; k < r->n_groups; k++) {
        r->groups[k].first = first;
        first += r->groups[k].n;
    }
    return QD_OK;
}

/* ---- running ---- */

static qd_op op_of(const qd_bulk_item *item)
{
    static const qd_op_type TYPES[] = {
        [QD_BULK_INDEX] = QD_OP_INDEX, [QD_BULK_CREATE] = QD_OP_CREATE, [QD_BULK_DELETE] = QD_OP_DELETE};
    return (qd_op){.type = TYPES[item->action],
                   .id = item->id,
                   .source = item->source,
                   .if_seq_no = item->if_seq_no,
                   .if_primary_term = item->if_primary_term};
}

static void run_group(run *r, group *g)
{
    open_group(r, g);
    qd_error err = g->error;
    qd_status st = g->index ? qd_index_write(g->index, r->ops + g->first, g->n, &err) : g->status;
    for (size_t i = 0; st != QD_OK && i < g->n; i++) {
        qd_op *op = &r->ops[g->first + i];
        op->status = st;
        op->error = err;
        op->result_id = op->id;
    }
}

/* ---- answering ---- */

/* What the search API calls an error of a document. Malformed JSON in a document is a matter of its mapping there. */
static void write_error(run *r, const qd_bulk_item *item, qd_status st, const char *reason)
{
    qd_json *w = r->w;
    const qd_status_info *info = qd_status_describe(st);
    uintptr_t known = (uintptr_t)qd_map_get(r->by_name, item->index);
    const qd_index *index = known ? r->groups[known - 1].index : NULL;
    qd_json_kv_i64(w, "status", info->http_status);
    qd_json_key(w, "error");
    qd_json_begin_object(w);
    qd_json_kv_z(w, "type", st == QD_EPARSE ? "mapper_parsing_exception" : info->search_type);
    qd_json_kv_z(w, "reason", reason);
    if (st == QD_ECONFLICT || st == QD_EINDEX_NOTFOUND) {
        qd_json_key(w, "index");
        qd_json_str(w, item->index);
        if (st == QD_ECONFLICT)
            qd_json_kv_z(w, "shard", "0");
        qd_json_kv_z(w, "index_uuid", index ? qd_index_uuid(index) : "_na_");
    }
    qd_json_end_object(w);
    r->has_errors = true;
}

static void write_success(run *r, const qd_op *op)
{
    static const char *const RESULTS[] = {"updated", "created", "not_found", "deleted"};
    bool is_delete = op->type == QD_OP_DELETE;
    qd_json *w = r->w;
    qd_json_kv_i64(w, "_version", op->version);
    qd_json_kv_z(w, "result", RESULTS[is_delete ? 2 + op->found : op->created]);
    if (r->refresh)
        qd_json_kv_bool(w, "forced_refresh", true);
    qd_json_key(w, "_shards");
    qd_json_raw(w, QD_STR("{\"total\":1,\"successful\":1,\"failed\":0}"));
    qd_json_kv_i64(w, "_seq_no", op->seq_no);
    qd_json_kv_i64(w, "_primary_term", 1);
    qd_json_kv_i64(w, "status", op->created ? 201 : is_delete && !op->found ? 404 : 200);
}

static void write_item(run *r, const qd_bulk_item *item, const qd_op *op)
{
    qd_json *w = r->w;
    qd_str id = op ? op->result_id : item->id;
    qd_json_begin_object(w);
    qd_json_key(w, qd_bulk_action_name(item->action));
    qd_json_begin_object(w);
    qd_json_key(w, "_index");
    qd_json_str(w, item->index);
    qd_json_key(w, "_id");
    if (id.n > 0)
        qd_json_str(w, id);
    else
        qd_json_null(w);
    if (!op)
        write_error(r, item, QD_EINVAL, item->refused);
    else if (op->status != QD_OK)
        write_error(r, item, op->status, op->error.message);
    else
        write_success(r, op);
    qd_json_end_object(w);
    qd_json_end_object(w);
}

static qd_status run_chunk(run *r, const qd_bulk_item *items, size_t n, qd_error *err)
{
    qd_status st = assign_groups(r, items, n, err);
    if (st != QD_OK)
        return st;
    for (size_t i = 0; i < n; i++) {
        group *g = r->group_of[i] == SIZE_MAX ? NULL : &r->groups[r->group_of[i]];
        r->op_of[i] = g ? &r->ops[g->first + g->used++] : NULL;
        if (g)
            *r->op_of[i] = op_of(&items[i]);
    }
    for (size_t k = 0; k < r->n_groups; k++)
        if (r->groups[k].n > 0)
            run_group(r, &r->groups[k]);
    for (size_t i = 0; i < n; i++)
        write_item(r, &items[i], r->op_of[i]);
    return QD_OK;
}

static qd_status refresh_all(run *r, qd_error *err)
{
    qd_status st = QD_OK;
    for (size_t k = 0; k < r->n_groups && st == QD_OK && r->refresh; k++)
        if (r->groups[k].index)
            st = qd_index_refresh(r->groups[k].index, err);
    return st;
}

static qd_status run_init(run *r, size_t n, qd_error *err)
{
    size_t chunk = n < CHUNK_ITEMS ? n : CHUNK_ITEMS;
    r->by_name = qd_map_new();
    r->group_of = calloc(chunk, sizeof *r->group_of);
    r->op_of = calloc(chunk, sizeof(qd_op *));
    r->ops = calloc(chunk, sizeof *r->ops);
    return r->by_name && r->group_of && r->op_of && r->ops ? QD_OK : qd_fail_nomem(err);
}

static void run_deinit(run *r)
{
    for (size_t k = 0; k < r->n_groups; k++)
        qd_index_unref(r->groups[k].index);
    free(r->groups);
    qd_map_free(r->by_name, NULL);
    free(r->group_of);
    free(r->op_of);
    free(r->ops);
}

/* `items` is the answer's array so far; `w` the answer itself. */
static qd_status write_answer(const run *r, const qd_buf *items, int64_t start_ns, qd_json *w, qd_error *err)
{
    if (items->failed)
        return qd_fail(err, QD_ELIMIT,
                       "the answer to the bulk request is over %zu bytes, or memory is short: send it in parts (what "
                       "it holds was done)",
                       items->max);
    qd_json_begin_object(w);
    qd_json_kv_i64(w, "took", (qd_clock_mono_ns() - start_ns) / 1000000);
    qd_json_kv_bool(w, "errors", r->has_errors);
    qd_json_key(w, "items");
    qd_json_raw(w, qd_buf_str(items));
    qd_json_end_object(w);
    return QD_OK;
}

qd_status qd_bulk_run(qd_node *n, const qd_bulk_request *rq, qd_json *w, qd_error *err)
{
    int64_t start_ns = qd_clock_mono_ns();
    qd_bulk_item *items = NULL;
    size_t count = 0;
    qd_buf buf;
    qd_json answer;
    qd_arena *arena = qd_arena_new(ARENA_MAX_BYTES);
    run r = {.node = n, .refresh = rq->refresh, .w = &answer};
    qd_buf_init(&buf, ANSWER_MAX_BYTES);
    qd_json_init(&answer, &buf, w->pretty);
    qd_status st = arena ? qd_bulk_parse(rq->body, rq->default_index, arena, &items, &count, err) : qd_fail_nomem(err);
    if (st == QD_OK)
        st = run_init(&r, count, err);
    qd_json_begin_array(&answer);
    for (size_t i = 0; i < count && st == QD_OK; i += CHUNK_ITEMS)
        st = run_chunk(&r, items + i, count - i < CHUNK_ITEMS ? count - i : CHUNK_ITEMS, err);
    qd_json_end_array(&answer);
    if (st == QD_OK)
        st = refresh_all(&r, err);
    if (st == QD_OK)
        st = write_answer(&r, &buf, start_ns, w, err);
    run_deinit(&r);
    free(items);
    qd_arena_free(arena);
    qd_buf_deinit(&buf);
    return st;
}
