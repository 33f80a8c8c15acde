/* SPDX-License-Identifier: Apache-2.0
 *
 * The public API (include/quidditch/) over the rooms, and the rooms of an open database for those who serve it (the
 * daemon). database.c opens and closes; database_calls.c is the argument checking and forwarding of each public call.
 */
#ifndef QD_NODE_DATABASE_H
#define QD_NODE_DATABASE_H

#include "node/node.h"
#include "quidditch/quidditch.h"
#include "udf/audit.h"
#include "udf/registry.h"
#include "wasm/engine.h"

struct qd_database {
    qd_wasm_engine *engine;
    qd_node *node;
    qd_trust *trust;
    qd_audit *audit; /* NULL: none is kept */
    qd_stats_keeper *stats;
    qd_quarantine *quarantine;
    qd_registry *registry;
    qd_pool *pool; /* helps a query over several segments; NULL: the caller works alone */
};

/* What the daemon sets and the public options do not show. */
typedef struct qd_database_parts {
    qd_node_options node;
    qd_registry_options registry;
    qd_wasm_engine_options engine;
    qd_stats_keeper_options stats;
    qd_quarantine_options quarantine;
    qd_audit_options audit;                /* in the node's store; max_bytes 0: none */
    const char *trust_policy, *trust_keys; /* see qd_trust_open */
    unsigned search_threads;               /* 0: no pool of the database's own */
} qd_database_parts;
/* clang-format off */
#define QD_DATABASE_PARTS_INIT {QD_NODE_OPTIONS_INIT, QD_REGISTRY_OPTIONS_INIT, QD_WASM_ENGINE_OPTIONS_INIT, \
                                QD_STATS_KEEPER_OPTIONS_INIT, QD_QUARANTINE_OPTIONS_INIT, QD_AUDIT_OPTIONS_INIT, \
                                "off", "", 0}
/* clang-format on */

/* qd_database_open in full. Order: trusted keys, node (recovers the indices), engine (its cache
 * of native code lies in the data directory), audit log, statistics, quarantine, registry. The registry gets those of
 * the database, and all of them tell the node's log. */
qd_status qd_database_open_parts(const qd_database_parts *parts, qd_database **out, qd_error *err);

#endif
