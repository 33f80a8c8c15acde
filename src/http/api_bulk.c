/* SPDX-License-Identifier: Apache-2.0
 *
 * _bulk: the node parses and runs it (node/bulk.h). */
#include "http/api.h"
#include "node/bulk.h"

qd_status qd_api_bulk(qd_request *rq, qd_error *err)
{
    qd_bulk_request bulk = {.body = rq->body, .default_index = qd_request_arg(rq, 0)};
    bool require_alias = false;
    if (rq->body.n == 0)
        return qd_fail(err, QD_EPARSE, "request body is required");
    qd_status status = qd_request_refresh(rq, &bulk.refresh, err);
    if (status == QD_OK)
        status = qd_request_bool(rq, "require_alias", &require_alias, err);
    if (status == QD_OK && require_alias)
        status = qd_fail_field(err, QD_EUNSUPPORTED, "require_alias", "require_alias: aliases are not supported yet");
    return status == QD_OK ? qd_bulk_run(rq->api->node, &bulk, &rq->json, err) : status;
}
