# SPDX-License-Identifier: Apache-2.0
"""Requests that come in wrong: queries, bulk bodies, HTTP. Each fault gets its own status, type and a sentence that
names the thing, and after each the daemon answers as before and its data are what they were."""
import http.client
import json
import socket

import pytest

from support import CANARY, ENDLESS, SLOW_FACTOR, deploy_hostile, scaled

pytestmark = pytest.mark.usefixtures("canary", "still_exact")


# ---- queries ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("body, line, column", [
    ('{"query": {"match_all": {}}', 1, None), ('{"query":\n  {"match_all": nope}}', 2, None),
    ('{"query": {"match_all": {}},}', 1, None), ('{\n\n  "size": 01}', 3, None), ("[]", None, None),
    ('"text"', None, None), ("nonsense", 1, None), ('{"a": 1} {"b": 2}', 1, None),
    ('{"query": {"match_all": {}}, "query": {"match_all": {}}}', 1, None), ('{"size": 1e999}', 1, None),
    ("\ufeff{}", 1, None), ('{"a": "\\ud800"}', 1, None), ("{'query': {}}", 1, None),
    ('{"size": 10, /* comment */ "from": 0}', 1, None), ('{"x": NaN}', 1, None), ('{"q": "tab\there"}', 1, None),
], ids=lambda v: repr(v)[:40])
def test_search__malformed_json(api, body, line, column):
    answer = api.post("/canary/_search", body)
    assert answer.status == 400 and answer.error["type"] in ("parsing_exception", "illegal_argument_exception"), answer
    if line:
        assert answer.error["line"] >= line and answer.error["col"] >= 1, answer


def test_search__malformed_json__says_where(api):
    answer = api.post("/canary/_search", '{\n  "query": {\n    "match": {"title": canary}\n  }\n}')
    assert (answer.status, answer.error["line"]) == (400, 3) and 15 <= answer.error["col"] <= 30, answer


def test_search__unknown_clause__says_where(api):
    body = '{\n  "query": {\n    "bool": {"must": [{"match_all": {}},\n      {"mtach": {"title": "x"}}]}\n  }\n}'
    answer = api.post("/canary/_search", body)
    assert answer.status == 400 and answer.error["type"] == "parsing_exception", answer
    assert "mtach" in answer.error["reason"] and answer.error["line"] == 4 and 7 <= answer.error["col"] <= 20, answer


@pytest.mark.parametrize("body, named", [
    ({"query": {"mtach": {}}}, "mtach"), ({"query": {}}, "query"), ({"query": 5}, "query"),
    ({"query": {"match_all": {}, "term": {"a": 1}}}, ""), ({"query": {"match": "title"}}, "match"),
    ({"query": {"match": {"title": "x", "body": "y"}}}, "match"),
    ({"query": {"match": {"title": {"bogus": 1, "query": "x"}}}}, "bogus"),
    ({"query": {"match": {"title": {}}}}, "match"),
    ({"query": {"match": {"title": {"query": "x", "operator": "xor"}}}}, "xor"), ({"query": {"term": {}}}, "term"),
    ({"query": {"terms": {"tag": "a"}}}, "terms"), ({"query": {"range": {"number": {"above": 1}}}}, "above"),
    ({"query": {"range": {"number": {"gt": "x"}}}}, "number"), ({"query": {"range": {"number": {"gt": [1]}}}}, ""),
    ({"query": {"exists": {}}}, "field"), ({"query": {"bool": []}}, "bool"),
    ({"query": {"bool": {"maybe": []}}}, "maybe"), ({"query": {"bool": {"must": 5}}}, "must"),
    ({"query": {"bool": {"must": [5]}}}, ""), ({"query": {"term": {"number": "x"}}}, "number"),
    ({"query": {"term": {"number": {"value": {"a": 1}}}}}, ""), ({"query": {"constant_score": {}}}, "filter"),
    ({"query": {"match_all": {"boost": "big"}}}, "boost"), ({"query": {"match_all": {"boost": -1}}}, "boost"),
    ({"size": -1}, "size"), ({"size": "ten"}, "size"), ({"from": -1}, "from"),
    ({"size": 10001}, "Result window is too large"), ({"from": 9999, "size": 2}, "10000"), ({"size": 1 << 70}, ""),
    ({"sort": [{"nowhere": "asc"}]}, "nowhere"), ({"sort": [{"number": "sideways"}]}, "sideways"),
    ({"sort": [{"title": "asc"}]}, "title"), ({"sort": 5}, "sort"), ({"_source": 5}, "_source"),
    ({"timeout": "soon"}, "soon"), ({"track_total_hits": "yes"}, "track_total_hits"),
    ({"aggs": {"a": {"terms": {"field": "tag"}}}}, "terms"), ({"highlight": {}}, "highlight"), ({"bogus": 1}, "bogus"),
    ({"context": 5}, "context"), ({"min_score": "x"}, "min_score"),
    ({"query": {"bool": {"minimum_should_match": "many", "should": [{"match_all": {}}]}}}, "many"),
    ({"query": {"multi_match": {"query": "x"}}}, "fields"),
    ({"query": {"multi_match": {"fields": ["title"]}}}, "query"),
    ({"query": {"multi_match": {"query": "x", "fields": ["title^loud"]}}}, "loud"),
], ids=lambda v: json.dumps(v)[:70])
def test_search__bad__names_the_thing(api, body, named):
    answer = api.post("/canary/_search", body)
    assert answer.status == 400 and named in answer.error["reason"] and answer.error["root_cause"], answer


@pytest.mark.parametrize("opening, closing", [
    ("[", "]"), ('{"a":', "}"), ('{"query":', "}"), ('{"bool":{"must":', "}}"), ("[[{\"a\":[", "]}]]"),
])
@pytest.mark.parametrize("depth", [200, 10000, 300000])
def test_deep_nesting__is_refused(api, opening, closing, depth):
    for body in ('{"query": ' + opening * depth + "1" + closing * depth + "}", opening * depth):
        answer = api.post("/canary/_search", body)
        assert answer.status == 400, answer
    if depth > 1000:
        document = api.put("/canary/_doc/deep", '{"x": ' + opening * depth + "1" + closing * depth + "}")
        assert document.status == 400, document
        bulk = api.post("/canary/_bulk",
                        '{"index":{"_id":"deep"}}\n{"x": ' + opening * depth + "1" + closing * depth + "}\n")
        assert bulk.status == 200 and bulk.json["items"][0]["index"]["status"] == 400, bulk
        assert api.post("/api/v1/udfs", opening * depth + "1" + closing * depth).status == 400


def test_bool__too_deep_and_too_wide__are_refused(api):
    query = {"match_all": {}}
    for _ in range(40):
        query = {"bool": {"must": [query]}}
    answer = api.post("/canary/_search", {"query": query})
    assert answer.status == 400 and "30" in answer.error["reason"], answer
    answer = api.post("/canary/_search",
                      {"query": {"bool": {"should": [{"term": {"number": i}} for i in range(2000)]}}})
    assert answer.status == 400 and "1024" in answer.error["reason"], answer
    answer = api.post("/canary/_search", {"query": {"terms": {"number": list(range(70000))}}})
    assert answer.status == 400 and "65536" in answer.error["reason"], answer


@pytest.mark.parametrize("text", [b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\xc0\xaf", b"a\0b"])
def test_invalid_utf8__is_refused_everywhere(api, text):
    for method, path, body in (("POST", "/canary/_search", b'{"query":{"match":{"title":"%s"}}}'),
                               ("PUT", "/canary/_doc/bad", b'{"title":"%s"}'),
                               ("POST", "/api/v1/udfs", b'{"name":"%s"}'), ("PUT", "/never",
                                   b'{"mappings":{"properties":{"%s":{"type":"long"}}}}')):
        answer = api.call(method, path, body % text)
        assert answer.status == 400, (path, answer)
        answer.json
    bulk = api.post("/canary/_bulk", b'{"index":{"_id":"bad"}}\n{"title":"%s"}\n' % text)
    assert bulk.status == 200 and bulk.json["items"][0]["index"]["status"] == 400, bulk
    assert api.call("HEAD", "/never").status == 404


# ---- bulk bodies -----------------------------------------------------------------------------------------------------

GOOD_LINES = '{"index":{"_id":"%s"}}\n{"number":1}\n'


@pytest.mark.parametrize("line, named", [
    ('{"index":{"_id":"x"}', "3"), ("nonsense", "3"), ('{"inedx":{"_id":"x"}}', "inedx"),
    ('{"index":{"_id":"x","bogus":1}}', "bogus"), ("[]", "3"), ("{}", "3"),
    ('{"index":{"_id":"x"},"delete":{"_id":"y"}}', "3"), ('{"index":5}', "3"), ('{"index":{"_id":{"a":1}}}', "3"),
], ids=lambda v: v[:40])
def test_bulk__bad_action_in_line_3__refused_whole(api, index, line, named):
    answer = api.post("/%s/_bulk" % index, GOOD_LINES % "1" + line + '\n{"number":2}\n' + GOOD_LINES % "3")
    assert answer.status == 400 and answer.error["type"], answer
    assert named in answer.error["reason"], answer
    assert api.get("/%s/_doc/1" % index).status == 404


@pytest.mark.parametrize("body", [
    "", "\n", '{"index":{"_id":"1"}}', '{"index":{"_id":"1"}}\n', '{"index":{"_id":"1"}}\n{"a":1}',
    '{"delete":{"_id":"1"}}',
],
                         ids=["empty", "newline", "one line", "no source", "no end", "delete no end"])
def test_bulk__incomplete__is_refused(api, index, body):
    answer = api.post("/%s/_bulk" % index, body)
    assert answer.status == 400 and answer.error["reason"], answer
    assert api.get("/%s/_doc/1" % index).status == 404


def test_bulk__without_index__fails_by_name(api):
    answer = api.post("/_bulk", GOOD_LINES % "1")
    reason = answer.error["reason"] if answer.status == 400 else answer.json["items"][0]["index"]["error"]["reason"]
    assert "index" in reason, answer


# ---- HTTP ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("method, path, status", [
    ("GET", "/canary/_nonsense", 400), ("GET", "/_nonsense", (400, 404)), ("GET", "/a/b/c/d/e", 400),
    ("GET", "/" + "a/" * 100, 400), ("POST", "/canary/_doc/1/extra", 400), ("PATCH", "/canary", 405),
    ("DELETE", "/canary/_search", 405), ("POST", "/", 405), ("BREW", "/canary", (400, 405)),
    ("GET", "/api/v1/nothing", 404), ("PUT", "/api/v1/udfs", 405), ("GET", "/canary/_doc/%zz", 400),
    ("GET", "/canary/_doc/%", 400), ("GET", "/canary/_doc/%ff", 400), ("GET", "/canary/_doc/a%00b", 400),
    ("GET", "/canary/_search?q=%e2%82", 400), ("GET", "/canary/_search?bogus=1", 400),
    ("GET", "/canary/_search?size=many", 400), ("GET", "/canary/_search?size=-5", 400),
    ("GET", "/canary/_search?timeout=soon", 400), ("GET", "/api/v1/udfs?page=0", 400),
    ("GET", "/api/v1/udfs?size=100000", 400), ("PUT", "/canary/_doc/1?refresh=maybe", 400),
    ("PUT", "/canary/_doc/1?if_seq_no=x", 400), ("GET", "/absent/_doc/1", 404), ("GET", "/canary/_doc/absent", 404),
    ("POST", "/absent/_refresh", 404), ("DELETE", "/absent", 404), ("DELETE", "/_all", 400), ("DELETE", "/can*", 400),
    ("GET", "/api/v1/udfs/absent", 404), ("GET", "/api/v1/udfs/%2e%2e", 404),
    ("GET", "/canary/_search?" + "&".join("p%d=1" % i for i in range(500)), 400), ("GET", "/?" + "&" * 20000, 200),
    ("GET", "/canary/_search?" + "&".join("p%d=1" % i for i in range(4000)), 400),
], ids=lambda v: str(v)[:50])
def test_http__unknown_or_malformed(api, method, path, status):
    answer = api.call(method, path)
    assert answer.status in (status if isinstance(status, tuple) else (status,)), answer
    answer.json


def test_http__unknown_parameter__is_named(api):
    answer = api.get("/canary/_search?bogus=1")
    assert "bogus" in answer.error["reason"], answer


def test_http__wrong_content_type__is_refused(api):
    answer = api.call("POST", "/canary/_search", b"{}", {"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status in (406, 415), answer


def test_http__body_too_large__is_413_before_it_is_read(daemon):
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60 * SLOW_FACTOR)
    connection.putrequest("POST", "/canary/_bulk")
    connection.putheader("Content-Type", "application/x-ndjson")
    connection.putheader("Content-Length", str(1 << 40))
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 413 and json.loads(response.read())["error"]
    connection.close()


@pytest.mark.parametrize("raw", [
    b"\r\n\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
    b"POST /canary/_search HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nContent-Length: 20\r\n\r\n",
    b"POST /canary/_search HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /" + b"a" * 200000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 20000 + b"\r\n",
    b"POST /canary/_search HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{", bytes(range(256)) * 10,
], ids=["empty lines", "no target", "tls", "version", "negative length", "two lengths", "bad chunk", "long target",
        "many headers", "cut off", "noise"])
def test_http__raw_noise(daemon, raw):
    """Whatever the answer, or none: the daemon lives (still_exact looks after each)."""
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=1) as connection:
        try:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except OSError:
            pass


def test_clients__that_leave_early(daemon, api):
    deploy_hostile(api, ENDLESS, name="slow", limits={"call_ms": 2000})
    body = json.dumps({"query": {"wasm_udf": {"name": "slow"}}}).encode()
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=60) as connection:
            connection.sendall(b"POST /canary/_search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                               b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    assert len(api.ids("canary", {"match_all": {}})) == 30


# ---- too much of it --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("body, named", [
    ({"query": {"match": {"title": " ".join("w%d" % i for i in range(5000))}}}, "1024"),
    ({"query": {"match": {"title": "x" * 1000000}}}, "1024"),
    ({"query": {"multi_match": {"query": " ".join("w%d" % i for i in range(500)), "fields": ["title"] * 1000}}},
     "1024"),
    ({"query": {"bool": {"should": [{"wasm_udf": {"name": "divisible", "params": {"by": i}}}
                                    for i in range(1, 1200)]}}}, "1024"),
    ({"_source": ["*%d*" % i for i in range(2000)]}, "1000"), ({"sort": ["number"] * 40}, "32"),
], ids=["words", "one long word", "fields", "functions", "patterns", "sort keys"])
def test_search__too_much_at_once__is_refused(api, body, named):
    answer = api.post("/canary/_search", body)
    assert answer.status == 400 and named in answer.error["reason"], answer


def test_search__as_many_functions_as_clauses_may_be(api):
    clauses = [{"wasm_udf": {"name": "divisible", "params": {"by": i}}} for i in range(1, scaled(1000, 100))]
    scores = api.scores("canary", {"bool": {"should": clauses}})
    assert scores == {key: sum(int(key) % by == 0 for by in range(1, len(clauses) + 1)) for key in CANARY}


@pytest.mark.parametrize("pattern", ["*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*z", "*" * 1000 + "z"],
                         ids=["many stars", "only stars"])
def test_patterns__that_could_backtrack__end(api, index, pattern):
    """Names of a document and of indices against patterns that take a naive matcher for ever."""
    api.ok("PUT", "/" + index, {"mappings": {"dynamic": False}})
    api.load(index, {str(i): {"a" * 200: {"a" * 200: i}} for i in range(20)})
    assert all(h["_source"] == {} for h in api.search(index, _source=[pattern])["hits"]["hits"])
    assert api.ok("GET", "/%s/_search" % pattern.replace("*", "%2A"))["hits"]["total"]["value"] == 0


def test_documents__too_much_at_once__are_refused(api, index):
    answer = api.put("/%s/_doc/fields" % index, {"f%d" % i: i for i in range(5000)})
    assert answer.status == 400 and "Limit of total fields [1000] has been exceeded" in answer.error["reason"], answer
    answer = api.post("/%s/_bulk" % index, '{"delete":{"_id":"1"}}\n' * 1000001)
    assert answer.status == 400 and "1000000" in answer.error["reason"], answer
    for key, text in (("word", "x" * 1000000), ("words", "w " * 300000)):
        assert api.put("/%s/_doc/%s" % (index, key), {"text": text}).status == 201
    api.refresh(index)
    assert api.ids(index, {"match": {"text": "w"}}) == ["words"]
