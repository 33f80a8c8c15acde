# SPDX-License-Identifier: Apache-2.0
"""HTTP itself: routes, methods, headers, bodies, framing, and the calls about the node."""
import json
import re
import socket

import pytest

from daemon import VERSION
from support import multipart


def raw(daemon, request, timeout=30):
    """Sends bytes as they are; everything that comes back until the connection ends."""
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=timeout) as s:
        s.sendall(request)
        answer = b""
        while True:
            part = s.recv(65536)
            if not part:
                return answer
            answer += part


@pytest.fixture(scope="module", autouse=True)
def index(api):
    api.create("a", {"n": {"type": "long"}, "t": {"type": "text"}})
    api.load("a", {"x/y": {"n": 1, "t": "red broom"}, "ü": {"n": 2, "t": "blue"}})


def test_root__says_dialect_and_truth(api):
    about = api.ok("GET", "/")
    assert about["version"]["distribution"] == "opensearch" and about["version"]["number"] == "3.1.0"
    assert about["quidditch"]["version"] == VERSION
    assert len(about["cluster_uuid"]) == 22


def test_unknown_path__400_as_opensearch(api):
    answer = api.get("/a/_nothing/here?x=1")
    assert answer.status == 400
    assert answer.json == {"error": "no handler found for uri [/a/_nothing/here?x=1] and method [GET]"}


def test_unknown_path_of_the_functions_api__404(api):
    answer = api.get("/api/v1/nothing")
    assert answer.status == 404 and answer.error["code"] == "NOT_FOUND"


def test_wrong_method__405_with_allow(api):
    answer = api.delete("/a/_search")
    assert answer.status == 405 and answer.headers["Allow"] == "GET, HEAD, POST"
    message = "Incorrect HTTP method for uri [/a/_search] and method [DELETE], allowed: [GET, HEAD, POST]"
    assert answer.json == {"error": message, "status": 405}
    assert api.call("PATCH", "/a").status == 405
    answer = api.put("/api/v1/udfs", {})
    assert answer.status == 405 and answer.error["code"] == "METHOD_NOT_ALLOWED"


def test_unknown_parameter__is_named(api):
    answer = api.get("/a/_search?siz=3&fro=1&pretty")
    assert answer.status == 400
    assert answer.error["type"] == "illegal_argument_exception"
    assert answer.error["reason"] == "request [/a/_search] contains unrecognized parameters: [siz], [fro]"


@pytest.mark.parametrize("path, reason", [
    ("/a/_search?size=x", "Failed to parse value [x] of parameter [size]: expected an integer"),
    ("/a/_search?from=-1", "[from] parameter is out of range: expected 0 to 2147483647, got [-1]"),
    ("/a/_search?timeout=5", "Failed to parse value [5] of parameter [timeout]: expected a time with a unit such as "
                             "[500ms], [10s] or [1m], or [-1] for none"),
    ("/a/_search?pretty=yes", "Failed to parse value [yes] of parameter [pretty]: expected [true] or [false]"),
    ("/a/_search?q=red", "the query string parameter [q] is not supported yet: send the query in the body"),
])
def test_bad_parameter__is_named(api, path, reason):
    answer = api.get(path)
    assert answer.status == 400
    assert answer.error == reason or answer.error["reason"] == reason


def test_search_parameters(api):
    assert [h["_id"] for h in api.ok("GET", "/a/_search?size=1&from=1&sort=n:asc")["hits"]["hits"]] == ["ü"]
    assert "_source" not in api.ok("GET", "/a/_search?_source=false")["hits"]["hits"][0]
    assert api.ok("GET", "/a/_search?_source_includes=n&sort=n:asc")["hits"]["hits"][0]["_source"] == {"n": 1}
    assert api.ok("GET", "/a/_search?rest_total_hits_as_int=true&track_total_hits=true")["hits"]["total"] == 2
    assert "total" not in api.ok("GET", "/a/_search?track_total_hits=false")["hits"]


def test_encoded_paths(api):
    assert api.ok("GET", "/a/_doc/x%2Fy")["_source"]["n"] == 1
    assert api.ok("GET", "/a/_doc/%C3%BC")["_source"]["n"] == 2
    assert api.ok("GET", "//a/_doc///x%2Fy/")["_id"] == "x/y"
    assert api.ok("GET", "/a,a*/_count")["count"] == 2
    for path in ("/a/_doc/%", "/a/_doc/%zz", "/a/_doc/%00", "/a/_doc/%ff", "/" + "/".join("x" * 17)):
        assert api.get(path).status == 400


def test_created_document__has_its_location(api):
    answer = api.put("/a/_doc/sp%20ace", {"n": 5})
    assert answer.status == 201 and answer.headers["Location"] == "/a/_doc/sp%20ace"
    assert api.get(answer.headers["Location"]).status == 200
    assert api.delete("/a/_doc/sp%20ace?refresh=true").json["result"] == "deleted"


def test_head__status_and_length_without_body(api):
    whole = api.get("/a/_doc/x%2Fy")
    head = api.call("HEAD", "/a/_doc/x%2Fy")
    assert head.status == 200 and head.raw == b"" and head.headers["Content-Length"] == whole.headers["Content-Length"]
    assert api.call("HEAD", "/a/_doc/absent").status == 404
    assert api.call("HEAD", "/a").status == 200
    assert api.call("HEAD", "/absent").status == 404
    assert api.call("HEAD", "/").status == 200


def test_headers__type_opaque_id_keep_alive(api):
    answer = api.call("GET", "/", headers={"X-Opaque-Id": "tea-7"})
    assert answer.headers["X-Opaque-Id"] == "tea-7"
    assert answer.headers["Content-Type"].lower() == "application/json; charset=utf-8"
    assert answer.headers.get("Connection", "keep-alive").lower() == "keep-alive"


def test_pretty__has_lines(api):
    assert api.get("/?pretty").text.startswith("{\n  \"name\"")
    assert "\n" not in api.get("/?pretty=false").text.strip()
    assert api.get("/absent/_search?pretty").text.startswith("{\n  \"error\"")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx",
                                          "multipart/form-data; boundary=x"])
def test_body_of_another_type__406(api, content_type):
    answer = api.call("POST", "/a/_search", "{}", {"Content-Type": content_type})
    assert answer.status == 406 and "Content-Type header [%s] is not supported" % content_type in answer.error["reason"]


def test_body_without_type__406(daemon):
    answer = raw(daemon, b"POST /a/_search HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
    assert answer.startswith(b"HTTP/1.1 406") and b"Content-Type header is missing" in answer


def test_page_of_another_origin__403(api, daemon):
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Origin": "http://evil.example"}
    answer = api.call("POST", "/api/v1/udfs", b"--x--", headers)
    assert answer.status == 403 and answer.error["code"] == "PERMISSION_DENIED"
    assert api.call("GET", "/", headers={"Origin": "http://127.0.0.1:%d" % daemon.port}).status == 200
    assert api.call("GET", "/", headers={"Origin": "null"}).status == 403


def test_chunked_body(daemon):
    body = json.dumps({"query": {"match_all": {}}, "size": 1}).encode()
    parts = [body[i:i + 7] for i in range(0, len(body), 7)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    answer = raw(daemon, b"POST /a/_search HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
                         b"Content-Type: application/json\r\n\r\n" + chunks)
    assert answer.startswith(b"HTTP/1.1 200") and b"\"hits\"" in answer


def test_expect_continue(daemon):
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as s:
        s.sendall(b"POST /a/_count HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n"
                  b"Content-Type: application/json\r\nConnection: close\r\n\r\n")
        assert s.recv(65536).startswith(b"HTTP/1.1 100")
        s.sendall(b"{}")
        answer = b""
        while part := s.recv(65536):
            answer += part
        assert b"HTTP/1.1 200" in answer


def test_pipelined_requests__answered_in_order(daemon):
    request = b"GET /a/_doc/%s HTTP/1.1\r\nHost: x\r\n%s\r\n"
    answer = raw(daemon, request % (b"x%2Fy", b"") + request % (b"none", b"")
                 + request % (b"%C3%BC", b"Connection: close\r\n"))
    places = [answer.index(b'"_id":"x/y"'), answer.index(b'"_id":"none"'), answer.index('"_id":"ü"'.encode())]
    assert places == sorted(places)


@pytest.mark.parametrize("request_bytes", [
    b"\r\n\r\n", b"NONSENSE\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET\r\n\r\n",
    b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"\x00\x01\x02\x03\r\n\r\n",
    b"POST /a/_search HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /a/_search HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
    b"POST /a/_search HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /" + b"x" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 200000 + b"\r\n\r\n",
])
def test_broken_framing__harms_nobody(daemon, api, request_bytes):
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as s:
        try:
            s.sendall(request_bytes)
            s.shutdown(socket.SHUT_WR)
            while s.recv(65536):
                pass
        except OSError as e:
            assert not isinstance(e, TimeoutError), "the daemon kept the connection of a client that is gone"
    assert api.get("/").status == 200 and daemon.is_alive()


def test_client_that_leaves_in_the_middle_of_its_body(daemon, api):
    for n in (0, 1, 10):
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as s:
            s.sendall(b"POST /a/_bulk HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
                      b"Content-Type: application/json\r\n\r\n" + b"x" * n)
    assert api.count("a") == 2


# ---- about the node and its indices ----

def test_index_calls(api):
    assert api.ok("PUT", "/made", {"mappings": {"properties": {"k": {"type": "keyword"}}}}) == \
        {"acknowledged": True, "shards_acknowledged": True, "index": "made"}
    whole = api.ok("GET", "/made")["made"]
    assert whole["aliases"] == {} and whole["mappings"] == {"properties": {"k": {"type": "keyword"}}}
    settings = whole["settings"]["index"]
    assert settings["number_of_shards"] == "1" and settings["provided_name"] == "made"
    assert api.ok("PUT", "/made/_mapping", {"properties": {"n": {"type": "long"}}}) == {"acknowledged": True}
    assert api.ok("GET", "/made/_mapping")["made"]["mappings"]["properties"]["n"] == {"type": "long"}
    assert set(api.ok("GET", "/_mapping")) >= {"a", "made"} and set(api.ok("GET", "/_settings")) >= {"a", "made"}
    answer = api.put("/made")
    assert answer.status == 400 and answer.error["type"] == "resource_already_exists_exception"
    for pattern in ("/_all", "/*", "/mad*", "/a,m*"):
        assert api.delete(pattern).status == 400
    assert api.ok("DELETE", "/made") == {"acknowledged": True}
    answer = api.delete("/made")
    assert answer.status == 404 and answer.error["type"] == "index_not_found_exception"
    assert answer.error["index"] == "made" and answer.error["root_cause"][0]["resource.id"] == "made"
    assert api.ok("DELETE", "/made?ignore_unavailable=true") == {"acknowledged": True}


def test_refresh_flush_merge(api):
    for path in ("/a/_refresh", "/_refresh", "/a/_flush", "/_flush?force=true", "/_forcemerge",
                 "/a/_forcemerge?max_num_segments=1&flush=true"):
        assert api.ok("POST", path)["_shards"]["failed"] == 0
    assert api.post("/absent/_refresh").status == 404
    assert api.post("/a/_forcemerge?max_num_segments=0").status == 400


def test_stats(api):
    for path in ("/a/_stats", "/a/_stats/store,segments", "/_stats", "/_stats/docs"):
        stats = api.ok("GET", path)
        sums = stats["_all"]["primaries"]
        assert sums["docs"]["count"] >= 2 and sums["store"]["size_in_bytes"] > 0 and sums["segments"]["count"] >= 1
        assert stats["indices"]["a"]["total"]["docs"]["count"] == 2


def test_analyze(api):
    tokens = api.ok("GET", "/_analyze", {"analyzer": "standard", "text": "Größe 𝄞x 42"})["tokens"]
    assert [t["token"] for t in tokens][:1] == ["größe"] and tokens[-1]["token"] == "42"
    assert (tokens[0]["start_offset"], tokens[0]["end_offset"]) == (0, 5)
    assert (tokens[-1]["start_offset"], tokens[-1]["end_offset"]) == (10, 12)  # UTF-16 units, as Lucene counts
    assert api.get("/_analyze", {"analyzer": "german", "text": "x"}).status == 400
    assert api.get("/_analyze", {"analyzer": "standard"}).status == 400


def test_cat(api):
    rows = api.ok("GET", "/_cat/indices?format=json")
    assert [r for r in rows if r["index"] == "a"][0]["docs.count"] == "2"
    text = api.get("/_cat/indices/a?v&h=index,docs.count")
    assert text.headers["Content-Type"].startswith("text/plain") and text.text == "index docs.count\na              2\n"
    assert api.ok("GET", "/_cat/health?format=json")[0]["status"] == "green"
    assert api.ok("GET", "/_cat/count/a?format=json")[0]["count"] == "2"
    assert api.get("/_cat/indices?h=nope").status == 400


def test_health_and_nodes(api, daemon):
    health = api.ok("GET", "/_cluster/health?wait_for_status=yellow&timeout=10s")
    assert health["status"] == "green" and health["timed_out"] is False
    assert api.ok("GET", "/_cluster/health/a")["active_shards"] == 1
    assert api.get("/_cluster/health?wait_for_status=blue").status == 400
    (node,) = api.ok("GET", "/_nodes/_all/http".replace("/_all", ""))["nodes"].values()
    assert node["http"]["publish_address"] == "127.0.0.1:%d" % daemon.port


def test_metrics(api):
    lines = api.get("/metrics").text.splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert float(values["quidditch_docs"]) >= 2 and float(values["quidditch_uptime_seconds"]) > 0
    assert any(name.startswith('quidditch_http_requests_total{route="search",status="2xx"}') for name in values)
    for name in values:
        base = re.sub("_(sum|count|bucket)$", "", name.split("{")[0])
        assert re.search("^# TYPE (%s|%s) " % (name.split("{")[0], base), "\n".join(lines), re.M), name


# ---- the functions API's edges ----

WAT = '(module (func (export "filter") (param f64) (result i32) (f64.gt (local.get 0) (f64.const 1))))'
MANIFEST = {"name": "over_one", "version": "1.0.0", "abi": "typed",
            "parameters": [{"name": "n", "type": "f64", "from": "_source.n"}]}


def test_functions_api__register_to_delete(api):
    made = api.call("POST", "/api/v1/udfs", {**MANIFEST, "language": "wat", "source": WAT})
    assert made.status == 201
    assert {k: made.json[k] for k in ("success", "name", "version", "function_name", "status")} == \
        {"success": True, "name": "over_one", "version": "1.0.0", "function_name": "filter", "status": "active"}
    again = api.call("POST", "/api/v1/udfs", {**MANIFEST, "language": "wat", "source": WAT})
    assert again.status == 200 and again.json == made.json
    other = api.call("POST", "/api/v1/udfs", {**MANIFEST, "language": "wat", "source": WAT.replace("gt", "lt")})
    assert other.status == 409 and other.error["code"] == "UDF_ALREADY_EXISTS"
    assert api.ok("GET", "/api/v1/udfs")["total"] == 1
    for path in ("/api/v1/udfs/over_one", "/api/v1/udfs/over_one/1.0.0"):
        assert api.ok("GET", path)["hash"] == made.json["hash"]
    assert api.ok("GET", "/api/v1/udfs/over_one/versions")["versions"] == ["1.0.0"]
    assert api.ok("POST", "/api/v1/udfs/over_one/test", {"document": {"n": 2}})["result"] is True
    assert api.ok("POST", "/api/v1/udfs/over_one/test", {"version": "1.0.0", "document": {"n": 1}})["result"] is False
    found = api.ok("POST", "/api/v1/query", {"index": "a", "query": {"wasm_udf": {"name": "over_one"}}})
    assert [h["_id"] for h in found["hits"]["hits"]] == ["ü"]
    assert api.ok("DELETE", "/api/v1/udfs/over_one/1.0.0")["success"] is True
    gone = api.get("/api/v1/udfs/over_one/1.0.0")
    assert gone.status == 404 and gone.error["code"] == "UDF_NOT_FOUND"
    assert gone.error["details"] == {"name": "over_one", "version": "1.0.0"}


def test_dry_run_and_validate__keep_nothing(api):
    whole = {**MANIFEST, "language": "wat", "source": WAT}
    assert api.ok("POST", "/api/v1/udfs/_test", {**whole, "document": {"n": 5}})["result"] is True
    several = {**whole, "test": {"documents": [{"n": 5}, {"n": 0}]}}
    assert len(api.ok("POST", "/api/v1/udfs/_test", several)["results"]) == 2
    valid = api.ok("POST", "/api/v1/udfs/_validate", whole)
    assert valid["valid"] is True and valid["abi"] == "typed" and valid["kind"] == "filter"
    assert valid["exports"] == ["filter"] and valid["imports"] == [] and valid["bounded"] is True
    assert api.post("/api/v1/udfs/_validate", {**whole, "source": "(module)"}).status == 422
    assert api.get("/api/v1/udfs/over_one").status == 404


@pytest.mark.parametrize("fields, field", [
    ([("name", "x"), ("version", "1.0.0")], "wasm"),
    ([("name", "x"), ("name", "y"), ("wasm", b"\0asm", "x.wasm")], None),
    ([("colour", "red"), ("wasm", b"\0asm", "x.wasm")], None),
    ([("metadata", "{"), ("wasm", b"\0asm", "x.wasm")], "metadata"),
    ([("metadata", "[]"), ("wasm", b"\0asm", "x.wasm")], "metadata"),
    ([("name", "x"), ("metadata", '{"name": "y"}'), ("wasm", b"\0asm", "x.wasm")], "name"),
])
def test_bad_forms__name_the_field(api, fields, field):
    body, content_type = multipart(fields)
    answer = api.call("POST", "/api/v1/udfs", body, {"Content-Type": content_type})
    assert answer.status == 400 and answer.error["code"] == "INVALID_PARAMETERS"
    if field:
        assert answer.error["details"]["field"] == field


@pytest.mark.parametrize("extra, field", [
    ({}, "wasm_base64"), ({"wasm_base64": "!"}, "wasm_base64"), ({"wasm_base64": 5}, "wasm_base64"),
    ({"wasm_base64": "AAAA", "source": "x"}, "source"), ({"language": "rust", "source": "fn"}, "language"),
])
def test_bad_json_registration__names_the_field(api, extra, field):
    answer = api.post("/api/v1/udfs", {**MANIFEST, **extra})
    assert answer.status == 400 and answer.error["details"]["field"] == field


def test_bad_wat__has_its_line(api):
    source = "(module\n  (func (export \"filter\") nonsense))"
    answer = api.post("/api/v1/udfs", {**MANIFEST, "language": "wat", "source": source})
    assert answer.status == 422 and answer.error["details"]["line"] == 2


def test_query_without_index__is_told(api):
    answer = api.post("/api/v1/query", {"query": {"match_all": {}}})
    assert answer.status == 400 and answer.error["details"]["field"] == "index"


def test_query_errors__keep_their_place(api):
    answer = api.post("/api/v1/query", '{"index": "a",\n "query":\n  {"nonsense": {}}}')
    assert answer.status == 400 and answer.error["details"]["line"] == 3
