/* SPDX-License-Identifier: Apache-2.0 */
#include "http/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/api.h"
#include "http/metrics_udf.h"
#include "quidditch/version.h"

/* Answers by the first digit of their status; 0 and 1 stay empty. */
#define STATUS_CLASSES 6

typedef struct class_counters {
    atomic_uint_fast64_t answers[STATUS_CLASSES];
    atomic_uint_fast64_t total_ns;
} class_counters;

struct qd_metrics {
    const qd_route *routes;
    size_t n;
    size_t *class_of;         /* row -> the first row of that name */
    class_counters *counters; /* by that first row */
    int64_t started_ns;
};

/* What is read from the node once for one answer. */
typedef struct snapshot {
    const qd_metrics *metrics;
    uint64_t indices, indices_failed, indices_reopened, docs, segments, store_bytes, functions, rss_bytes,
        inflight_bytes;
} snapshot;

typedef struct metric {
    const char *name, *type, *help;
    void (*write)(const struct metric *m, const snapshot *s, qd_buf *out);
    size_t offset; /* of the snapshot's value, for write_value */
} metric;

qd_metrics *qd_metrics_new(const qd_route *routes, size_t n)
{
    qd_metrics *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->routes = routes;
    m->n = n;
    m->class_of = calloc(n, sizeof *m->class_of);
    m->counters = calloc(n, sizeof *m->counters);
    m->started_ns = qd_clock_mono_ns();
    if (!m->class_of || !m->counters) {
        qd_metrics_free(m);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        size_t first = 0;
        while (strcmp(routes[first].name, routes[i].name) != 0)
            first++;
        m->class_of[i] = first;
    }
    return m;
}

void qd_metrics_free(qd_metrics *m)
{
    if (!m)
        return;
    free(m->class_of);
    free(m->counters);
    free(m);
}

void qd_metrics_count(qd_metrics *m, const qd_route *route, int http_status, int64_t ns)
{
    class_counters *c = &m->counters[m->class_of[route - m->routes]];
    int digit = http_status / 100;
    atomic_fetch_add_explicit(&c->answers[digit > 0 && digit < STATUS_CLASSES ? digit : 5], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->total_ns, ns > 0 ? (uint64_t)ns : 0, memory_order_relaxed);
}

static uint64_t load(const atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit((atomic_uint_fast64_t *)counter, memory_order_relaxed);
}

static void write_value(const metric *m, const snapshot *s, qd_buf *out)
{
    uint64_t value;
    memcpy(&value, (const char *)s + m->offset, sizeof value);
    qd_buf_addf(out, "%s %" PRIu64 "\n", m->name, value);
}

static void write_info(const metric *m, const snapshot *s, qd_buf *out)
{
    (void)s;
    qd_buf_addf(out, "%s{version=\"%s\"} 1\n", m->name, QD_VERSION_STRING);
}

static void write_uptime(const metric *m, const snapshot *s, qd_buf *out)
{
    qd_buf_addf(out, "%s %.3f\n", m->name, (double)(qd_clock_mono_ns() - s->metrics->started_ns) / 1e9);
}

static void write_requests(const metric *m, const snapshot *s, qd_buf *out)
{
    const qd_metrics *all = s->metrics;
    for (size_t i = 0; i < all->n; i++) {
        for (size_t digit = 0; digit < STATUS_CLASSES; digit++) {
            uint64_t count = load(&all->counters[i].answers[digit]);
            if (count)
                qd_buf_addf(out, "%s{route=\"%s\",status=\"%zuxx\"} %" PRIu64 "\n", m->name, all->routes[i].name, digit,
                            count);
        }
    }
}

static void write_request_seconds(const metric *m, const snapshot *s, qd_buf *out)
{
    const qd_metrics *all = s->metrics;
    for (size_t i = 0; i < all->n; i++) {
        uint64_t ns = load(&all->counters[i].total_ns);
        if (ns)
            qd_buf_addf(out, "%s{route=\"%s\"} %.9f\n", m->name, all->routes[i].name, (double)ns / 1e9);
    }
}

#define VALUE(field) write_value, offsetof(snapshot, field)
static const metric METRICS[] = {
    {"quidditch_build_info", "gauge", "The version that runs, as a label.", write_info, 0},
    {"quidditch_uptime_seconds", "gauge", "Seconds since the daemon was ready.", write_uptime, 0},
    {"quidditch_http_requests_total", "counter", "Answers by class of route and of status.", write_requests, 0},
    {"quidditch_http_request_seconds_total", "counter",
     "Time from a request's last byte to its answer, by class of route.", write_request_seconds, 0},
    {"quidditch_http_inflight_bytes", "gauge", "Memory of request bodies in progress.", VALUE(inflight_bytes)},
    {"quidditch_indices", "gauge", "Indices on this node.", VALUE(indices)},
    {"quidditch_indices_failed", "gauge",
     "Indices that take no writes until they have been opened again, or could not be opened at the start.",
     VALUE(indices_failed)},
    {"quidditch_indices_reopened_total", "counter", "Indices that were opened again after a failure.",
     VALUE(indices_reopened)},
    {"quidditch_docs", "gauge", "Documents that searches see.", VALUE(docs)},
    {"quidditch_segments", "gauge", "Segments of all indices.", VALUE(segments)},
    {"quidditch_store_bytes", "gauge", "Bytes of all segments on disk.", VALUE(store_bytes)},
    {"quidditch_udf_functions", "gauge", "Registered versions of functions.", VALUE(functions)},
    {"process_resident_memory_bytes", "gauge", "Resident memory.", VALUE(rss_bytes)},
};

static uint64_t resident_bytes(void)
{
    unsigned long long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f) {
        if (fscanf(f, "%llu %llu", &size, &resident) != 2)
            resident = 0;
        fclose(f);
    }
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static qd_status take_snapshot(const qd_metrics *m, const qd_api *api, snapshot *s, qd_error *err)
{
    qd_index **indices = NULL;
    size_t n = 0;
    *s = (snapshot){.metrics = m,
                    .functions = qd_registry_count(api->registry),
                    .rss_bytes = resident_bytes(),
                    .inflight_bytes = atomic_load(api->inflight_bytes)};
    qd_node_health health;
    qd_status status = qd_node_health_get(api->node, QD_STR("_all"), &health, err);
    if (status == QD_OK)
        status = qd_node_resolve(api->node, QD_STR("_all"), &indices, &n, err);
    if (status != QD_OK)
        return status;
    s->indices = n;
    s->indices_failed = health.failed + health.unopened;
    s->indices_reopened = health.healed;
    for (size_t i = 0; i < n; i++) {
        qd_index_stats stats = {0};
        qd_index_stats_get(indices[i], &stats);
        s->docs += stats.docs;
        s->segments += stats.segments;
        s->store_bytes += stats.size_bytes;
    }
    qd_node_release(indices, n);
    return QD_OK;
}

qd_status qd_metrics_write(qd_metrics *m, const qd_api *api, qd_buf *out, qd_error *err)
{
    snapshot s;
    qd_status status = take_snapshot(m, api, &s, err);
    if (status != QD_OK)
        return status;
    for (size_t i = 0; i < sizeof METRICS / sizeof *METRICS; i++) {
        const metric *row = &METRICS[i];
        qd_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name, row->type);
        row->write(row, &s, out);
    }
    return qd_metrics_write_udf(api, out, err);
}
