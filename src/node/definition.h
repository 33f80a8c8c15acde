/* SPDX-License-Identifier: Apache-2.0
 *
 * An index as the kv keeps it: bucket "index", key = name, value = {"uuid","created","settings","mappings"} with the
 * mapping's fields in their order. */
#ifndef QD_NODE_DEFINITION_H
#define QD_NODE_DEFINITION_H

#include "index/mapping.h"
#include "node/ids.h"
#include "node/settings.h"
#include "store/kv.h"

#define QD_DEFINITION_BUCKET QD_STR("index")

typedef struct qd_definition {
    char uuid[QD_UUID_SIZE];
    int64_t created_ms;
    qd_settings settings;
    qd_mapping *mapping;
    uint64_t revision; /* of the kv entry */
} qd_definition;

/* Out of the kv's bytes. Errors: QD_EIO ("index 'x': its definition is damaged: …"). */
qd_status qd_definition_read(const char *name, qd_str bytes, uint64_t revision, int64_t default_refresh_interval_ms,
                             qd_definition *out, qd_error *err);
/* Writes it where `expected` (QD_KV_ABSENT, or the revision seen) still stands; *revision is the new one. */
qd_status qd_definition_put(qd_kv *kv, const char *name, const qd_definition *d, uint64_t expected, uint64_t *revision,
                            qd_error *err);
void qd_definition_deinit(qd_definition *d);

#endif
