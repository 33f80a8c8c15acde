/* SPDX-License-Identifier: Apache-2.0
 *
 * Indices and documents. Requests and answers are OpenSearch's JSON. */
#ifndef QUIDDITCH_INDEX_H
#define QUIDDITCH_INDEX_H

#include "quidditch/error.h"
#include "quidditch/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Creates an index. `body`: {"settings": {…}, "mappings": {"properties": {…}}}, or empty for a dynamic mapping.
 * Errors: QD_EINDEX_NAME, QD_EINDEX_EXISTS, QD_EMAPPING, QD_EINVAL. */
qd_status qd_database_create_index(qd_database *db, const char *name, const char *body, size_t body_len, qd_error *err);

/* Removes an index and its data. Errors: QD_EINDEX_NOTFOUND. */
qd_status qd_database_delete_index(qd_database *db, const char *name, qd_error *err);

/* Runs a bulk body: lines of actions and documents, as for POST /{index}/_bulk. On QD_OK each item of the answer tells
 * its own outcome, and those without an error are durable. Errors: QD_EPARSE (nothing was done). */
qd_status qd_database_bulk(qd_database *db, const char *index, const char *body, size_t body_len, char **answer,
                           qd_error *err);

/* A document's source by id, realtime: an acknowledged write is seen at once.
 * Errors: QD_EINDEX_NOTFOUND, QD_ENOTFOUND. */
qd_status qd_database_get(qd_database *db, const char *index, const char *id, size_t id_len, char **source,
                          qd_error *err);

/* Makes every acknowledged write searchable. Errors: QD_EINDEX_NOTFOUND, QD_EIO. */
qd_status qd_database_refresh(qd_database *db, const char *index, qd_error *err);

#ifdef __cplusplus
}
#endif
#endif
