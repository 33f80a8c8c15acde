# SPDX-License-Identifier: Apache-2.0
"""Functions that come and go: how soon a deployed one answers, from where its code came, and what many of them cost
in memory while nobody uses them."""
import base64
import json
import os
import tempfile
import time

from measure import median
from servers import INDEX, TICKS, Failure, Quidditch

PARAMETERS = [{"name": "relevance", "type": "f64", "from": "_score"},
              {"name": "x", "type": "f64", "from": "_source.rating"}]
OPTIMIZED_WITHIN_S = 120
BOUNDARY = "quidditch-bench-4f1c9a7e2b"


def deploy(server, manifest, module):
    body = dict(manifest, wasm_base64=base64.b64encode(module).decode())
    return server.client.call("POST", "/api/v1/udfs", body)


def unsigned_leb(n):
    out = bytearray()
    while True:
        out.append(n & 127 | (128 if n > 127 else 0))
        n >>= 7
        if not n:
            return bytes(out)


def with_note(module, note):
    """The module with a custom section: other bytes, so that no cache knows it."""
    content = unsigned_leb(4) + b"note" + note
    return module + b"\0" + unsigned_leb(len(content)) + content


def manifest_of(name, version):
    return {"name": name, "version": version, "function_name": "score", "kind": "score", "abi": "typed",
            "parameters": PARAMETERS}


def search_body(name, version):
    script = {"lang": "wasm", "source": "%s@%s" % (name, version)}
    return json.dumps({"query": {"script_score": {"query": {"ids": {"values": ["1"]}}, "script": script}}}).encode()


def search(server, body):
    answer = server.client.call("POST", "/%s/_search" % INDEX, body)
    if answer["hits"]["total"]["value"] != 1:
        raise Failure("the search with a deployed function found %r" % answer["hits"]["total"])


def multipart(manifest, module):
    """As tools send it: the module as it is."""
    fields = {key: manifest[key] for key in ("name", "version", "function_name")}
    fields["metadata"] = json.dumps({key: manifest[key] for key in manifest if key not in fields})
    parts = [b'Content-Disposition: form-data; name="%s"\r\n\r\n%s' % (key.encode(), value.encode())
             for key, value in fields.items()]
    parts.append(b'Content-Disposition: form-data; name="wasm"; filename="f.wasm"\r\n'
                 b"Content-Type: application/wasm\r\n\r\n" + module)
    mark = b"--" + BOUNDARY.encode()
    return b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"


def native_state(server, name, version):
    return server.client.call("GET", "/api/v1/udfs/%s/%s/status" % (name, version))["nodes"][0]


def require_cached(server, name, version):
    state = native_state(server, name, version)
    if state["source"] != "cache":
        raise Failure("the code of %s@%s should have come from the cache: %s" % (name, version, state))


def wait_until_optimized(server, name, version):
    """Only then is its code in the cache on disk."""
    give_up = time.monotonic() + OPTIMIZED_WITHIN_S
    while native_state(server, name, version)["tier"] != "optimized":
        if time.monotonic() > give_up:
            raise Failure("%s@%s was not optimized within %d s" % (name, version, OPTIMIZED_WITHIN_S))
        time.sleep(0.01)


def thread_cpu_s(server, prefix):
    """Processor time of the server's threads whose names begin so."""
    seconds = 0
    for task in os.scandir("/proc/%d/task" % server.process.pid):
        with open(task.path + "/stat", encoding="ascii") as f:
            name, fields = f.read().split("(", 1)[1].rsplit(")", 1)
        if name.startswith(prefix):
            seconds += sum(int(x) for x in fields.split()[11:13]) / TICKS
    return seconds


def sync_ms(directory, n=30):
    """Writing a page into a file there and waiting for the disk, at the median."""
    times = []
    with tempfile.TemporaryFile(dir=directory) as f:
        for i in range(n):
            start = time.perf_counter()
            os.pwrite(f.fileno(), b"x" * 4096, 4096 * (i % 8))
            os.fdatasync(f.fileno())
            times.append((time.perf_counter() - start) * 1000)
    return median(times)


def timed(call):
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000


def deploy_and_ask(server, name, version, module):
    """Milliseconds of the registration, and from then to the answer of the first search with it."""
    body, query = multipart(manifest_of(name, version), module), search_body(name, version)
    form = "multipart/form-data; boundary=" + BOUNDARY
    return (timed(lambda: server.client.call("POST", "/api/v1/udfs", body, form)),
            timed(lambda: search(server, query)))


def deploys(server, module, n, seed):
    """{how: [(register, first search) in ms]}: new bytes, the same bytes again; leaves n optimized functions."""
    out = {"new": [], "again": []}
    before = thread_cpu_s(server, "admin")
    for i in range(n):
        out["new"].append(deploy_and_ask(server, "bench_deployed", "1.0.%d" % i,
                                         with_note(module, b"%d %f" % (i, seed))))
        # The optimizer's work on the last one is not to fall on the next one.
        wait_until_optimized(server, "bench_deployed", "1.0.%d" % i)
    between = thread_cpu_s(server, "admin")
    known = with_note(module, b"0 %f" % seed)
    for i in range(n):
        version = "1.1.%d" % i
        out["again"].append(deploy_and_ask(server, "bench_again", version, known))
        if native_state(server, "bench_again", version)["tier"] != "optimized":
            raise Failure("known bytes should have had their optimized code at once")
    out["cpu_ms"] = {"new": (between - before) * 1000 / n,
                     "again": (thread_cpu_s(server, "admin") - between) * 1000 / n}
    out["sync_ms"] = sync_ms(server.home)
    return out


def restart(server):
    server.stop()
    server.start()
    server.client.call("POST", "/%s/_search" % INDEX, {"query": {"ids": {"values": ["1"]}}})


def deploys_after_restart(server, module, n, seed):
    """[(register, first search) in ms] of what deploys() left, under another version, with its code on disk only."""
    restart(server)
    times = []
    for i in range(n):
        version = "1.2.%d" % i
        times.append(deploy_and_ask(server, "bench_recalled", version, with_note(module, b"%d %f" % (i, seed))))
        require_cached(server, "bench_recalled", version)
    return times


def first_answers_after_restart(server, n):
    """Milliseconds of the first search with each of the functions that deploys() left, after a restart."""
    restart(server)
    times = []
    for i in range(n):
        body = search_body("bench_deployed", "1.0.%d" % i)
        times.append(timed(lambda body=body: search(server, body)))
        require_cached(server, "bench_deployed", "1.0.%d" % i)
    return times


def idle_memory(work, build, module, n):
    """Resident kilobytes per function of n, each with bytes of its own: stored only; and loaded and used once."""
    server = Quidditch(work, build)
    names = ["idle_%d" % i for i in range(n)]
    try:
        server.start()
        server.client.call("PUT", "/%s/_doc/1?refresh=true" % INDEX, {"rating": 2.5})
        deploy(server, manifest_of("first", "1.0.0"), module)
        wait_until_optimized(server, "first", "1.0.0")
        server.stop()
        server.start()
        search(server, search_body("first", "1.0.0"))
        empty = server.resident_kb()
        for i, name in enumerate(names):
            deploy(server, manifest_of(name, "1.0.0"), with_note(module, b"idle %d" % i))
        for name in names:
            wait_until_optimized(server, name, "1.0.0")
        server.stop()
        server.start()
        search(server, search_body("first", "1.0.0"))
        stored = server.resident_kb()
        for name in names:
            search(server, search_body(name, "1.0.0"))
        loaded = server.resident_kb()
    finally:
        server.stop()
    return {"functions": n, "stored": [(b - a) / n for a, b in zip(empty, stored)],
            "loaded": [(b - a) / n for a, b in zip(empty, loaded)]}
