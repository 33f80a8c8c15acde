# SPDX-License-Identifier: Apache-2.0
"""Functions from registration to ranked answers; what they should give is computed here, in Python."""
import base64
import hashlib
import json
import math
import pathlib
import subprocess
from urllib.parse import quote

import pytest

from support import (BOOSTED_WAT, CHEAPER_WAT, PRICE_PARAMETERS, Bm25, deploy_boosted, deploy_cheaper, deploy_divisible,
                     haversine_km, levenshtein, multipart)

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = {"string_distance": "string-distance", "geo_filter": "geo-filter", "custom_score": "custom-score",
            "popularity": "popularity"}

TITLES = {str(i): " ".join((["broom"] if i % 2 else []) + ["red"] * (i % 3) + ["flying"] * (i % 5 == 0) + ["thing"])
          for i in range(1, 41)}
NAMES = ["postgresql", "postgres", "progress", "mysql", "mongrel", "nginx", "engine", "apache", "cache", "redis"]
PLACES = [("Berlin", 52.52, 13.405), ("Potsdam", 52.3906, 13.0645), ("Hamburg", 53.5511, 9.9937),
          ("Paris", 48.8566, 2.3522), ("Tokyo", 35.68, 139.69)]


def document(i):
    city, lat, lon = PLACES[i % len(PLACES)]
    made = {"title": TITLES[str(i)], "number": i, "price": i * 1.5, "weight": 1 + i / 10, "name": NAMES[i % len(NAMES)],
            "city": city,
            "location": {"lat": lat, "lon": lon}, "popularity": i * i, "age_days": i * 10, "vendor": {"name": "v%d"
                % (i % 4), "rank": i % 7},
            "notes": {"unmapped": [i, i + 1]}, "flag": i % 2 == 0}
    if i % 3:
        made["rating"] = i / 8
    if i % 10 == 0:
        del made["price"], made["weight"]
    return made


DOCUMENTS = {str(i): document(i) for i in range(1, 41)}
MAPPING = {"title": {"type": "text"}, "number": {"type": "long"}, "price": {"type": "double"},
           "weight": {"type": "double"},
           "name": {"type": "keyword"}, "city": {"type": "keyword"}, "location": {"type":
               "geo_point"}, "popularity": {"type": "integer"},
           "age_days": {"type": "integer"}, "vendor": {"properties": {"name": {"type": "keyword"},
               "rank": {"type": "integer"}}},
           "rating": {"type": "double"}, "flag": {"type": "boolean"}}
BM25 = Bm25(TITLES)
BROOM = {"match": {"title": "broom red"}}


@pytest.fixture(scope="module", autouse=True)
def catalogue(api):
    api.ok("PUT", "/catalogue", {"mappings": {"dynamic": False, "properties": MAPPING}})
    # In three segments: results must not depend on where documents lie.
    keys = list(DOCUMENTS)
    for part in range(3):
        api.load("catalogue", {key: DOCUMENTS[key] for key in keys[part::3]})
    deploy_cheaper(api)
    deploy_divisible(api)
    deploy_boosted(api)
    subprocess.run([ROOT / "examples" / "build"], check=True, stdout=subprocess.DEVNULL)
    for name in EXAMPLES:
        body, content_type = example_upload(name)
        answer = api.call("POST", "/api/v1/udfs", body, {"Content-Type": content_type})
        assert answer.status in (200, 201), answer
    yield
    api.ok("DELETE", "/catalogue")


def example(name):
    directory = ROOT / "examples" / EXAMPLES[name]
    manifest = json.loads((directory / "manifest.json").read_text())
    return manifest, (directory / (EXAMPLES[name] + ".wasm")).read_bytes()


def example_upload(name):
    manifest, wasm = example(name)
    fields = [(key, manifest.pop(key)) for key in ("name", "version", "function_name")]
    return multipart(fields + [("wasm", wasm, name + ".wasm"), ("metadata", json.dumps(manifest))])


def where(predicate):
    return sorted(key for key, d in DOCUMENTS.items() if predicate(d))


def udf(name, **parameters):
    return {"wasm_udf": {"name": name, "parameters": parameters}}


def script(name, **params):
    return {"lang": "wasm", "source": name, "params": params}


def ids(api, query, **body):
    return sorted(api.ids("catalogue", query, **body))


def close(scores):
    return {key: pytest.approx(score, rel=1e-5, abs=1e-6) for key, score in scores.items()}


# ---- the registry ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", EXAMPLES)
def test_example__registered_from_its_file(api, name):
    manifest, wasm = example(name)
    body, content_type = example_upload(name)
    again = api.call("POST", "/api/v1/udfs", body, {"Content-Type": content_type})
    assert again.status == 200, again
    told = again.json
    assert told["success"] is True and (told["name"], told["version"]) == (name, "1.0.0")
    assert told["function_name"] == manifest["function_name"] and told["wasm_size"] == len(wasm)
    assert told["hash"].split(":")[-1] == hashlib.sha256(wasm).hexdigest() and told["status"] == "active"
    shown = api.ok("GET", "/api/v1/udfs/" + name)
    assert {key: shown[key] for key in manifest} == manifest
    assert shown["hash"] == told["hash"] and shown["registered_at"] == told["registered_at"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_example__its_cases(api, name):
    for case in json.loads((ROOT / "examples" / EXAMPLES[name] / "cases.json").read_text())["cases"]:
        body = {key: case[key] for key in ("document", "parameters", "context", "score", "id") if key in case}
        answer = api.post("/api/v1/udfs/%s/test" % name, body)
        if "error" in case:
            assert answer.error["code"] == case["error"], (case["name"], answer)
        else:
            assert answer.status == 200, (case["name"], answer)
            assert answer.json["result"] == pytest.approx(case["result"], abs=case.get("tolerance", 0)), case["name"]
            assert answer.json["execution_time_ms"] >= 0 and isinstance(answer.json["logs"], list)


def test_register__every_form__gives_the_same_function(api):
    manifest, wasm = example("popularity")
    first = api.post("/api/v1/udfs", {**manifest, "name": "forms", "wasm_base64": base64.b64encode(wasm).decode()})
    assert first.status == 201, first
    metadata = {**manifest, "name": "forms"}
    fields = [(key, metadata.pop(key)) for key in ("name", "version", "function_name")]
    body, content_type = multipart(fields + [("wasm", wasm, "x.wasm"), ("metadata", json.dumps(metadata))])
    second = api.call("POST", "/api/v1/udfs", body, {"Content-Type": content_type})
    assert second.status == 200, second
    assert second.json == first.json
    api.ok("DELETE", "/api/v1/udfs/forms")


def test_register__same_version_other_bytes__conflicts(api):
    deploy_cheaper(api, "fixed")
    other = api.register_wat({"name": "fixed", "version": "1.0.0", "kind": "filter", "abi": "typed",
                              "parameters": PRICE_PARAMETERS},
                             CHEAPER_WAT.replace("f64.lt", "f64.gt"))
    assert other.status == 409 and other.error["code"] == "UDF_ALREADY_EXISTS" and "fixed" in other.error["message"]
    described = api.register_wat({"name": "fixed", "version": "1.0.0", "kind": "filter", "abi": "typed",
                                  "parameters": PRICE_PARAMETERS,
                                  "description": "another manifest"}, CHEAPER_WAT)
    assert described.status == 409
    assert ids(api, udf("fixed", limit=3)) == where(lambda d: d.get("price", 9) < 3)
    api.ok("DELETE", "/api/v1/udfs/fixed")


def test_versions__in_semver_order__and_by_name_in_queries(api):
    for version, operator in (("1.10.0", "gt"), ("1.9.0", "ge"), ("1.0.0-rc.1", "lt"), ("1.0.0", "le")):
        api.deploy("versioned", CHEAPER_WAT.replace("f64.lt", "f64." + operator), version, kind="filter", abi="typed",
                   parameters=PRICE_PARAMETERS)
    shown = api.ok("GET", "/api/v1/udfs/versioned/versions")
    assert shown["versions"] == ["1.0.0-rc.1", "1.0.0", "1.9.0", "1.10.0"]
    limit = DOCUMENTS["8"]["price"]
    compare = {"1.10.0": lambda p: p > limit, "1.9.0": lambda p: p >= limit, "1.0.0-rc.1": lambda p: p < limit,
               "1.0.0": lambda p: p <= limit}
    for version, holds in compare.items():
        expected = where(lambda d: "price" in d and holds(d["price"]))
        assert ids(api, {"wasm_udf": {"name": "versioned", "version": version,
                                      "parameters": {"limit": limit}}}) == expected
        assert ids(api, {"script": {"script": script("versioned@" + version, limit=limit)}}) == expected
        assert api.ok("GET", "/api/v1/udfs/versioned/" + version)["version"] == version
        assert api.ok("GET", "/api/v1/udfs/versioned?version=" + version)["version"] == version
    # Ranges, the latest release, and the active version, which is the one that was registered last.
    for asked, version in (("^1", "1.10.0"), ("~1.9", "1.9.0"), ("<1.0.0 >=1.0.0-rc.0", "1.0.0-rc.1"),
                           ("latest", "1.10.0"), ("active", "1.0.0")):
        expected = where(lambda d: "price" in d and compare[version](d["price"]))
        assert ids(api, {"wasm_udf": {"name": "versioned", "version": asked,
                                      "parameters": {"limit": limit}}}) == expected, asked
        assert ids(api, {"script": {"script": script("versioned@" + asked, limit=limit)}}) == expected, asked
        assert api.ok("GET", "/api/v1/udfs/versioned?version=" + quote(asked))["version"] == version
    active = shown["active_version"]
    assert active == "1.0.0"
    assert ids(api, udf("versioned", limit=limit)) == where(lambda d: "price" in d and compare[active](d["price"]))
    api.ok("DELETE", "/api/v1/udfs/versioned/" + active)
    shown = api.ok("GET", "/api/v1/udfs/versioned/versions")
    assert shown["versions"] == ["1.0.0-rc.1", "1.9.0", "1.10.0"] and shown["active_version"] == "1.0.0-rc.1"
    api.ok("DELETE", "/api/v1/udfs/versioned")
    assert api.get("/api/v1/udfs/versioned").status == 404
    assert api.get("/api/v1/udfs/versioned/versions").status == 404


def test_list__filters_and_pages(api):
    for i in range(5):
        deploy_cheaper(api, "listed_%d" % i, author="tester", tags=["even" if i % 2 == 0 else "odd", "listed"],
                       category="list",
                       description="number %d of the list" % i)
    listed = api.ok("GET", "/api/v1/udfs?author=tester")
    assert [u["name"] for u in listed["udfs"]] == ["listed_%d" % i for i in range(5)]
    assert (listed["total"], listed["page"], listed["size"]) == (5, 1, 20)
    first = listed["udfs"][0]
    assert first["versions"] == ["1.0.0"] and first["active_version"] == first["latest_version"] == "1.0.0"
    assert first["tags"] == ["even", "listed"]
    for query, names in (("tag=odd", [1, 3]), ("category=list", range(5)), ("author=tester&page=2&size=2", [2, 3]),
                         ("q=number%204", [4]), ("name=listed_3", [3]), ("author=nobody", [])):
        assert [u["name"] for u in api.ok("GET", "/api/v1/udfs?" + query)["udfs"]] == ["listed_%d" % i
            for i in names], query
    assert api.ok("GET", "/api/v1/udfs?language=rust")["udfs"][0]["name"] == "string_distance"
    for i in range(5):
        assert api.ok("DELETE", "/api/v1/udfs/listed_%d" % i)["success"] is True


def test_delete__the_function_is_gone(api):
    deploy_cheaper(api, "short_lived")
    api.ok("DELETE", "/api/v1/udfs/short_lived/1.0.0")
    for answer in (api.get("/api/v1/udfs/short_lived"), api.delete("/api/v1/udfs/short_lived"),
                   api.get("/api/v1/udfs/short_lived/1.0.0"),
                   api.post("/api/v1/udfs/short_lived/test", {"document": {}})):
        assert answer.status == 404 and answer.error["code"] == "UDF_NOT_FOUND"
        assert answer.error["details"]["name"] == "short_lived"
    answer = api.post("/catalogue/_search", {"query": udf("short_lived", limit=1)})
    assert answer.status == 404 and "short_lived" in answer.error["reason"]


def test_validate__and_dry_run__keep_nothing(api):
    registration = {"name": "tried", "version": "1.0.0", "kind": "score", "abi": "typed", "function_name": "score",
                    "language": "wat",
                    "source": BOOSTED_WAT, "parameters": [{"name": "a", "type": "f64", "from": "_score"},
                                                          {"name": "b", "type": "f64", "default": 2},
                                                          {"name": "c", "type": "i32", "default": 1}]}
    valid = api.ok("POST", "/api/v1/udfs/_validate", registration)
    assert valid["valid"] is True and (valid["abi"], valid["kind"]) == ("typed", "score")
    assert "score" in valid["exports"]
    ran = api.ok("POST", "/api/v1/udfs/_test",
                 {**registration, "test": {"document": {}, "score": 5, "parameters": {"c": 4}}})
    assert ran["result"] == 14
    assert api.get("/api/v1/udfs/tried").status == 404


def test_test_call__many_documents(api):
    answer = api.ok("POST", "/api/v1/udfs/divisible/test", {"documents": [{"number": n} for n in (4, 5, 6)],
                                                            "parameters": {"by": 3}})
    assert answer["results"] == [False, False, True]


def test_test_call__logs_and_host_calls(api):
    api.deploy("logger", """(module (import "env" "log" (func $log (param i32 i32 i32)))
      (memory (export "memory") 1) (data (i32.const 0) "hello from inside")
      (func (export "filter") (param i64) (result i32)
        (call $log (i32.const 2) (i32.const 0) (i32.const 17)) (i32.const 1)))""", kind="filter", abi="row")
    answer = api.ok("POST", "/api/v1/udfs/logger/test", {"document": {}})
    assert answer["result"] is True and answer["host_calls"] == 1
    assert [entry["message"] for entry in answer["logs"]] == ["hello from inside"]
    api.ok("DELETE", "/api/v1/udfs/logger")


# ---- filters ---------------------------------------------------------------------------------------------------------

def cheap(limit):
    return lambda d: "price" in d and d["price"] < limit


def even(d):
    return d["number"] % 2 == 0


def test_filter__alone(api):
    assert ids(api, udf("cheaper", limit=20)) == where(cheap(20))
    assert set(api.scores("catalogue", udf("cheaper", limit=20)).values()) == {1.0}
    assert api.count("catalogue", udf("cheaper", limit=20)) == len(where(cheap(20)))
    boosted = {"wasm_udf": {"name": "cheaper", "parameters": {"limit": 20}, "boost": 2.5}}
    assert set(api.scores("catalogue", boosted).values()) == {2.5}


@pytest.mark.parametrize("occur", ["must", "filter", "should"])
def test_filter__in_each_clause(api, occur):
    assert ids(api, {"bool": {occur: [udf("cheaper", limit=20)]}}) == where(cheap(20))
    with_match = {"bool": {"must": [BROOM], occur: [udf("cheaper", limit=20)]}
                  if occur != "must" else {"must": [BROOM, udf("cheaper", limit=20)]}}
    matched = BM25.match("broom red")
    scores = api.scores("catalogue", with_match)
    passes = set(where(cheap(20)))
    if occur == "should":
        assert scores == close({key: score + (key in passes) for key, score in matched.items()})
    else:
        assert scores == close({key: score + (occur == "must") for key, score in matched.items() if key in passes})


def test_filter__in_must_not(api):
    assert ids(api, {"bool": {"must_not": [udf("cheaper", limit=20)]}}) == where(lambda d: not cheap(20)(d))
    assert ids(api, {"bool": {"must": [BROOM], "must_not": udf("divisible", by=3)}}) == sorted(
        key for key in BM25.match("broom red") if int(key) % 3)


def test_filters__several_at_once(api):
    query = {"bool": {"must": [BROOM, udf("cheaper", limit=45)], "filter": [udf("divisible", by=3),
        {"range": {"number": {"gte": 5}}}],
                      "should": [udf("divisible", by=5), udf("divisible", by=7)], "must_not": [udf("divisible", by=4),
                          udf("cheaper", limit=8)]}}
    expected = {}
    for key, score in BM25.match("broom red").items():
        d, n = DOCUMENTS[key], int(key)
        if cheap(45)(d) and n % 3 == 0 and n >= 5 and n % 4 and not cheap(8)(d):
            expected[key] = score + 1 + (n % 5 == 0) + (n % 7 == 0)
    assert expected and api.scores("catalogue", query) == close(expected)


def test_filters__in_should_alone__unite(api):
    query = {"bool": {"should": [udf("divisible", by=7), udf("cheaper", limit=6), {"term": {"number": 40}}]}}
    assert ids(api, query) == where(lambda d: d["number"] % 7 == 0 or cheap(6)(d) or d["number"] == 40)
    two = {"bool": {"should": [udf("divisible", by=2), udf("divisible", by=3), udf("cheaper", limit=30)],
                    "minimum_should_match": 2}}
    assert ids(api, two) == where(lambda d: (d["number"] % 2 == 0) + (d["number"] % 3 == 0) + cheap(30)(d) >= 2)


def test_filters__nested_bools(api):
    query = {"bool": {"filter":
                      [{"bool": {"should": [{"bool": {"must": [udf("divisible", by=4), {"term": {"city": "Berlin"}}]}},
                                                      {"bool": {"must_not": [udf("cheaper", limit=50)],
                                                                "filter": {"exists": {"field": "price"}}}}]}},
                                 {"constant_score": {"filter": udf("divisible", by=2)}}]}}
    assert ids(api, query) == where(lambda d: even(d) and ((d["number"] % 4 == 0 and d["city"] == "Berlin")
                                                           or d.get("price", 0) >= 50))


def test_script_query__is_a_filter(api):
    assert ids(api, {"bool":
                     {"filter": [{"script": {"script": script("divisible",
                                                              by=3)}}]}}) == where(lambda d: d["number"] % 3 == 0)


def test_filter__at_every_page(api):
    query = udf("divisible", by=2)
    whole = api.ids("catalogue", query)
    assert sorted(whole) == where(even)
    pages = [api.search("catalogue", query, size=7, **{"from": start})["hits"] for start in range(0, 28, 7)]
    assert [h["_id"] for page in pages for h in page["hits"]] == whole
    assert all(page["total"] == {"value": 20, "relation": "eq"} for page in pages)
    by_number = api.ids("catalogue", query, sort=[{"number": "desc"}])
    assert by_number == sorted(whole, key=int, reverse=True)


# ---- the examples ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("field, value", [
    ("name", lambda d: d["name"]), ("vendor.name", lambda d: d["vendor"]["name"]), ("city", lambda d: d["city"]),
])
@pytest.mark.parametrize("target, distance", [
    ("postgrsql", 2), ("v1", 0), ("v1", 1), ("Berlim", 1), ("cache", 3), ("absent word", 2),
])
def test_string_distance__as_in_python(api, field, value, target, distance):
    expected = where(lambda d: levenshtein(value(d), target) <= distance)
    assert ids(api, udf("string_distance", field=field, target=target, max_distance=distance)) == expected


@pytest.mark.parametrize("radius", [1, 30, 260, 900, 10000])
def test_geo_filter__as_in_python(api, radius):
    expected = where(lambda d: haversine_km(52.52, 13.405, d["location"]["lat"], d["location"]["lon"]) <= radius)
    assert ids(api, udf("geo_filter", lat=52.52, lon=13.405, radius_km=radius)) == expected


def popularity(score, d, tier, half_life=365):
    return score * (1 + math.log1p(d["popularity"])) * 2 ** (-d["age_days"] / half_life) * (1 + min(max(tier, 0),
        4) / 4)


@pytest.mark.parametrize("tier", [None, 0, 2, 9])
def test_popularity__rescores_a_match(api, tier):
    body = {"context": {"user": {"tier": tier}}} if tier is not None else {}
    query = {"script_score": {"query": BROOM, "script": script("popularity")}}
    expected = {key: popularity(score, DOCUMENTS[key], tier or 0) for key, score in BM25.match("broom red").items()}
    assert api.scores("catalogue", query, **body) == close(expected)
    order = api.ids("catalogue", query, **body)
    assert [expected[key] for key in order] == pytest.approx(sorted(expected.values(), reverse=True), rel=1e-5)


def test_custom_score__row_shape(api):
    expected = {key: score * (1 + 0.5 * DOCUMENTS[key].get("rating", 0)) for key,
                score in BM25.match("broom red").items()}
    assert api.scores("catalogue",
                      {"script_score": {"query": BROOM,
                                        "script": script("custom_score", boost=0.5)}}) == close(expected)


# ---- where scores stand ----------------------------------------------------------------------------------------------

def boosted(score, d, tier=0):
    return score * d.get("weight", 1) + tier


def test_script_score__parameters_from_everywhere(api):
    matched = BM25.match("broom red")
    query = {"script_score": {"query": BROOM, "script": script("boosted")}}
    assert api.scores("catalogue", query) == close({key: boosted(score, DOCUMENTS[key]) for key,
                                                    score in matched.items()})
    assert api.scores("catalogue", query, context={"user": {"tier": 3}}) == close({key: boosted(s, DOCUMENTS[key], 3)
        for key, s in matched.items()})
    # The query's own parameter wins: a constant, another field, a column of another type, the context.
    for given, value in ((7, lambda d: 7), ("_source.number", lambda d: d["number"]),
                         ("_source.vendor.rank", lambda d: d["vendor"]["rank"]),
                         ("_source.notes.unmapped[1]", lambda d: d["notes"]["unmapped"][1]), ("_context.shop.factor",
                             lambda d: 2.5)):
        query = {"script_score": {"query": BROOM, "script": script("boosted", weight=given)}}
        assert api.scores("catalogue", query,
                          context={"shop": {"factor": 2.5}}) == close({key: s * value(DOCUMENTS[key]) for key,
                              s in matched.items()}), given


def test_script_score__over_everything_and_min_score(api):
    query = {"script_score": {"query": {"match_all": {}}, "script": script("boosted", weight="_source.number"),
                              "min_score": 30.5}}
    assert api.scores("catalogue", query) == {str(i): float(i) for i in range(31, 41)}
    halved = {"script_score": {"query": {"match_all": {}}, "script": script("boosted", weight="_source.number"),
                               "boost": 0.5}}
    assert api.scores("catalogue", halved) == {str(i): i / 2 for i in range(1, 41)}


def test_wasm_udf_score__as_a_clause(api):
    """A score function standing alone scores every document from 1; beside others it sees and adds to their sum."""
    assert api.scores("catalogue", udf("boosted", weight="_source.number")) == {str(i): float(i) for i in range(1, 41)}
    matched = BM25.match("broom red")
    given = {"wasm_udf": {"name": "boosted", "parameters": {}, "query": BROOM}}
    assert api.scores("catalogue", given) == close({key: boosted(score, DOCUMENTS[key]) for key,
                                                    score in matched.items()})
    beside = {"bool": {"must": [BROOM, udf("boosted")]}}
    assert api.scores("catalogue", beside) == close({key: score + boosted(score, DOCUMENTS[key]) for key,
                                                     score in matched.items()})


@pytest.mark.parametrize("boost_mode", ["multiply", "replace", "sum", "avg", "max", "min"])
def test_function_score__boost_modes(api, boost_mode):
    combine = {"multiply": lambda q, f: q * f, "replace": lambda q, f: f, "sum": lambda q, f: q + f, "avg": lambda q,
               f: (q + f) / 2,
               "max": max, "min": min}[boost_mode]
    query = {"function_score": {"query": BROOM, "script_score": {"script": script("boosted")},
                                "boost_mode": boost_mode}}
    assert api.scores("catalogue", query) == close({key: combine(score, boosted(score, DOCUMENTS[key])) for key,
                                                    score in BM25.match("broom red").items()})


@pytest.mark.parametrize("score_mode", ["multiply", "sum", "avg", "first", "max", "min"])
def test_function_score__score_modes(api, score_mode):
    functions = [{"filter": {"term": {"flag": True}}, "weight": 3}, {"filter": udf("divisible", by=3),
        "script_score": {"script": script("boosted")}},
                 {"script_score": {"script": script("boosted", weight=2)}, "weight": 0.5}]
    query = {"function_score": {"query": BROOM, "functions": functions, "score_mode": score_mode,
                                "boost_mode": "replace"}}
    expected = {}
    for key, score in BM25.match("broom red").items():
        d, parts = DOCUMENTS[key], []
        if d["flag"]:
            parts.append((3, 3))
        if d["number"] % 3 == 0:
            parts.append((boosted(score, d), 1))
        parts.append((score * 2 * 0.5, 0.5))
        values = [value for value, _ in parts]
        expected[key] = {"multiply": math.prod(values), "sum": sum(values), "first": values[0], "max": max(values),
                         "min": min(values),
                         "avg": sum(values) / sum(weight for _, weight in parts)}[score_mode]
    assert api.scores("catalogue", query) == close(expected)


def test_function_score__max_boost_and_min_score(api):
    query = {"function_score": {"query": {"match_all": {}},
                                "script_score": {"script": script("boosted",
                                    weight="_source.number")}, "max_boost": 9, "min_score": 5}}
    assert api.scores("catalogue", query) == {str(i): float(min(i, 9)) for i in range(5, 41)}


# ---- missing values and failures -------------------------------------------------------------------------------------

def test_missing_field__is_no_match_and_never_zero(api):
    assert ids(api, udf("cheaper", limit=1000)) == where(lambda d: "price" in d)
    assert ids(api, udf("cheaper", limit=-1)) == []
    with_default = [{**PRICE_PARAMETERS[0], "default": 2.5}, PRICE_PARAMETERS[1]]
    api.deploy("defaulted", CHEAPER_WAT, kind="filter", abi="typed", parameters=with_default)
    assert ids(api, udf("defaulted", limit=3)) == where(lambda d: d.get("price", 2.5) < 3)
    api.ok("DELETE", "/api/v1/udfs/defaulted")


TRAPPING = {"name": "divisible", "parameters": {"by": "_source.vendor.rank"}}  # traps where the rank is 0


def rank_divides(d):
    return d["vendor"]["rank"] != 0 and d["number"] % d["vendor"]["rank"] == 0


def test_on_error_fail__names_function_version_document_and_reason(api):
    answer = api.post("/catalogue/_search", {"query": {"wasm_udf": TRAPPING}})
    assert answer.status == 500, answer
    reason = answer.error["reason"]
    assert "divisible@1.0.0" in reason and "divide by zero" in reason
    assert any("document '%s'" % key in reason for key in where(lambda d: d["vendor"]["rank"] == 0)), reason
    assert ids(api, {"bool": {"must": [{"wasm_udf": TRAPPING}],
                              "filter": {"range": {"vendor.rank": {"gt": 0}}}}}) == where(rank_divides)


def test_on_error_skip__goes_on(api):
    assert ids(api, {"wasm_udf": {**TRAPPING, "on_error": "skip"}}) == where(rank_divides)


@pytest.mark.parametrize("default", [True, False])
def test_on_error_default__stands_in(api, default):
    query = {"wasm_udf": {**TRAPPING, "on_error": "default", "default": default}}
    assert ids(api, query) == where(lambda d: rank_divides(d) if d["vendor"]["rank"] else default)


def test_context_in_api_query__as_in_search(api):
    body = {"index": "catalogue", "query": {"script_score": {"query": BROOM, "script": script("boosted")}},
            "context": {"user": {"tier": 3}}, "size": 50}
    hits = api.ok("POST", "/api/v1/query", body)["hits"]["hits"]
    assert {h["_id"]: h["_score"] for h in hits} == close({key: boosted(s, DOCUMENTS[key], 3) for key,
                                                           s in BM25.match("broom red").items()})


# ---- restart ---------------------------------------------------------------------------------------------------------

def test_functions__survive_restarts(restartable):
    api = restartable.api
    api.load("kept", {str(i): {"price": i} for i in range(10)})
    deploy_cheaper(api)
    deploy_cheaper(api, "removed")
    api.deploy("cheaper", CHEAPER_WAT.replace("f64.lt", "f64.gt"), "2.0.0", kind="filter", abi="typed",
               parameters=PRICE_PARAMETERS)
    api.ok("DELETE", "/api/v1/udfs/removed")
    before = [api.ok("GET", "/api/v1/udfs/cheaper/" + version) for version in ("1.0.0", "2.0.0")]
    listed = api.ok("GET", "/api/v1/udfs")
    for stop in (restartable.stop, restartable.kill):
        stop()
        api = restartable.start()
        volatile = ("last_used_at", "tier")
        after = [api.ok("GET", "/api/v1/udfs/cheaper/" + version) for version in ("1.0.0", "2.0.0")]
        assert [{k: v for k, v in u.items() if k not in volatile} for u in after] == [{k: v for k,
            v in u.items() if k not in volatile} for u in before]
        assert api.ok("GET", "/api/v1/udfs") == listed
        api.refresh("kept")
        assert sorted(api.ids("kept",
                              {"wasm_udf": {"name": "cheaper", "version": "1.0.0",
                                            "parameters": {"limit": 3}}})) == ["0", "1", "2"]
        assert sorted(api.ids("kept",
                              {"wasm_udf": {"name": "cheaper", "version": "2.0.0",
                                            "parameters": {"limit": 7}}})) == ["8", "9"]
        assert api.get("/api/v1/udfs/removed").status == 404
