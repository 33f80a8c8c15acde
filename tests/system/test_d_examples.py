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
NAMES = ["string-distance", "geo-filter", "custom-score", "popularity"]
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
