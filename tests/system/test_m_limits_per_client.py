# SPDX-License-Identifier: Apache-2.0
"""How often one client may call: the headers, the refusals, and what is not limited."""
from support import DIVISIBLE_WAT, deploy_divisible

REGISTRATION = {"name": "divisible", "version": "1.0.0", "kind": "filter", "abi": "typed", "language": "wat",
                "source": DIVISIBLE_WAT, "parameters": [{"name": "number", "type": "i64", "from": "_source.number"},
                                                        {"name": "by", "type": "i64", "default": 2}]}


def limits_of(answer):
    return [int(answer.headers["X-RateLimit-" + part]) for part in ("Limit", "Remaining", "Reset")]


def test_registrations_past_the_limit__429_with_headers(make_daemon):
    api = make_daemon({"rate_limit.register_per_minute": 3}).api
    for remaining in (2, 1, 0):
        answer = api.post("/api/v1/udfs", REGISTRATION)
        limit, left, reset = limits_of(answer)
        assert answer.status in (200, 201) and (limit, left) == (3, remaining), answer
        assert 0 < reset <= 60 and "Retry-After" not in answer.headers
    answer = api.post("/api/v1/udfs", REGISTRATION)
    assert answer.status == 429 and answer.error["code"] == "RATE_LIMITED"
    assert answer.error["message"].startswith("too many calls: 3 a minute are let through per client "
                                              "(rate_limit.register_per_minute); try again in ")
    assert limits_of(answer)[:2] == [3, 0] and 1 <= int(answer.headers["Retry-After"]) <= 20
    # Another class has a bucket of its own; what is not limited says nothing of limits.
    assert api.delete("/api/v1/udfs/divisible").status == 200
    answer = api.get("/api/v1/udfs")
    assert answer.status == 200 and not any(name.startswith("X-RateLimit") for name in answer.headers)


def test_refusal_of_another_kind__counts_and_has_the_headers(make_daemon):
    api = make_daemon({"rate_limit.register_per_minute": 1}).api
    answer = api.post("/api/v1/udfs", {"name": "Bad Name"})
    assert answer.status == 400 and limits_of(answer)[:2] == [1, 0]
    assert api.post("/api/v1/udfs", REGISTRATION).status == 429


def test_large_upload_past_the_limit__429_and_the_connection_lives(make_daemon):
    api = make_daemon({"rate_limit.register_per_minute": 1}).api
    assert api.post("/api/v1/udfs", REGISTRATION).status == 201
    assert api.post("/api/v1/udfs", " " * 3000000).status == 429
    assert api.get("/api/v1/udfs/divisible").status == 200


def test_default_limits(make_daemon):
    defaults = {"rate_limit.register_per_minute": 10, "rate_limit.delete_per_minute": 10,
                "rate_limit.query_per_second": 1000, "rate_limit.stats_per_second": 100}
    api = make_daemon(defaults).api
    deploy_divisible(api)
    assert limits_of(api.delete("/api/v1/udfs/other"))[0] == 10
    answer = api.post("/api/v1/udfs/divisible/test", {"document": {"number": 4}})
    assert answer.json["result"] is True and limits_of(answer)[0] == 1000


def test_queries_of_the_functions_api_are_limited__searches_with_functions_are_not(make_daemon):
    api = make_daemon({"rate_limit.query_per_second": 1}).api
    api.load("numbers", {str(i): {"number": i} for i in range(4)})
    deploy_divisible(api)
    query = {"query": {"wasm_udf": {"name": "divisible"}}}
    registration = {**REGISTRATION, "name": "other"}
    for path, body in (("/api/v1/query", {"index": "numbers", **query}),
                       ("/api/v1/udfs/divisible/test", {"document": {"number": 4}}),
                       ("/api/v1/udfs/_test", {"document": {"number": 4}, **registration}),
                       ("/api/v1/udfs/_validate", registration)):
        answer = api.post(path, body)
        assert answer.status in (200, 429) and limits_of(answer)[:2] == [1, 0], answer
    for path in ("/numbers/_search", "/numbers/_count"):
        for _ in range(5):
            answer = api.post(path, query)
            assert answer.status == 200 and not any(name.startswith("X-RateLimit") for name in answer.headers), answer


def test_what_a_proxy_says__is_not_believed(make_daemon):
    api = make_daemon({"rate_limit.delete_per_minute": 1}).api
    statuses = [api.call("DELETE", "/api/v1/udfs/f", headers={"X-Forwarded-For": "10.0.0.%d" % i,
                                                              "Forwarded": "for=10.0.0.%d" % i}).status
                for i in range(3)]
    assert statuses == [404, 429, 429]


def test_search_body_over_its_limit__413_while_bulk_goes_on(make_daemon):
    api = make_daemon({"http.max_search_body_bytes": "64kb"}).api
    api.load("a", {str(i): {"n": i, "text": "x" * 1000} for i in range(100)})
    answer = api.post("/a/_search", " " * 70000 + "{}")
    assert answer.status == 413
    assert answer.error["reason"] == "the request body has 70002 bytes; the limit is 65536 (http.max_search_body_bytes)"
    assert api.count("a") == 100
