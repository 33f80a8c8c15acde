# SPDX-License-Identifier: Apache-2.0
"""The example functions, built from source by their own toolchains, deployed and searched with."""
import json
import math
import os
import pathlib
import subprocess

import pytest

from daemon import BUILD
from support import Bm25, haversine_km, levenshtein

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
NAMES = ["string-distance", "geo-filter", "custom-score", "popularity", "percentile", "slugify"]
QCTL = (BUILD / "bin" / "qctl").resolve()
CITIES = [json.loads(line) for line in open(EXAMPLES / "geo-filter" / "cities.ndjson", encoding="utf-8")]
PACKAGES = {"postgresql": ("object-relational SQL database", 4, None), "postgis": ("geographic objects database", 1,
    40),
            "sqlite3": ("SQL database in a file", 120, 0), "mysql-common": ("files of the SQL database", 9, 400)}


@pytest.fixture(scope="module", autouse=True)
def built():
    subprocess.run([EXAMPLES / "build"], check=True)


@pytest.fixture
def qctl(api):
    def call(*words):
        environment = dict(os.environ, QCTL_URL="http://%s:%d" % (api.host, api.port))
        done = subprocess.run([QCTL, *map(str, words)], env=environment, capture_output=True, text=True, timeout=120,
                              check=False)
        assert done.returncode == 0, "%r: %s%s" % (words, done.stdout, done.stderr)
        return done.stdout
    return call


@pytest.fixture
def packages(api, index, qctl):
    for name in NAMES:
        qctl("udf", "deploy", EXAMPLES / name)
    api.create(index, {"name": {"type": "keyword"}, "description": {"type": "text"}, "popularity": {"type": "integer"},
                       "age_days": {"type": "integer"}})
    documents = {}
    for name, (description, popularity, age_days) in PACKAGES.items():
        documents[name] = {"name": name, "description": description, "popularity": popularity}
        if age_days is not None:
            documents[name]["age_days"] = age_days
    api.load(index, documents)
    return index


@pytest.mark.parametrize("name", NAMES)
def test_cases__of_every_example__pass_before_and_after_deploy(qctl, name):
    n = len(json.loads((EXAMPLES / name / "cases.json").read_text())["cases"])
    assert qctl("udf", "test", EXAMPLES / name).endswith("%d of %d cases passed\n" % (n, n))
    qctl("udf", "deploy", EXAMPLES / name)
    out = qctl("udf", "test", name.replace("-", "_"), "--cases", EXAMPLES / name / "cases.json")
    assert out.endswith("%d of %d cases passed\n" % (n, n))


@pytest.mark.parametrize("target, distance", [("postgrsql", 2), ("postgi", 1), ("sqlite", 1), ("mysql", 7), ("zzz", 2)])
def test_string_distance__finds_what_levenshtein_says(api, packages, target, distance):
    query = {"wasm_udf": {"name": "string_distance",
                          "parameters": {"field": "name", "target": target, "max_distance": distance}}}
    expected = {name for name in PACKAGES if levenshtein(name, target) <= distance}
    assert set(api.ids(packages, query)) == expected


def test_geo_filter__agrees_with_the_formula(api, index, qctl):
    qctl("udf", "deploy", EXAMPLES / "geo-filter")
    api.create(index, {"name": {"type": "keyword"}, "location": {"type": "geo_point"}})
    api.load(index, {city["name"]: city for city in CITIES})
    for radius_km in (1, 160, 300, 1000, 9000):
        query = {"bool": {"must": [{"match_all": {}}],
                          "filter": [{"wasm_udf": {"name": "geo_filter",
                                                   "parameters": {"lat": 52.52, "lon": 13.405,
                                                       "radius_km": radius_km}}}]}}
        expected = {city["name"] for city in CITIES if haversine_km(52.52, 13.405, city["location"]["lat"],
                                                                    city["location"]["lon"]) <= radius_km}
        assert set(api.ids(index, query)) == expected


def test_popularity__multiplies_what_it_says(api, packages):
    body = {"query": {"script_score": {"query": {"match": {"description": "SQL database"}},
                                       "script": {"lang": "wasm", "source": "popularity",
                                                  "params": {"half_life_days": 100}}}},
            "context": {"user": {"tier": 2}}}
    relevance = Bm25({name: fields[0] for name, fields in PACKAGES.items()}).match("SQL database")
    hits = {hit["_id"]: hit["_score"] for hit in api.search(packages, **body)["hits"]["hits"]}
    assert set(hits) == set(relevance)
    for name, (_, popularity, age_days) in PACKAGES.items():
        expected = relevance[name] * (1 + math.log1p(popularity)) * 2 ** -((age_days or 0) / 100) * 1.5
        assert hits[name] == pytest.approx(expected, rel=1e-5)


def test_custom_score__raises_by_rating(api, index, qctl):
    qctl("udf", "deploy", EXAMPLES / "custom-score")
    api.load(index, {"a": {"title": "broom", "rating": 5}, "b": {"title": "broom"},
                     "c": {"title": "snitch", "rating": 3}})
    plain = api.scores(index, {"match": {"title": "broom"}})
    query = {"script_score": {"query": {"match": {"title": "broom"}},
                              "script": {"lang": "wasm", "source": "custom_score", "params": {"boost": 0.5}}}}
    scores = api.scores(index, query)
    assert scores == {"a": pytest.approx(plain["a"] * 3.5, rel=1e-6), "b": pytest.approx(plain["b"], rel=1e-6)}


def test_percentile__over_all_matches__is_within_one_percent(api, index, qctl):
    """Several segments, a deleted document, documents without a value; the sketch against all values, sorted."""
    qctl("udf", "deploy", EXAMPLES / "percentile")
    api.create(index, {"title": {"type": "text"}, "price": {"type": "double"}})
    prices = {}
    for segment in range(3):
        batch = {"%d-%d" % (segment, i): {"title": "broom" if i % 3 else "snitch", "price": 1.7 ** (i % 40) - 5}
                 for i in range(segment, 400, 3)}
        batch["%d-without" % segment] = {"title": "broom"}
        api.load(index, batch)
        prices.update((key, d["price"]) for key, d in batch.items() if d["title"] == "broom" and "price" in d)
    api.ok("DELETE", "/%s/_doc/1-1?refresh=true" % index)
    del prices["1-1"]
    ordered = sorted(prices.values())
    aggs = {"p%d" % percent: {"wasm_udf": {"name": "percentile", "parameters": {"value": "_source.price",
                                                                                "percent": percent}}}
            for percent in (0, 10, 50, 90, 100)}
    answer = api.search(index, query={"match": {"title": "broom"}}, aggs=aggs, size=0)
    assert answer["hits"]["hits"] == [] and answer["hits"]["total"]["value"] == len(prices) + 3
    for percent in (0, 10, 50, 90, 100):
        exact = ordered[int(percent / 100 * (len(ordered) - 1))]
        assert answer["aggregations"]["p%d" % percent]["value"] == pytest.approx(exact, rel=0.0101), percent
    same = api.search(index, query={"match": {"title": "broom"}}, aggs=aggs, size=3, sort=[{"price": "desc"}])
    assert same["aggregations"] == answer["aggregations"] and len(same["hits"]["hits"]) == 3
    none = api.search(index, query={"match": {"title": "quaffle"}}, aggs=aggs, size=0)
    assert {value["value"] for value in none["aggregations"].values()} == {None}


def test_slugify__as_a_field_of_hits(api, index, qctl):
    qctl("udf", "deploy", EXAMPLES / "slugify")
    api.load(index, {"a": {"title": "Crème Brûlée"}, "b": {"title": "!"}})
    field = {"slug": {"script": {"lang": "wasm", "source": "slugify"}}}
    hits = {hit["_id"]: hit for hit in api.search(index, script_fields=field)["hits"]["hits"]}
    assert hits["a"]["fields"] == {"slug": ["creme-brulee"]} and hits["b"]["fields"] == {"slug": [None]}
    assert "_source" not in hits["a"]
    with_source = api.search(index, script_fields=field, _source=True)["hits"]["hits"]
    assert [set(hit) & {"_source", "fields"} for hit in with_source] == [{"_source", "fields"}] * 2
