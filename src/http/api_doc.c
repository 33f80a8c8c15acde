/* SPDX-License-Identifier: Apache-2.0
 *
 * One document: index, create, get, delete. Answers come after the write is durable (DESIGN 5). */
#include <stdio.h>
#include <stdlib.h>

#include "http/shards.h"

#define PRIMARY_TERM 1

static void write_identity(qd_json *w, const qd_index *ix, qd_str id)
{
    qd_json_kv_z(w, "_index", qd_index_name(ix));
    qd_json_key(w, "_id");
    qd_json_str(w, id);
}

static const char *result_of(const qd_op *op)
{
    if (op->type == QD_OP_DELETE)
        return op->found ? "deleted" : "not_found";
    return op->created ? "created" : "updated";
}

/* "/index/_doc/id" for the Location of a new document, with everything but unreserved characters encoded. */
static const char *location_of(const qd_request *rq, const qd_index *ix, qd_str id)
{
    static const char UNRESERVED[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    const char *name = qd_index_name(ix);
    char *p = qd_arena_alloc(rq->arena, strlen(name) * 3 + id.n * 3 + sizeof "//_doc/"), *at = p;
    if (!p)
        return NULL;
    *at++ = '/';
    for (size_t part = 0; part < 2; part++) {
        qd_str text = part ? id : qd_str_of(name);
        for (size_t i = 0; i < text.n; i++) {
            if (text.p[i] && strchr(UNRESERVED, text.p[i]))
                *at++ = text.p[i];
            else
                at += snprintf(at, 4, "%%%02X", (unsigned char)text.p[i]);
        }
        if (!part) {
            memcpy(at, "/_doc/", 6);
            at += 6;
        }
    }
    *at = '\0';
    return p;
}

static void write_outcome(qd_request *rq, const qd_index *ix, const qd_op *op, bool is_refreshed)
{
    qd_json *w = &rq->json;
    qd_json_begin_object(w);
    write_identity(w, ix, op->result_id);
    qd_json_kv_i64(w, "_version", op->version);
    qd_json_kv_z(w, "result", result_of(op));
    if (is_refreshed)
        qd_json_kv_bool(w, "forced_refresh", true);
    qd_shards_write(w, 1);
    qd_json_kv_i64(w, "_seq_no", op->seq_no);
    qd_json_kv_i64(w, "_primary_term", PRIMARY_TERM);
    qd_json_end_object(w);
    if (op->type == QD_OP_DELETE) {
        rq->http_status = op->found ? 200 : 404;
        return;
    }
    rq->http_status = op->created ? 201 : 200;
    if (op->created)
        qd_request_add_header(rq, "Location", location_of(rq, ix, op->result_id));
}

/* Runs one operation on an index that is held, and answers. */
static qd_status run(qd_request *rq, qd_index *ix, qd_op *op, qd_error *err)
{
    bool refresh = false;
    qd_status status = qd_request_refresh(rq, &refresh, err);
    if (status == QD_OK)
        status = qd_index_write(ix, op, 1, err);
    if (status == QD_OK && op->status != QD_OK) {
        if (err)
            *err = op->error;
        return op->status;
    }
    if (status == QD_OK && refresh)
        status = qd_index_refresh(ix, err);
    if (status == QD_OK)
        write_outcome(rq, ix, op, refresh);
    return status;
}

static qd_status read_conditions(const qd_request *rq, qd_op *op, qd_error *err)
{
    qd_status status = qd_request_i64(rq, "if_seq_no", 0, INT64_MAX, &op->if_seq_no, err);
    if (status == QD_OK)
        status = qd_request_i64(rq, "if_primary_term", 1, INT64_MAX, &op->if_primary_term, err);
    if (status != QD_OK)
        return status;
    if (qd_request_has(rq, "if_seq_no") != qd_request_has(rq, "if_primary_term"))
        return qd_fail(err, QD_EINVAL, "Validation Failed: 1: ifSeqNo and primary term must be given together;");
    return QD_OK;
}

static qd_status refuse_alias(const qd_request *rq, qd_error *err)
{
    bool require_alias = false;
    qd_status status = qd_request_bool(rq, "require_alias", &require_alias, err);
    if (status != QD_OK || !require_alias)
        return status;
    return qd_fail_field(err, QD_EUNSUPPORTED, "require_alias", "require_alias: aliases are not supported yet");
}

static qd_status index_document(qd_request *rq, qd_op_type type, qd_error *err)
{
    qd_op op = {.type = type,
                .id = qd_request_arg(rq, 1),
                .source = rq->body,
                .if_seq_no = QD_SEQ_ANY,
                .if_primary_term = QD_SEQ_ANY};
    qd_index *ix = NULL;
    if (rq->body.n == 0)
        return qd_fail(err, QD_EPARSE, "request body is required");
    qd_status status = read_conditions(rq, &op, err);
    if (status == QD_OK)
        status = refuse_alias(rq, err);
    if (status == QD_OK)
        status = qd_node_index_or_create(rq->api->node, qd_request_arg(rq, 0), &ix, err);
    if (status != QD_OK)
        return status;
    status = run(rq, ix, &op, err);
    qd_index_unref(ix);
    return status;
}

qd_status qd_api_doc_index(qd_request *rq, qd_error *err)
{
    qd_str type = QD_STR("index");
    qd_request_str(rq, "op_type", &type);
    if (!qd_str_is(type, "index") && !qd_str_is(type, "create"))
        return qd_fail_field(err, QD_EINVAL, "op_type", "opType must be 'create' or 'index', found: [%.*s]",
                             QD_STR_FMT(type));
    return index_document(rq, qd_str_is(type, "create") ? QD_OP_CREATE : QD_OP_INDEX, err);
}

qd_status qd_api_doc_create(qd_request *rq, qd_error *err)
{
    return index_document(rq, QD_OP_CREATE, err);
}

qd_status qd_api_doc_delete(qd_request *rq, qd_error *err)
{
    qd_op op = {
        .type = QD_OP_DELETE, .id = qd_request_arg(rq, 1), .if_seq_no = QD_SEQ_ANY, .if_primary_term = QD_SEQ_ANY};
    qd_index *ix = NULL;
    qd_status status = read_conditions(rq, &op, err);
    if (status == QD_OK)
        status = qd_node_index(rq->api->node, qd_request_arg(rq, 0), &ix, err);
    if (status != QD_OK)
        return status;
    status = run(rq, ix, &op, err);
    qd_index_unref(ix);
    return status;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* *ix: reference owned by caller; got->source too. */
static qd_status get(qd_request *rq, qd_index **ix, qd_get_result *got, qd_error *err)
{
    qd_index *found = NULL;
    bool refresh = false;
    qd_status status = qd_request_refresh(rq, &refresh, err);
    if (status == QD_OK)
        status = qd_node_index(rq->api->node, qd_request_arg(rq, 0), &found, err);
    if (status == QD_OK && refresh)
        status = qd_index_refresh(found, err);
    if (status == QD_OK)
        status = qd_index_get(found, qd_request_arg(rq, 1), got, err);
    if (status == QD_OK)
        *ix = found;
    else
        qd_index_unref(found);
    return status;
}

qd_status qd_api_doc_get(qd_request *rq, qd_error *err)
{
    qd_index *ix = NULL;
    qd_get_result got = {0};
    bool with_source = true;
    qd_status status = qd_request_bool(rq, "_source", &with_source, err);
    if (status == QD_OK)
        status = get(rq, &ix, &got, err);
    if (status != QD_OK)
        return status;
    qd_json *w = &rq->json;
    qd_json_begin_object(w);
    write_identity(w, ix, qd_request_arg(rq, 1));
    if (got.found) {
        qd_json_kv_i64(w, "_version", got.version);
        qd_json_kv_i64(w, "_seq_no", got.seq_no);
        qd_json_kv_i64(w, "_primary_term", PRIMARY_TERM);
    }
    qd_json_kv_bool(w, "found", got.found);
    if (got.found && with_source) {
        qd_json_key(w, "_source");
        qd_json_raw(w, (qd_str){got.source, got.source_len});
    }
    qd_json_end_object(w);
    rq->http_status = got.found ? 200 : 404;
    free(got.source);
    qd_index_unref(ix);
    return QD_OK;
}

qd_status qd_api_doc_source(qd_request *rq, qd_error *err)
{
    qd_index *ix = NULL;
    qd_get_result got = {0};
    qd_status status = get(rq, &ix, &got, err);
    if (status != QD_OK)
        return status;
    if (got.found)
        qd_buf_add(&rq->out, got.source, got.source_len);
    else
        status = qd_fail(err, QD_ENOTFOUND, "Document not found [%s]/[%.*s]", qd_index_name(ix),
                         QD_STR_FMT(qd_request_arg(rq, 1)));
    free(got.source);
    qd_index_unref(ix);
    return status;
}
