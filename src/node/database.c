/* SPDX-License-Identifier: Apache-2.0 */
#include "node/database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A quarantine is the one change that nobody asked for. */
static void record_quarantine(void *arg, const qd_quarantine_event *event)
{
    const qd_str label = event->label;
    const char *at = memchr(label.p, '@', label.n);
    size_t n = at ? (size_t)(at - label.p) : label.n;
    const qd_audit_entry e = {.action = QD_AUDIT_QUARANTINE,
                              .outcome = QD_AUDIT_OK,
                              .actor = QD_STR("quidditch"),
                              .name = {label.p, n},
                              .version = at ? (qd_str){at + 1, label.n - n - 1} : QD_STR(""),
                              .hash = event->hash,
                              .detail = qd_str_of(event->why)};
    (void)qd_audit_append(arg, &e, NULL); /* the quarantine stands, recorded or not */
}

static qd_status open_audit(qd_database *db, const qd_database_parts *parts, qd_error *err)
{
    char dir[4096];
    qd_audit_options o = parts->audit;
    if (o.max_bytes == 0)
        return QD_OK;
    o.log = parts->node.log;
    o.log_arg = parts->node.log_arg;
    if ((size_t)snprintf(dir, sizeof dir, "%s/audit", parts->node.data_dir) >= sizeof dir)
        return qd_fail(err, QD_EINVAL, "the data directory's name is too long");
    /* An audit log that begins anew unasked is what nobody wants to find. */
    if (access(dir, F_OK) == 0)
        return qd_fail(err, QD_EINVAL,
                       "'%s' is the audit log of an earlier version, which this one neither reads nor goes on with: it "
                       "keeps its own in the store; move that directory to where you keep it, and start again",
                       dir);
    return qd_audit_open(qd_node_kv(db->node), &o, &db->audit, err);
}

/* What is known about functions first, then the functions. */
static qd_status open_registry(qd_database *db, const qd_database_parts *parts, qd_error *err)
{
    qd_kv *kv = qd_node_kv(db->node);
    qd_registry_options registry = parts->registry;
    qd_stats_keeper_options stats = parts->stats;
    qd_quarantine_options quarantine = parts->quarantine;
    stats.log = quarantine.log = parts->node.log;
    stats.log_arg = quarantine.log_arg = parts->node.log_arg;
    quarantine.on_quarantine = db->audit ? record_quarantine : NULL;
    quarantine.on_quarantine_arg = db->audit;
    qd_status st = qd_stats_keeper_open(kv, &stats, &db->stats, err);
    if (st == QD_OK)
        st = qd_quarantine_open(kv, &quarantine, &db->quarantine, err);
    if (st != QD_OK)
        return st;
    registry.trust = db->trust;
    registry.audit = db->audit;
    registry.stats = db->stats;
    registry.quarantine = db->quarantine;
    return qd_registry_open(kv, db->engine, &registry, parts->node.log, parts->node.log_arg, &db->registry, err);
}

/* Behind the node, which makes the data directory and holds it alone. The registry lets idle code go at its own limit;
 * the engine's lies a quarter above, so that it is met only by what is in use. */
static qd_status open_engine(qd_database *db, const qd_database_parts *parts, qd_error *err)
{
    char cache_dir[4096];
    qd_wasm_engine_options o = parts->engine;
    o.max_code_bytes = parts->registry.max_code_bytes + parts->registry.max_code_bytes / 4;
    o.log = parts->node.log;
    o.log_arg = parts->node.log_arg;
    if ((size_t)snprintf(cache_dir, sizeof cache_dir, "%s/native", parts->node.data_dir) >= sizeof cache_dir)
        return qd_fail(err, QD_EINVAL, "the data directory's name is too long");
    o.cache_dir = o.cache_bytes ? cache_dir : NULL;
    return qd_wasm_engine_new(&o, &db->engine, err);
}

qd_status qd_database_open_parts(const qd_database_parts *parts, qd_database **out, qd_error *err)
{
    qd_database *db = calloc(1, sizeof *db);
    if (!db)
        return qd_fail_nomem(err);
    qd_status st = qd_trust_open(parts->trust_policy, parts->trust_keys, &db->trust, err);
    if (st == QD_OK)
        st = qd_node_open(&parts->node, &db->node, err);
    if (st == QD_OK)
        st = open_engine(db, parts, err);
    if (st == QD_OK)
        st = open_audit(db, parts, err);
    if (st == QD_OK)
        st = open_registry(db, parts, err);
    if (st == QD_OK && parts->search_threads > 0)
        st = qd_pool_new("search", parts->search_threads, 1024, &db->pool, err);
    if (st == QD_OK)
        *out = QD_TAKE(db);
    qd_database_close(db);
    return st;
}

static qd_status check_options(const qd_database_options *o, qd_error *err)
{
    if (o->size != sizeof *o)
        return qd_fail(err, QD_EINVAL, "options: expected size %zu, got %zu; start from QD_DATABASE_OPTIONS_INIT",
                       sizeof *o, o->size);
    if (o->writer_memory_bytes < (size_t)15 << 20)
        return qd_fail(err, QD_EINVAL, "options: writer_memory_bytes is %zu, expected at least 15 MiB",
                       o->writer_memory_bytes);
    return QD_OK;
}

qd_status qd_database_open(const char *data_dir, const qd_database_options *options, qd_database **out, qd_error *err)
{
    const qd_database_options defaults = QD_DATABASE_OPTIONS_INIT;
    const qd_database_options *o = options ? options : &defaults;
    if (!data_dir || !out)
        return qd_fail(err, QD_EINVAL, "qd_database_open: expected a data directory and a place for the handle");
    qd_status st = check_options(o, err);
    if (st != QD_OK)
        return st;
    qd_database_parts parts = QD_DATABASE_PARTS_INIT;
    parts.search_threads = o->search_threads;
    parts.node.data_dir = data_dir;
    parts.node.writer_memory_bytes = o->writer_memory_bytes;
    parts.node.refresh_interval_ms = o->refresh_interval_ms;
    parts.node.log = o->log;
    parts.node.log_arg = o->log_arg;
    parts.registry.limits.call_ms = o->call_ms;
    parts.registry.limits.memory_bytes = o->udf_memory_bytes;
    return qd_database_open_parts(&parts, out, err);
}

void qd_database_close(qd_database *db)
{
    if (!db)
        return;
    qd_pool_free(db->pool);
    qd_registry_close(db->registry);
    qd_quarantine_close(db->quarantine);
    qd_stats_keeper_close(db->stats);
    qd_audit_close(db->audit);
    qd_node_close(db->node);
    qd_wasm_engine_free(db->engine);
    qd_trust_close(db->trust);
    free(db);
}
