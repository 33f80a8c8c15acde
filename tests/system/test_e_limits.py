# SPDX-License-Identifier: Apache-2.0
"""What bounds a daemon: bodies, bytes in flight, queues, connections, time; and clients that go away."""
import http.client
import json
import socket
import threading
import time

import pytest

from daemon import SLOW_FACTOR
from support import Api, run_threads, scaled

# Each call of this function takes until its own limit of time ends it.
ENDLESS_WAT = '(module (func (export "filter") (param f64) (result i32) (loop (br 0)) (i32.const 1)))'
ENDLESS_MS = 3000


def deploy_endless(api):
    manifest = {"name": "endless", "version": "1.0.0", "abi": "typed", "limits": {"call_ms": ENDLESS_MS},
                "parameters": [{"name": "n", "type": "f64", "from": "_source.n", "default": 1}]}
    assert api.register_wat(manifest, ENDLESS_WAT).status == 201


ENDLESS_QUERY = {"query": {"bool": {"filter": [{"wasm_udf": {"name": "endless"}}]}}}


def send_search(port, index, body):
    """A search whose answer nobody waits for yet: its socket."""
    body = json.dumps(body).encode()
    s = socket.create_connection(("127.0.0.1", port), timeout=60 * SLOW_FACTOR)
    s.sendall(b"POST /%s/_search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
              % (index.encode(), len(body), body))
    return s


def wait_for(what, seconds=30 * SLOW_FACTOR):
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def test_body_over_its_limit__413_and_the_connection_lives(make_daemon):
    api = make_daemon({"http.max_body_bytes": "64kb"}).api
    api.load("a", {"1": {"n": 1}})
    answer = api.post("/a/_search", " " * 70000 + "{}")
    assert answer.status == 413 and answer.error["type"] == "content_too_long_exception"
    assert answer.error["reason"] == "the request body has 70002 bytes; the limit is 65536 (http.max_body_bytes)"
    answer = api.post("/api/v1/udfs", " " * 70000)
    assert answer.status == 413 and answer.error["code"] == "PAYLOAD_TOO_LARGE"
    assert api.post("/a/_search", " " * 65534 + "{}").status == 200


def test_chunked_body_over_its_limit__413(make_daemon):
    daemon = make_daemon({"http.max_body_bytes": "64kb"})
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)
    connection.request("POST", "/a/_search", iter([b" " * 1000] * 70), {"Content-Type": "application/json"},
                       encode_chunked=True)
    response = connection.getresponse()
    assert response.status == 413 and b"more than 65536 bytes" in response.read()
    connection.close()


def test_huge_announcement__is_answered_at_once(make_daemon):
    daemon = make_daemon({"http.max_body_bytes": "64kb"})
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=60) as s:
        s.sendall(b"POST /a/_bulk HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                  b"Content-Length: 99999999999\r\n\r\n")
        assert s.recv(65536).startswith(b"HTTP/1.1 413")


def test_bytes_in_flight__429_then_free_again(make_daemon):
    # What counts is the room that bodies take, 1 MiB for the first; an answered request may still count for a moment.
    daemon = make_daemon({"http.max_body_bytes": "1mb", "http.max_inflight_bytes": "1200kb"})
    api = daemon.api
    api.load("a", {"1": {"n": 1}})
    head = b"POST /a/_search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
    big = " " * 500000 + "{}"

    def bytes_in_flight():
        return int([line for line in api.get("/metrics").text.splitlines()
                    if line.startswith("quidditch_http_inflight_bytes ")][0].split()[1])

    with socket.create_connection(("127.0.0.1", daemon.port), timeout=60) as held:
        held.sendall(head + b" " * 600000)
        wait_for(lambda: bytes_in_flight() >= 600000)
        answer = api.post("/a/_search", big)
        assert answer.status == 429 and answer.headers["Retry-After"] == "1"
        assert answer.error["type"] == "rejected_execution_exception"
        assert "http.max_inflight_bytes" in answer.error["reason"]
    wait_for(lambda: bytes_in_flight() == 0)
    assert api.post("/a/_search", big).status == 200


def test_full_queue__429_and_other_pools_go_on(make_daemon):
    daemon = make_daemon({"search.threads": 1, "search.queue": 2})
    api = daemon.api
    api.load("a", {"1": {"n": 1}})
    deploy_endless(api)
    held = [send_search(daemon.port, "a", ENDLESS_QUERY) for _ in range(3)]

    def is_refused():
        try:
            held.append(send_search(daemon.port, "a", ENDLESS_QUERY))
            held[-1].settimeout(0.2)
            return held[-1].recv(65536).startswith(b"HTTP/1.1 429")
        except socket.timeout:
            return False

    wait_for(is_refused)
    assert api.put("/a/_doc/2", {"n": 2}).status == 201
    assert api.get("/api/v1/udfs").status == 200
    for s in held:
        s.close()
    wait_for(lambda: api.post("/a/_search", {}).status == 200)


def test_client_that_leaves__frees_its_thread(make_daemon):
    """One search thread and a function that would hold it for minutes: it must come free soon after the client left."""
    daemon = make_daemon({"search.threads": 1, "udf.call_ms": 600000})
    api = daemon.api
    api.load("a", {str(i): {"n": i} for i in range(10)})
    manifest = {"name": "endless", "version": "1.0.0", "abi": "typed", "limits": {"call_ms": 600000},
                "parameters": [{"name": "n", "type": "f64", "from": "_source.n", "default": 1}]}
    assert api.register_wat(manifest, ENDLESS_WAT).status == 201
    for s in [send_search(daemon.port, "a", ENDLESS_QUERY) for _ in range(3)]:
        s.close()
    began = time.monotonic()
    assert api.count("a") == 10
    assert time.monotonic() - began < 300


def test_search_past_its_time__says_so(make_daemon):
    daemon = make_daemon()
    api = daemon.api
    api.load("a", {str(i): {"n": i} for i in range(10)})
    deploy_endless(api)
    answer = api.post("/a/_search?timeout=200ms", ENDLESS_QUERY)
    assert answer.status == 200 and answer.json["timed_out"] is True, answer
    answer = api.post("/a/_search", ENDLESS_QUERY)
    assert answer.status == 504 and "endless@1.0.0" in answer.error["reason"]


def test_stop__ends_endless_functions_too(make_daemon):
    daemon = make_daemon({"udf.call_ms": 600000})
    api = daemon.api
    api.load("a", {"1": {"n": 1}})
    manifest = {"name": "endless", "version": "1.0.0", "abi": "typed", "limits": {"call_ms": 600000},
                "parameters": [{"name": "n", "type": "f64", "from": "_source.n"}]}
    assert api.register_wat(manifest, ENDLESS_WAT).status == 201
    held = send_search(daemon.port, "a", ENDLESS_QUERY)
    wait_for(lambda: api.get("/").status == 200)
    daemon.stop()
    held.close()


def test_stop__while_a_large_function_is_optimized__is_in_order(make_daemon):
    """One function of many branches keeps the optimizing compiler busy for seconds, and it cannot be interrupted."""
    daemon = make_daemon()
    step = "(if (i32.lt_s (local.get $i) (i32.const %d)) (then (local.set $v%d (f64.add (local.get $v%d)" \
           " (f64.load offset=%d (i32.const 0)))) (local.set $i (i32.add (local.get $i) (i32.const 1)))))"
    wat = '(module (memory 1) (func (export "filter") (param i64) (result i32) (local $i i32) %s %s (i32.const 1)))' % (
        " ".join("(local $v%d f64)" % i for i in range(500)),
        " ".join(step % (i, i % 500, i * 7 % 500, i % 1000) for i in range(scaled(20000))))
    manifest = {"name": "large", "version": "1.0.0", "kind": "filter", "abi": "row"}
    assert daemon.api.register_wat(manifest, wat).status == 201
    daemon.stop()
    assert daemon.start().get("/api/v1/udfs/large").status == 200


def test_many_clients_at_once(make_daemon):
    daemon = make_daemon({"http.max_connections": 100})
    daemon.api.load("a", {"1": {"n": 1}})

    def run(t):
        api = Api("127.0.0.1", daemon.port)
        for i in range(20):
            if t % 2:
                assert api.put("/a/_doc/%d-%d" % (t, i), {"n": i}).status == 201
            else:
                assert api.post("/a/_search", {"query": {"match_all": {}}}).status == 200
        api.close()

    run_threads(run, 16)
    daemon.api.refresh("a")
    assert daemon.api.count("a") == 1 + 8 * 20


def test_connections_over_their_limit__are_turned_away_and_come_back(make_daemon):
    daemon = make_daemon({"http.max_connections": 8, "http.threads": 2})
    held = [socket.create_connection(("127.0.0.1", daemon.port), timeout=10) for _ in range(30)]
    for s in held:
        s.close()

    def answers():
        api = Api("127.0.0.1", daemon.port)
        try:
            return api.get("/").status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            api.close()

    wait_for(answers)


@pytest.mark.parametrize("depth", [1000, 100000])
def test_deep_nesting__is_refused(make_daemon, depth):
    api = make_daemon().api
    api.load("a", {"1": {"n": 1}})
    for body in ("[" * depth, '{"a":' * depth, '{"query":' + '{"bool":{"must":' * depth):
        answer = api.post("/a/_search", body)
        assert answer.status == 400 and answer.error["type"] == "parsing_exception"
    assert api.put("/a/_doc/2", '{"a":' * depth + "1" + "}" * depth).status == 400
    assert api.count("a") == 1
