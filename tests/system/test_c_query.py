# SPDX-License-Identifier: Apache-2.0
"""Queries without functions: what matches, how it scores, how it is ordered, paged and shown."""
import json

import pytest

from support import Bm25

TITLES = {
    "1": "the quick brown fox", "2": "the lazy dog", "3": "quick quick fox jumps over the lazy dog again and again",
    "4": "brown bread and butter", "5": "a dog", "6": "fox and hound and dog and fox", "7": "nothing in common",
    "8": "Quick Brown!",
}
BODIES = {"1": "forest animal", "2": "sleeping animal at home", "3": "quick story", "5": "animal",
          "7": "quick brown fox"}
PRICES = {"1": 10, "2": 20, "3": 30, "4": 20, "5": 5, "6": 60, "8": 20}
DOCUMENTS = {key: {"title": title, "body": BODIES.get(key), "price": PRICES.get(key), "number": int(key),
                   "section": "ab"[int(key) % 2],
                   "tags": ["t%d" % (int(key) % 3),
                            "all"], "day": "2026-11-%02dT12:00:00Z" % int(key), "even": int(key) % 2 == 0,
                   "ratio": int(key) / 4, "vendor": {"name": "v" + key, "city": {"zip": "1000" + key}}}
             for key, title in TITLES.items()}
MAPPING = {"title": {"type": "text", "fields": {"raw": {"type": "keyword"}}}, "body": {"type": "text"},
           "price": {"type": "integer"},
           "number": {"type": "long"}, "section": {"type": "keyword"}, "tags": {"type": "keyword"}, "day": {"type":
               "date"},
           "even": {"type": "boolean"}, "ratio": {"type": "double"},
           "vendor": {"properties": {"name": {"type": "keyword"},
                                     "city": {"properties": {"zip": {"type": "keyword"}}}}}}
ALL = sorted(TITLES)
BM25 = Bm25(TITLES)
BODY_BM25 = Bm25(BODIES)


@pytest.fixture(scope="module", autouse=True)
def library(api):
    api.create("library", MAPPING)
    api.load("library", DOCUMENTS)
    # One document is replaced and one deleted, and merged away: neither may show, nor count in the statistics.
    api.ok("PUT", "/library/_doc/1?refresh=true", {"title": "replaced"})
    api.ok("PUT", "/library/_doc/1", DOCUMENTS["1"])
    api.ok("PUT", "/library/_doc/9", {"title": "quick fox"})
    api.ok("DELETE", "/library/_doc/9")
    api.refresh("library")
    api.ok("POST", "/library/_forcemerge?max_num_segments=1")
    yield
    api.ok("DELETE", "/library")


def close(scores):
    return {key: pytest.approx(score, rel=1e-5) for key, score in scores.items()}


# ---- what matches ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("query, expected", [
    ({"match_all": {}}, ALL), ({"match_none": {}}, []), (None, ALL), ({"match": {"title": "fox"}}, ["1", "3", "6"]),
    ({"match": {"title": {"query": "FOX, Dog"}}}, ["1", "2", "3", "5", "6"]),
    ({"match": {"title": {"query": "quick fox", "operator": "and"}}}, ["1", "3"]),
    ({"match": {"title": {"query": "quick brown fox", "minimum_should_match": 2}}}, ["1", "3", "8"]),
    ({"match": {"title": {"query": "quick brown fox", "minimum_should_match": "100%"}}}, ["1"]),
    ({"match": {"title": {"query": "quick brown fox", "minimum_should_match": "-1"}}}, ["1", "3", "8"]),
    ({"match": {"title": ""}}, []), ({"match": {"title": "absent"}}, []), ({"match": {"unmapped": "fox"}}, []),
    ({"match": {"section": "a"}}, ["2", "4", "6", "8"]), ({"match": {"price": 20}}, ["2", "4", "8"]),
    ({"multi_match": {"query": "quick", "fields": ["title", "body"]}}, ["1", "3", "7", "8"]),
    ({"multi_match": {"query": "quick fox", "fields": ["title", "body"], "operator": "and"}}, ["1", "3", "7"]),
    ({"term": {"section": "b"}}, ["1", "3", "5", "7"]), ({"term": {"section": {"value": "b"}}}, ["1", "3", "5", "7"]),
    ({"term": {"title": "quick"}}, ["1", "3", "8"]), ({"term": {"title": "Quick"}}, []),
    ({"term": {"title.raw": "Quick Brown!"}}, ["8"]), ({"term": {"price": 20}}, ["2", "4", "8"]),
    ({"term": {"price": 20.5}}, []), ({"term": {"ratio": 0.75}}, ["3"]),
    ({"term": {"even": False}}, ["1", "3", "5", "7"]), ({"term": {"vendor.city.zip": "10004"}}, ["4"]),
    ({"term": {"nowhere": 1}}, []), ({"terms": {"section": ["a", "nothing"]}}, ["2", "4", "6", "8"]),
    ({"terms": {"price": [5, 60]}}, ["5", "6"]), ({"terms": {"price": []}}, []),
    ({"terms": {"tags": ["t0", "t1"]}}, ["1", "3", "4", "6", "7"]),
    ({"range": {"price": {"gte": 20, "lt": 60}}}, ["2", "3", "4", "8"]), ({"range": {"price": {"gt": 20}}}, ["3", "6"]),
    ({"range": {"price": {"gt": 19.5, "lt": 20.5}}}, ["2", "4", "8"]),
    ({"range": {"ratio": {"gte": 0.5, "lte": 0.75}}}, ["2", "3"]),
    ({"range": {"day": {"gte": "2026-11-03", "lt": "2026-11-05"}}}, ["3", "4"]),
    ({"range": {"section": {"gt": "a"}}}, ["1", "3", "5", "7"]),
    ({"range": {"price": {}}}, ["1", "2", "3", "4", "5", "6", "8"]), ({"range": {"price": {"gt": 100}}}, []),
    ({"exists": {"field": "price"}}, ["1", "2", "3", "4", "5", "6", "8"]),
    ({"exists": {"field": "body"}}, ["1", "2", "3", "5", "7"]), ({"exists": {"field": "vendor"}}, ALL),
    ({"exists": {"field": "nowhere"}}, []), ({"ids": {"values": ["3", "1", "absent"]}}, ["1", "3"]),
    ({"ids": {"values": []}}, []), ({"bool": {}}, ALL),
    ({"bool": {"must": {"match": {"title": "dog"}}}}, ["2", "3", "5", "6"]),
    ({"bool": {"must": [{"match": {"title": "dog"}}], "must_not": [{"term": {"section": "a"}}]}}, ["3", "5"]),
    ({"bool": {"must_not": [{"exists": {"field": "price"}}]}}, ["7"]),
    ({"bool": {"filter": [{"term": {"section": "a"}}, {"range": {"price": {"lte": 20}}}]}}, ["2", "4", "8"]),
    ({"bool": {"should": [{"term": {"price": 5}}, {"term": {"price": 60}}]}}, ["5", "6"]),
    ({"bool": {"must": [{"match_all": {}}], "should": [{"term": {"price": 5}}]}}, ALL),
    ({"bool": {"filter": [{"term": {"even": True}}], "should": [{"term": {"price": 20}}, {"term": {"number": 6}}],
               "minimum_should_match": 1}}, ["2", "4", "6", "8"]),
    ({"bool": {"should": [{"term": {"section": "a"}}, {"term": {"price": 20}}, {"term": {"number": 8}}],
               "minimum_should_match": 3}}, ["8"]),
    ({"bool": {"must": [{"bool": {"should": [{"term": {"number": 1}}, {"bool": {"must": {"term": {"number": 2}}}}]}}]}},
     ["1", "2"]),
    ({"constant_score": {"filter": {"match": {"title": "brown"}}}}, ["1", "4", "8"]),
], ids=json.dumps)
def test_query__matches(api, query, expected):
    assert sorted(api.ids("library", query)) == expected
    assert api.count("library", query) == len(expected)
    found = api.search("library", query, size=0, track_total_hits=True)["hits"]
    assert found["total"] == {"value": len(expected), "relation": "eq"} and found["hits"] == []
    assert found["max_score"] is None
    if query is not None:
        assert sorted(api.ids("library", {"bool": {"filter": query}})) == expected
        assert sorted(api.ids("library", {"bool": {"must_not": query}})) == sorted(set(ALL) - set(expected))


# ---- how it scores ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("text", ["fox", "quick fox", "dog and dog", "the quick brown lazy dog", "butter", "Again!"])
def test_match__scores_by_bm25(api, text):
    hits = api.search("library", {"match": {"title": text}}, size=100)["hits"]
    expected = BM25.match(text)
    assert {h["_id"]: h["_score"] for h in hits["hits"]} == close(expected)
    assert [h["_score"] for h in hits["hits"]] == sorted((h["_score"] for h in hits["hits"]), reverse=True)
    assert hits["max_score"] == hits["hits"][0]["_score"]


def test_match__field_statistics_count_only_documents_with_the_field(api):
    assert api.scores("library", {"match": {"body": "quick animal"}}) == close(BODY_BM25.match("quick animal"))


def test_boost__multiplies(api):
    expected = BM25.match("fox")
    for query in ({"match": {"title": {"query": "fox", "boost": 2.5}}},
                  {"term": {"title": {"value": "fox", "boost": 2.5}}},
                  {"bool": {"must": {"match": {"title": "fox"}}, "boost": 2.5}}):
        assert api.scores("library", query) == close({key: 2.5 * score for key, score in expected.items()})


def test_bool__sums_scoring_clauses(api):
    quick, fox, dog = (BM25.match(word) for word in ("quick", "fox", "dog"))
    query = {"bool": {"must": [{"match": {"title": "fox"}}], "should": [{"match": {"title": "quick"}},
        {"match": {"title": "dog"}}],
                      "filter": [{"match_all": {}}], "must_not": [{"match": {"title": "hound"}}]}}
    assert api.scores("library", query) == close({key: fox[key] + quick.get(key, 0) + dog.get(key, 0) for key in ("1",
        "3")})
    assert api.scores("library", {"bool": {"filter": {"match": {"title": "fox"}}}}) == {"1": 0, "3": 0, "6": 0}
    assert api.scores("library",
                      {"bool": {"filter": {"match": {"title": "fox"}},
                                "must": {"match_all": {"boost": 3}}}}) == {"1": 3, "3": 3, "6": 3}


@pytest.mark.parametrize("query, score", [
    ({"match_all": {}}, 1), ({"match_all": {"boost": 4}}, 4), ({"range": {"price": {"gt": 20}}}, 1),
    ({"exists": {"field": "price"}}, 1), ({"ids": {"values": ["1"]}}, 1), ({"terms": {"price": [20]}}, 1),
    ({"term": {"price": 20}}, 1), ({"constant_score": {"filter": {"match": {"title": "fox"}}, "boost": 1.5}}, 1.5),
    ({"range": {"price": {"gt": 20, "boost": 3}}}, 3),
], ids=json.dumps)
def test_constant__scores(api, query, score):
    scores = api.scores("library", query)
    assert scores and set(scores.values()) == {score}


def test_multi_match__best_fields_and_most_fields(api):
    title, body = BM25.match("quick fox"), BODY_BM25.match("quick fox")
    both = set(title) | set(body)
    ask = {"query": "quick fox", "fields": ["title", "body"]}
    assert api.scores("library", {"multi_match": ask}) == close({key: max(title.get(key, 0), body.get(key, 0))
        for key in both})
    assert api.scores("library", {"multi_match": {**ask, "type": "most_fields"}}) == close(
        {key: title.get(key, 0) + body.get(key, 0) for key in both})
    pairs = {key: (title.get(key, 0), body.get(key, 0)) for key in both}
    assert api.scores("library", {"multi_match": {**ask, "tie_breaker": 0.3}}) == close(
        {key: max(pair) + 0.3 * min(pair) for key, pair in pairs.items()})
    assert api.scores("library", {"multi_match": {**ask, "fields": ["title^3", "body"]}}) == close(
        {key: max(3 * a, b) for key, (a, b) in pairs.items()})


def test_min_score__cuts(api):
    scores = BM25.match("quick fox")
    limit = sorted(scores.values())[1] * 1.0001
    kept = api.search("library", {"match": {"title": "quick fox"}}, min_score=limit)["hits"]
    assert sorted(h["_id"] for h in kept["hits"]) == sorted(key for key, score in scores.items() if score >= limit)
    assert kept["total"]["value"] == len(kept["hits"])


# ---- order, pages ----------------------------------------------------------------------------------------------------

def test_ties__keep_document_order(api):
    order = api.ids("library", {"match_all": {}})
    assert sorted(order) == ALL
    assert api.ids("library", {"match_all": {}}, sort=["_doc"]) == order
    assert api.ids("library", {"constant_score": {"filter": {"term": {"section": "a"}}}}) == [key for key in order
        if int(key) % 2 == 0]


@pytest.mark.parametrize("sort, expected", [
    (["number"], "12345678"), ([{"number": "desc"}], "87654321"), ([{"number": {"order": "desc"}}], "87654321"),
    ([{"price": "asc"}, {"number": "desc"}], "51842367"), ([{"price": {"order": "desc"}}, "number"], "63248157"),
    ([{"price": {"order": "asc", "missing": "_first"}}, "number"], "75124836"),
    ([{"price": {"order": "asc", "missing": 25}}, "number"], "51248736"),
    ([{"section": "desc"}, {"number": "desc"}], "75318642"), ([{"title.raw": "asc"}], None),
    ([{"day": "desc"}], "87654321"), ([{"even": "desc"}, "number"], "24681357"), ([{"ratio": "desc"}], "87654321"),
    ([{"vendor.name": "desc"}], "87654321"), ([{"tags": "asc"}, "number"], None),
], ids=json.dumps)
def test_sort__by_fields(api, sort, expected):
    if expected is None:
        field = next(iter(sort[0]))
        values = {key: d["title"] if field == "title.raw" else min(d["tags"]) for key, d in DOCUMENTS.items()}
        expected = sorted(ALL, key=lambda key: (values[key], key))
    hits = api.search("library", {"match_all": {}}, sort=sort, size=100)["hits"]
    assert [h["_id"] for h in hits["hits"]] == list(expected)
    assert hits["max_score"] is None and all(h["_score"] is None for h in hits["hits"])
    assert all(len(h["sort"]) == len(sort) for h in hits["hits"])


def test_sort__shows_its_values(api):
    hits = api.search("library", {"ids": {"values": ["1", "7"]}}, sort=["number", "price", "section", "day",
        "ratio"])["hits"]["hits"]
    assert hits[0]["sort"] == [1, 10, "b", 1793534400000, 0.25]
    assert hits[1]["sort"][:3] == [7, 2147483647, "b"]


def test_sort__score_and_field(api):
    hits = api.search("library", {"match": {"title": "brown"}}, sort=["_score", {"number": "asc"}])["hits"]["hits"]
    scores = BM25.match("brown")
    assert [h["_id"] for h in hits] == sorted(scores, key=lambda key: (-scores[key], key))
    tracked = api.search("library", {"match": {"title": "fox"}}, sort=["number"], track_scores=True)["hits"]
    assert {h["_id"]: h["_score"] for h in tracked["hits"]} == close(BM25.match("fox"))
    assert tracked["max_score"] == pytest.approx(max(BM25.match("fox").values()), rel=1e-5)


@pytest.mark.parametrize("extra", [{}, {"sort": [{"price": "desc"}, "number"]}], ids=["by score", "by field"])
def test_pages__make_the_whole(api, extra):
    query = {"bool": {"should": [{"match": {"title": "fox dog quick"}}, {"match_all": {}}]}}
    whole = api.ids("library", query, **extra)
    assert len(whole) == 8
    for size in (1, 3, 8):
        pages = [api.search("library", query, size=size, **{**extra, "from": start})["hits"] for start in range(0, 10,
            size)]
        assert [h["_id"] for page in pages for h in page["hits"]] == whole
        assert all(page["total"]["value"] == 8 for page in pages)
    assert len(api.search("library", query)["hits"]["hits"]) == 8


def test_track_total_hits__exact_bounded_or_not_at_all(api):
    query = {"match": {"title": "dog fox quick brown"}}
    total = len(BM25.match("dog fox quick brown"))
    assert api.search("library", query)["hits"]["total"] == {"value": total, "relation": "eq"}
    assert api.search("library", query, track_total_hits=True)["hits"]["total"] == {"value": total, "relation": "eq"}
    assert "total" not in api.search("library", query, track_total_hits=False)["hits"]
    bounded = api.search("library", query, track_total_hits=3, size=2)["hits"]
    assert bounded["total"]["value"] >= 3 and len(bounded["hits"]) == 2
    assert api.ok("POST", "/library/_search?rest_total_hits_as_int=true", {"query": query})["hits"]["total"] == total


# ---- what is shown ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("wanted, shown", [
    (False, None), (True, DOCUMENTS["4"]), ("price", {"price": 20}),
    (["price", "vendor.city"], {"price": 20, "vendor": {"city": {"zip": "10004"}}}),
    (["ve*.name"], {"vendor": {"name": "v4"}}),
    ({"includes": ["vendor"], "excludes": ["*.zip"]}, {"vendor": {"name": "v4", "city": {}}}),
    ({"excludes": ["vendor", "t*", "body", "day"]},
     {"price": 20, "number": 4, "section": "a", "even": True, "ratio": 1.0}),
    (["nowhere"], {}),
], ids=lambda v: json.dumps(v)[:50])
def test_source__filtered(api, wanted, shown):
    hit = api.search("library", {"ids": {"values": ["4"]}}, _source=wanted)["hits"]["hits"][0]
    if shown is None:
        assert "_source" not in hit
    else:
        assert hit["_source"] == shown


def test_answer__has_opensearch_shape(api):
    answer = api.search("library", {"match": {"title": "butter"}}, version=True, seq_no_primary_term=True)
    assert set(answer) == {"took", "timed_out", "_shards", "hits"} and answer["timed_out"] is False
    assert answer["_shards"] == {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
    hit = answer["hits"]["hits"][0]
    assert {key: hit[key] for key in ("_index", "_id", "_version", "_seq_no", "_primary_term")} == {
        "_index": "library", "_id": "4", "_version": 1, "_seq_no": 3, "_primary_term": 1}
    assert hit["_source"] == DOCUMENTS["4"]


def test_url_parameters__override(api):
    answer = api.ok("GET", "/library/_search?size=2&from=1&track_total_hits=true&sort=number:desc")
    assert [h["_id"] for h in answer["hits"]["hits"]] == ["7", "6"]


# ---- several indices, refreshes, segments ----------------------------------------------------------------------------

def test_several_indices__merge_by_score(api):
    api.create("other-a", {"title": {"type": "text"}})
    api.load("other-a", {"a": {"title": "fox"}})
    api.load("other-b", {"b": {"title": "no animals here, not one fox"}})
    try:
        hits = api.search("library,other-*", {"match": {"title": "fox"}}, size=100)["hits"]
        assert {(h["_index"], h["_id"]) for h in hits["hits"]} == {
            ("library", "1"), ("library", "3"), ("library", "6"), ("other-a", "a"), ("other-b", "b")}
        assert [h["_score"] for h in hits["hits"]] == sorted((h["_score"] for h in hits["hits"]), reverse=True)
        assert hits["total"]["value"] == 5
        # Statistics are each shard's own, as in OpenSearch's query_then_fetch.
        assert {h["_id"]: h["_score"] for h in hits["hits"] if h["_index"] == "library"} == close(BM25.match("fox"))
        assert sorted(api.ids("other-*", {"match_all": {}})) == ["a", "b"]
        assert api.search("other-*")["_shards"]["total"] == 2
        assert len(api.ids("_all", {"match_all": {}}, sort=[{"_score": "desc"}])) == 10
        assert api.ids("library,other-a", {"match_all": {}},
                       sort=[{"number": {"order": "asc", "unmapped_type": "long"}}])[-1] == "a"
        assert api.search("nothing-*")["hits"]["total"]["value"] == 0
        assert api.post("/library,absent/_search").status == 404
    finally:
        api.ok("DELETE", "/other-a")
        api.ok("DELETE", "/other-b")


def test_many_segments__same_answers(api):
    """The same documents, a refresh after each: statistics and order are those of one segment."""
    api.create("segments", MAPPING, refresh_interval="-1")
    for key, document in DOCUMENTS.items():
        api.ok("PUT", "/segments/_doc/%s?refresh=true" % key, document)
    try:
        assert api.scores("segments", {"match": {"title": "quick lazy dog"}}) == close(BM25.match("quick lazy dog"))
        for extra in ({}, {"sort": [{"price": "desc"}, "number"]}, {"sort": ["vendor.name"]}):
            assert api.ids("segments", {"match": {"title": "fox dog brown"}}, **extra) == api.ids(
                "library", {"match": {"title": "fox dog brown"}}, **extra)
    finally:
        api.ok("DELETE", "/segments")
