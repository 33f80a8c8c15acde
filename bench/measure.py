# SPDX-License-Identifier: Apache-2.0
"""Measuring: loads, cases asked of both servers in turn; and checking that both give the same answers."""
import json
import math
import os
import time

from cases import MAPPING, SETTINGS
from servers import INDEX, TICKS, Failure

# Other work on the machine makes a figure worthless: a pass is measured again while more than this was taken.
MAX_FOREIGN_SHARE = 0.12
TRIES = 4


def median(values):
    values = sorted(values)
    return values[len(values) // 2] if values else math.nan


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def machine_busy_s():
    fields = [int(x) for x in open("/proc/stat", encoding="ascii").readline().split()[1:]]
    return (sum(fields[:3]) + sum(fields[5:8])) / TICKS


def bulk_bodies(lines, size=5000):
    for start in range(0, len(lines), size):
        yield b"".join(b'{"index":{"_id":"%d"}}\n' % i + line
                       for i, line in enumerate(lines[start:start + size], start))


def load(server, bodies, n_docs):
    """Documents per second into a new index, over one connection."""
    server.client.send("DELETE", "/" + INDEX)
    server.client.call("PUT", "/" + INDEX, {"settings": SETTINGS, "mappings": MAPPING})
    start = time.perf_counter()
    for body in bodies:
        answer = server.client.call("POST", "/%s/_bulk" % INDEX, body, "application/x-ndjson")
        if answer["errors"]:
            raise Failure("%s refused documents of the bulk load" % server.name)
    seconds = time.perf_counter() - start
    server.client.call("POST", "/%s/_refresh" % INDEX)
    count = server.client.call("GET", "/%s/_count" % INDEX)["count"]
    if count != n_docs:
        raise Failure("%s holds %d documents after loading %d" % (server.name, count, n_docs))
    return n_docs / seconds


def settle(server):
    """One segment, as the peer's figures were taken; memory and search are then comparable."""
    server.client.call("POST", "/%s/_forcemerge?max_num_segments=1&flush=true" % INDEX)
    server.client.call("POST", "/%s/_refresh" % INDEX)
    stats = server.client.call("GET", "/%s/_stats/store,segments" % INDEX)["_all"]["primaries"]
    return {"store_mb": stats["store"]["size_in_bytes"] / 1e6, "segments": stats["segments"]["count"]}


def encode(case, queries):
    for query in queries:
        body = {"query": query, "size": 10, "_source": False}
        if case.total_hits is not None:
            body["track_total_hits"] = case.total_hits
        yield json.dumps(body).encode()


class Contestant:
    """A server and how it is asked in one case."""

    def __init__(self, label, server, case, queries):
        self.label, self.server = label, server
        self.bodies = list(encode(case, queries))
        self.times, self.foreign = [], 0.0

    def ask(self, i):
        status, data = self.server.client.send("POST", "/%s/_search" % INDEX, self.bodies[i % len(self.bodies)])
        if status != 200:
            raise Failure("%s, asked %s: %d %s" % (self.label, self.bodies[i % len(self.bodies)].decode(), status,
                                                   data[:600].decode(errors="replace")))
        return data

    def one_pass(self, warm, runs):
        for i in range(warm):
            self.ask(i)
        for attempt in range(TRIES):
            times = []
            wall, busy = time.perf_counter(), machine_busy_s()
            own = self.server.cpu_s() + time.process_time()
            for i in range(runs):
                start = time.perf_counter_ns()
                self.ask(i)
                times.append((time.perf_counter_ns() - start) / 1e6)
            wall = time.perf_counter() - wall
            own = self.server.cpu_s() + time.process_time() - own
            foreign = max(0.0, (machine_busy_s() - busy - own) / (wall * os.cpu_count()))
            # Ticks are 10 ms: over a short pass the share is noise.
            if foreign <= MAX_FOREIGN_SHARE or wall < 0.25 or attempt + 1 == TRIES:
                break
        self.times += times
        self.foreign = max(self.foreign, foreign if wall >= 0.25 else 0.0)

    def answers(self):
        return [json.loads(self.ask(i)) for i in range(len(self.bodies))]


def same_score(a, b):
    return math.isclose(a, b, rel_tol=2e-6, abs_tol=1e-9)


def compare(case, one, other):
    """Raises Failure unless totals and the top hits agree. Hits of equal score may come in any order."""
    for a, b, body in zip(one.answers(), other.answers(), one.bodies):
        about = "%s (%s): %s and %s differ" % (case.name, body.decode(), one.label, other.label)
        if a["hits"]["total"] != b["hits"]["total"] and case.total_hits is True:
            raise Failure("%s in totals: %s, %s" % (about, a["hits"]["total"], b["hits"]["total"]))
        left, right = a["hits"]["hits"], b["hits"]["hits"]
        if len(left) != len(right):
            raise Failure("%s in the number of hits: %d, %d" % (about, len(left), len(right)))
        for i, (x, y) in enumerate(zip(left, right)):
            if not same_score(x["_score"], y["_score"]):
                raise Failure("%s in the score of hit %d: %r, %r" % (about, i + 1, x["_score"], y["_score"]))
            is_tied = any(same_score(x["_score"], h["_score"]) for j, h in enumerate(left) if j != i)
            if x["_id"] != y["_id"] and not is_tied and i + 1 < len(left):
                raise Failure("%s in hit %d: %s, %s" % (about, i + 1, x["_id"], y["_id"]))


def run_case(case, ours, peer, options):
    """{label: {p50, p90, p99, hits, foreign}} with ours under "Quidditch"."""
    contestants = [Contestant("Quidditch", ours, case, case.queries)]
    if case.like:
        compare(case, contestants[0], Contestant("Quidditch's other shape", ours, case, case.like))
    elif peer:
        asked = case.peers or {"": case.queries}
        contestants += [Contestant(("OpenSearch " + language).strip(), peer, case, queries)
                        for language, queries in asked.items()]
        for contestant in contestants[1:]:
            compare(case, contestants[0], contestant)
    for _ in range(options.passes):
        for contestant in reversed(contestants):
            contestant.one_pass(options.warm, options.runs)
    hits = [answer["hits"]["total"]["value"] for answer in contestants[0].answers()]
    return {c.label: {"p50": median(c.times), "p90": percentile(c.times, 0.9), "p99": percentile(c.times, 0.99),
                      "hits": sum(hits) / len(hits), "foreign": c.foreign} for c in contestants}
