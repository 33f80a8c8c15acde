# SPDX-License-Identifier: Apache-2.0
"""Indices and documents as a client sees them: mappings, single documents, bulk, versions, restart."""
import json
import re

import pytest

from support import run_threads, scaled

EVERY_TYPE = {
    "title": {"type": "text",
              "fields": {"raw": {"type": "keyword"}}}, "code": {"type": "keyword"}, "big": {"type": "long"},
    "small": {"type": "integer"}, "exact": {"type": "double"}, "rough": {"type": "float"}, "flag": {"type": "boolean"},
    "day": {"type": "date"}, "place": {"type": "geo_point"},
    "vendor": {"properties": {"name": {"type": "keyword"}, "size": {"type": "integer"}}},
}
FULL = {"title": "The Golden Snitch", "code": "GS-1", "big": 9007199254740993, "small": -7, "exact": 2.5, "rough": 0.1,
        "flag": True,
        "day": "2026-11-21T08:30:00Z", "place": {"lat": 52.5, "lon": 13.4}, "vendor": {"name": "acme", "size": 12}}


# ---- indices --------------------------------------------------------------------------------------------------------

def test_create__shows_mapping_and_settings(api, index):
    answer = api.ok("PUT", "/" + index, {"mappings": {"properties": EVERY_TYPE}, "settings": {"number_of_shards": 1}})
    assert answer == {"acknowledged": True, "shards_acknowledged": True, "index": index}
    shown = api.ok("GET", "/%s/_mapping" % index)[index]["mappings"]["properties"]
    for name, field in EVERY_TYPE.items():
        if "type" in field:
            assert shown[name]["type"] == field["type"]
    assert shown["vendor"]["properties"]["size"]["type"] == "integer"
    assert shown["title"]["fields"]["raw"]["type"] == "keyword"
    settings = api.ok("GET", "/%s/_settings" % index)[index]["settings"]["index"]
    assert settings["number_of_shards"] == "1"
    assert api.call("HEAD", "/" + index).status == 200
    assert set(api.ok("GET", "/" + index)[index]) >= {"aliases", "mappings", "settings"}


def test_create__twice__is_refused(api, index):
    api.create(index)
    answer = api.put("/" + index)
    assert answer.status == 400
    assert answer.error["type"] == "resource_already_exists_exception" and index in answer.error["reason"]


def test_delete_index__takes_everything(api, index):
    api.load(index, {"1": {"a": 1}})
    assert api.ok("DELETE", "/" + index) == {"acknowledged": True}
    assert api.call("HEAD", "/" + index).status == 404
    answer = api.get("/%s/_search" % index)
    assert answer.status == 404 and answer.error["type"] == "index_not_found_exception"
    assert answer.error["reason"] == "no such index [%s]" % index and answer.error["index"] == index
    api.load(index, {"2": {"a": 1}})
    assert api.ids(index) == ["2"]
    assert api.ok("GET", "/%s/_doc/2" % index)["_seq_no"] == 0


@pytest.mark.parametrize("name", ["Upper", "_hidden", "-dash", "a%20b", "a,b", "a%3Fb", "a%22b", "a%2Fb", "x" * 256])
def test_create__bad_name__is_refused(api, name):
    answer = api.put("/" + name)
    assert answer.status == 400 and answer.json["status"] == 400
    assert answer.error["type"] in ("invalid_index_name_exception", "illegal_argument_exception")


def test_put_mapping__adds_fields_and_keeps_types(api, index):
    api.create(index, {"a": {"type": "keyword"}})
    api.ok("PUT", "/%s/_mapping" % index, {"properties": {"b": {"type": "long"}}})
    api.load(index, {"1": {"a": "x", "b": 3}})
    assert api.ids(index, {"term": {"b": 3}}) == ["1"]
    answer = api.put("/%s/_mapping" % index, {"properties": {"a": {"type": "long"}}})
    assert answer.status == 400 and "[a]" in answer.error["reason"]
    assert api.ok("GET", "/%s/_mapping" % index)[index]["mappings"]["properties"]["a"]["type"] == "keyword"


# ---- field types ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("query", [
    {"match": {"title": "golden"}}, {"term": {"title.raw": "The Golden Snitch"}}, {"term": {"code": "GS-1"}},
    {"term": {"big": 9007199254740993}}, {"range": {"big": {"gt": 9007199254740992}}}, {"term": {"small": -7}},
    {"range": {"small": {"gte": -7, "lt": -6}}}, {"term": {"exact": 2.5}},
    {"range": {"exact": {"gt": 2.4, "lte": 2.5}}}, {"term": {"rough": 0.1}}, {"term": {"flag": True}},
    {"term": {"flag": "true"}}, {"term": {"day": "2026-11-21T08:30:00Z"}},
    {"range": {"day": {"gte": "2026-11-21", "lt": "2026-11-22"}}}, {"range": {"day": {"gte": 1795249800000}}},
    {"term": {"vendor.name": "acme"}}, {"range": {"vendor.size": {"gt": 11}}}, {"exists": {"field": "place"}},
    {"exists": {"field": "vendor"}}, {"exists": {"field": "title"}},
], ids=json.dumps)
def test_every_type__is_found(api, query):
    if api.call("HEAD", "/every-type").status == 404:
        api.create("every-type", EVERY_TYPE)
        api.load("every-type", {"full": FULL, "empty": {}})
    assert api.ids("every-type", query) == ["full"]
    assert api.ids("every-type", {"bool": {"must_not": query}}) == ["empty"]


@pytest.mark.parametrize("field, value", [
    ("small", "abc"), ("small", 3000000000), ("small", {"a": 1}), ("big", "9" * 30), ("exact", "x"), ("flag", "yes"),
    ("day", "21.11.2026"), ("day", "2026-13-01"), ("place", {"lat": 91, "lon": 0}), ("place", "nowhere"), ("vendor", 5),
    ("code", "k" * 40000),
], ids=lambda v: json.dumps(v)[:20])
def test_every_type__wrong_value__is_refused_by_name(api, index, field, value):
    api.create(index, EVERY_TYPE)
    answer = api.put("/%s/_doc/x" % index, {"title": "kept out", field: value})
    assert answer.status == 400, answer
    assert answer.error["type"] in ("mapper_parsing_exception", "illegal_argument_exception")
    assert field in answer.error["reason"], answer
    assert api.get("/%s/_doc/x" % index).status == 404
    api.refresh(index)
    assert api.count(index) == 0


@pytest.mark.parametrize("value, found", [("12", 12), (12.0, 12), (12.9, 12), (None, None), ([3, None, 12], 12)],
                         ids=json.dumps)
def test_integer__coerces_as_opensearch(api, index, value, found):
    api.create(index, EVERY_TYPE)
    api.load(index, {"1": {"small": value}})
    if found is None:
        assert api.ids(index, {"exists": {"field": "small"}}) == []
    else:
        assert api.ids(index, {"term": {"small": found}}) == ["1"]
    assert api.ok("GET", "/%s/_doc/1" % index)["_source"] == {"small": value}


@pytest.mark.parametrize("place", [{"lat": 1.5, "lon": -2}, "1.5,-2", [-2, 1.5], "POINT (-2 1.5)"], ids=json.dumps)
def test_geo_point__every_form(api, index, place):
    api.create(index, EVERY_TYPE)
    api.load(index, {"1": {"place": place}})
    assert api.ids(index, {"exists": {"field": "place"}}) == ["1"]


def test_arrays__any_value_matches(api, index):
    api.create(index, EVERY_TYPE)
    api.load(index, {"1": {"code": ["a", "b"], "small": [1, 5], "vendor": [{"name": "x"}, {"name": "y", "size": 3}]},
                     "2": {"code": [], "small": [2]}})
    assert api.ids(index, {"term": {"code": "b"}}) == ["1"]
    assert api.ids(index, {"term": {"small": 5}}) == ["1"]
    assert api.ids(index, {"term": {"vendor.name": "y"}}) == ["1"]
    assert api.ids(index, {"exists": {"field": "code"}}) == ["1"]


def test_keyword__ignore_above(api, index):
    api.create(index, {"k": {"type": "keyword", "ignore_above": 3}})
    api.load(index, {"1": {"k": "äöü"}, "2": {"k": "abcd"}})
    assert api.ids(index, {"exists": {"field": "k"}}) == ["1"]
    assert api.ok("GET", "/%s/_doc/2" % index)["_source"] == {"k": "abcd"}


@pytest.mark.parametrize("mapping, named", [
    ({"properties": {"a": {"type": "nonsense"}}}, "nonsense"), ({"properties": {"a": {"type": "nested"}}}, "nested"),
    ({"properties": {"a": {"type": "text", "analyzer": "german"}}}, "analyzer"),
    ({"properties": {"a": {"type": "keyword", "bogus": 1}}}, "bogus"), ({"properties": {"a": {}}}, "a"),
    ({"properties": []}, "properties"), ({"bogus": {}}, "bogus"), ({"dynamic": "sometimes"}, "dynamic"),
    ({"properties": {"": {"type": "long"}}}, ""),
    ({"properties": {"a": {"type": "date", "format": "dd.MM"}}}, "format"),
], ids=lambda v: json.dumps(v)[:40])
def test_mapping__bad__is_refused_by_name(api, index, mapping, named):
    answer = api.put("/" + index, {"mappings": mapping})
    assert answer.status == 400, answer
    assert named in answer.error["reason"]
    assert api.call("HEAD", "/" + index).status == 404


# ---- dynamic mapping -------------------------------------------------------------------------------------------------

def test_dynamic__types_by_value(api, index):
    api.load(index, {"1": {"s": "Some Words", "i": 5, "f": 1.5, "b": False, "d": "2026-11-21",
                           "o": {"deep": {"x": "y"}}, "n": None}})
    shown = api.ok("GET", "/%s/_mapping" % index)[index]["mappings"]["properties"]
    assert shown["s"]["type"] == "text" and shown["s"]["fields"]["keyword"] == {"type": "keyword", "ignore_above": 256}
    assert {name: shown[name]["type"] for name in "ifbd"} == {"i": "long", "f": "float", "b": "boolean", "d": "date"}
    assert shown["o"]["properties"]["deep"]["properties"]["x"]["type"] == "text"
    assert "n" not in shown
    assert api.ids(index, {"term": {"s.keyword": "Some Words"}}) == ["1"]
    assert api.ids(index, {"match": {"o.deep.x": "Y"}}) == ["1"]


@pytest.mark.parametrize("source", [
    '{"": 1}', '{" ": 1}', '{"a. .b": 1}', '{"a": {" ": 1}}', '{"a..b": 1}', '{".a": 1}', '{"a.": 1}',
    '{"%s": 1}' % ".".join("a" * 30), '{"%s": 1}' % ("a" * 5000), '{"a\\u0000b": 1}', '{"_id": 1}',
])
def test_dynamic__bad_name__is_refused(api, index, source):
    answer = api.put("/%s/_doc/1" % index, source)
    assert answer.status == 400 and answer.error["type"] in ("mapper_parsing_exception", "parsing_exception"), answer
    assert api.ok("GET", "/%s/_mapping" % index)[index]["mappings"].get("properties", {}) == {}


def test_dynamic__later_documents_bring_fields(api, index):
    for i in range(20):
        api.ok("PUT", "/%s/_doc/%d" % (index, i), {"field%d" % i: i})
    api.refresh(index)
    assert len(api.ok("GET", "/%s/_mapping" % index)[index]["mappings"]["properties"]) == 20
    for i in range(20):
        assert api.ids(index, {"term": {"field%d" % i: i}}) == [str(i)]


def test_dynamic_false__keeps_source_only(api, index):
    api.ok("PUT", "/" + index, {"mappings": {"dynamic": False, "properties": {"a": {"type": "long"}}}})
    api.load(index, {"1": {"a": 1, "b": 2}})
    assert api.ids(index, {"term": {"b": 2}}) == []
    assert api.ok("GET", "/%s/_doc/1" % index)["_source"] == {"a": 1, "b": 2}
    assert list(api.ok("GET", "/%s/_mapping" % index)[index]["mappings"]["properties"]) == ["a"]


def test_dynamic_strict__refuses_by_name(api, index):
    api.ok("PUT", "/" + index, {"mappings": {"dynamic": "strict", "properties": {"a": {"type": "long"}}}})
    answer = api.put("/%s/_doc/1" % index, {"a": 1, "b": 2})
    assert answer.status == 400 and "[b]" in answer.error["reason"], answer
    assert api.get("/%s/_doc/1" % index).status == 404


def test_dynamic__concurrent_growth__keeps_every_field(api, index):
    threads, each, failures = 4, scaled(25, 5), []

    def write(t):
        for i in range(each):
            answer = api.put("/%s/_doc/%d-%d" % (index, t, i), {"t%d_f%d" % (t, i): i, "shared%d" % i: t})
            if answer.status != 201:
                failures.append(answer)

    run_threads(write, threads)
    assert not failures
    api.refresh(index)
    shown = api.ok("GET", "/%s/_mapping" % index)[index]["mappings"]["properties"]
    assert len(shown) == threads * each + each
    for i in range(each):
        assert len(api.ids(index, {"exists": {"field": "shared%d" % i}})) == threads
        assert api.ids(index, {"term": {"t0_f%d" % i: i}}) == ["0-%d" % i]


# ---- single documents ------------------------------------------------------------------------------------------------

def test_doc__life(api, index):
    path = "/%s/_doc/1" % index
    created = api.put(path, {"n": 1})
    assert created.status == 201
    assert created.json == {"_index": index, "_id": "1", "_version": 1, "result": "created", "_seq_no": 0,
                            "_primary_term": 1,
                            "_shards": created.json["_shards"]}
    assert created.json["_shards"]["failed"] == 0
    updated = api.ok("PUT", path, {"n": 2}, 200)
    assert (updated["result"], updated["_version"], updated["_seq_no"]) == ("updated", 2, 1)
    got = api.ok("GET", path)
    assert got == {"_index": index, "_id": "1", "_version": 2, "_seq_no": 1, "_primary_term": 1, "found": True,
                   "_source": {"n": 2}}
    assert api.call("HEAD", path).status == 200
    assert api.ok("GET", "/%s/_source/1" % index) == {"n": 2}
    deleted = api.ok("DELETE", path, status=200)
    assert (deleted["result"], deleted["_version"], deleted["_seq_no"]) == ("deleted", 3, 2)
    missing = api.get(path)
    assert missing.status == 404 and missing.json == {"_index": index, "_id": "1", "found": False}
    again = api.delete(path)
    assert again.status == 404 and again.json["result"] == "not_found"
    assert api.call("HEAD", path).status == 404


def test_doc__generated_ids_are_distinct(api, index):
    seen = {api.ok("POST", "/%s/_doc" % index, {"n": i}, 201)["_id"] for i in range(50)}
    assert len(seen) == 50 and all(re.fullmatch(r"[A-Za-z0-9_-]{20}", key) for key in seen)
    api.refresh(index)
    assert set(api.ids(index)) == seen


@pytest.mark.parametrize("key", ["plain", "a%2Fb", "a%20b", "%C3%BCber", "a%2Bb", "..%2F..%2Fetc", "x" * 512])
def test_doc__any_id(api, index, key):
    api.ok("PUT", "/%s/_doc/%s" % (index, key), {"n": 1}, 201)
    api.refresh(index)
    got = api.ok("GET", "/%s/_doc/%s" % (index, key))
    assert got["found"] and api.ids(index, {"ids": {"values": [got["_id"]]}}) == [got["_id"]]


def test_doc__id_too_long__is_refused(api, index):
    answer = api.put("/%s/_doc/%s" % (index, "x" * 513), {})
    assert answer.status == 400 and "512" in answer.error["reason"]


def test_create__existing__conflicts(api, index):
    api.ok("PUT", "/%s/_create/1" % index, {"n": 1}, 201)
    for answer in (api.put("/%s/_create/1" % index, {"n": 2}), api.put("/%s/_doc/1?op_type=create" % index, {"n": 3})):
        assert answer.status == 409
        assert answer.error["type"] == "version_conflict_engine_exception"
        assert answer.error["reason"] == "[1]: version conflict, document already exists (current version [1])"
    assert api.ok("GET", "/%s/_doc/1" % index)["_source"] == {"n": 1}


def test_if_seq_no__guards_writes(api, index):
    path = "/%s/_doc/1" % index
    api.ok("PUT", path, {"n": 1})
    stale = api.put(path + "?if_seq_no=7&if_primary_term=1", {"n": 2})
    assert stale.status == 409 and stale.error["type"] == "version_conflict_engine_exception"
    assert "required seqNo [7]" in stale.error["reason"] and "current document has seqNo [0]" in stale.error["reason"]
    assert api.ok("PUT", path + "?if_seq_no=0&if_primary_term=1", {"n": 2}, 200)["_version"] == 2
    assert api.delete(path + "?if_seq_no=0&if_primary_term=1").status == 409
    assert api.ok("DELETE", path + "?if_seq_no=1&if_primary_term=1")["result"] == "deleted"


def test_if_seq_no__many_writers__one_wins_each_round(api, index):
    path = "/%s/_doc/counter" % index
    api.ok("PUT", path, {"n": 0})
    threads, each, wins = 4, scaled(40, 10), []

    def increment(_):
        for _ in range(each):
            seen = api.ok("GET", path)
            answer = api.put(path + "?if_seq_no=%d&if_primary_term=1" % seen["_seq_no"],
                             {"n": seen["_source"]["n"] + 1})
            assert answer.status in (200, 409)
            if answer.status == 200:
                wins.append(1)

    run_threads(increment, threads)
    final = api.ok("GET", path)
    assert final["_source"]["n"] == len(wins) == final["_version"] - 1 == final["_seq_no"]


def test_get__is_realtime_search_is_not(api, index):
    api.create(index, {"n": {"type": "long"}}, refresh_interval="-1")
    api.ok("PUT", "/%s/_doc/1" % index, {"n": 1})
    assert api.ok("GET", "/%s/_doc/1" % index)["_source"] == {"n": 1}
    assert api.count(index) == 0
    api.refresh(index)
    assert api.count(index) == 1
    api.ok("PUT", "/%s/_doc/1" % index, {"n": 2})
    api.ok("DELETE", "/%s/_doc/1" % index)
    assert api.get("/%s/_doc/1" % index).status == 404
    assert api.ids(index, {"term": {"n": 1}}) == ["1"]
    api.refresh(index)
    assert api.count(index) == 0


@pytest.mark.parametrize("refresh", ["", "=true", "=wait_for"])
def test_refresh_parameter__makes_a_write_searchable(api, index, refresh):
    api.ok("PUT", "/%s/_doc/1?refresh%s" % (index, refresh), {"n": 1})
    assert api.ids(index) == ["1"]
    api.ok("DELETE", "/%s/_doc/1?refresh%s" % (index, refresh))
    assert api.ids(index) == []


def test_replace__shows_one_document(api, index):
    for i in range(30):
        api.ok("PUT", "/%s/_doc/%d%s" % (index, i % 3, "?refresh=true" if i % 7 == 0 else ""), {"n": i})
    api.refresh(index)
    assert sorted((h["_id"], h["_source"]["n"]) for h in api.search(index)["hits"]["hits"]) == [("0", 27), ("1", 28),
        ("2", 29)]
    api.ok("POST", "/%s/_forcemerge?max_num_segments=1" % index)
    assert sorted(api.ids(index)) == ["0", "1", "2"]
    stats = api.ok("GET", "/%s/_stats" % index)["_all"]["primaries"]
    assert stats["docs"]["count"] == 3 and stats["segments"]["count"] == 1


def test_source__comes_back_as_it_went_in(api, index):
    source = ('{"b": 1.0, "a" : "\\u00fc\\n\\"x\\"", "z": 12345678901234567890.5, '
              '"nested": {"k": [1, [2, []], {}]}, "": null}')
    answer = api.put("/%s/_doc/1" % index, '{"mapped": 1}')
    assert answer.status == 201
    api.ok("PUT", "/" + index + "-raw", {"mappings": {"dynamic": False}})
    answer = api.put("/%s-raw/_doc/1" % index, source)
    assert answer.status == 201, answer
    assert api.ok("GET", "/%s-raw/_source/1" % index) == json.loads(source)
    api.refresh(index + "-raw")
    assert api.search(index + "-raw")["hits"]["hits"][0]["_source"] == json.loads(source)


# ---- bulk ------------------------------------------------------------------------------------------------------------

def test_bulk__every_action(api, index):
    answer = api.bulk(None, [
        ({"index": {"_index": index, "_id": "1"}}, {"n": 1}), ({"create": {"_index": index, "_id": "2"}}, {"n": 2}),
        ({"index": {"_index": index}}, {"n": 3}), ({"index": {"_index": index, "_id": "1"}}, {"n": 10}),
        ({"delete": {"_index": index, "_id": "2"}}, None), ({"delete": {"_index": index, "_id": "absent"}}, None),
    ], refresh=True)
    assert not answer["errors"] and isinstance(answer["took"], int)
    items = [next(iter(item.items())) for item in answer["items"]]
    assert [(action, item["status"], item["result"], item["_version"]) for action, item in items] == [
        ("index", 201, "created", 1), ("create", 201, "created", 1), ("index", 201, "created", 1),
        ("index", 200, "updated", 2), ("delete", 200, "deleted", 2), ("delete", 404, "not_found", 1)]
    assert [item["_seq_no"] for _, item in items] == [0, 1, 2, 3, 4, 5]
    assert all(item["_index"] == index and item["_primary_term"] == 1 for _, item in items)
    assert sorted(h["_source"]["n"] for h in api.search(index)["hits"]["hits"]) == [3, 10]


def test_bulk__one_bad_item__fails_alone_in_its_place(api, index):
    api.create(index, {"n": {"type": "integer"}})
    api.ok("PUT", "/%s/_doc/there" % index, {"n": 0})
    answer = api.bulk(index, [
        ({"index": {"_id": "1"}}, {"n": 1}), ({"index": {"_id": "2"}}, {"n": "not a number"}), ({"index": {"_id": "3"}},
            {"n": 3}),
        ({"create": {"_id": "there"}}, {"n": 4}), ({"index": {"_id": "5"}}, '{"n": 5'), ({"index": {"_id": "6"}},
            {"n": 6}),
        ({"index": {"_id": "1", "if_seq_no": 99, "if_primary_term": 1}}, {"n": 7}), ({"index": {"_id": "8"}}, "[1, 2]"),
        ({"index": {"_index": "Bad Name", "_id": "9"}}, {"n": 9}), ({"index": {"_id": "10"}}, {"n": 10}),
    ], refresh=True)
    assert answer["errors"] is True
    items = [next(iter(item.values())) for item in answer["items"]]
    assert [item["status"] for item in items] == [201, 400, 201, 409, 400, 201, 409, 400, 400, 201]
    assert items[1]["error"]["type"] == "mapper_parsing_exception" and "[n]" in items[1]["error"]["reason"]
    assert items[3]["error"]["type"] == "version_conflict_engine_exception"
    assert items[8]["error"]["type"] == "invalid_index_name_exception"
    assert items[1]["_id"] == "2" and items[4]["_id"] == "5"
    assert sorted(api.ids(index)) == sorted(["there", "1", "3", "6", "10"])
    assert api.ok("GET", "/%s/_doc/there" % index)["_source"] == {"n": 0}


@pytest.mark.parametrize("body", [
    '{"index":{"_id":"1"}}\n{"n":1}\n', '{"index":{"_id":"1"}}\r\n{"n":1}\r\n', '\n{"index":{"_id":"1"}}\n{"n":1}\n\n',
    '{ "index" : { "_id" : "1" , "_index" : "%s" } }\n{"n":1}\n', '{"index":{"_id":1}}\n{"n":1}\n',
], ids=["plain", "crlf", "blank lines", "spaces", "numeric id"])
def test_bulk__shapes(api, index, body):
    answer = api.bulk(index, body.replace("%s", index), refresh=True)
    assert not answer["errors"], answer
    assert api.ids(index) == ["1"]


def test_bulk__across_indices__answers_in_order(api, index):
    names = ["%s-%d" % (index, i) for i in range(3)]
    pairs = [({"index": {"_index": names[i % 3], "_id": str(i)}}, {"n": i}) for i in range(30)]
    answer = api.bulk(None, pairs, refresh=True)
    assert [(item["index"]["_index"], item["index"]["_id"]) for item in answer["items"]] == [(names[i % 3], str(i))
        for i in range(30)]
    assert [api.count(name) for name in names] == [10, 10, 10]
    assert api.count(index + "-*") == 30


def test_bulk__same_id_many_times__last_wins(api, index):
    pairs = [({"index": {"_id": str(i % 5)}}, {"n": i}) for i in range(100)]
    answer = api.bulk(index, pairs, refresh=True)
    assert [item["index"]["_version"] for item in answer["items"]] == [i // 5 + 1 for i in range(100)]
    assert sorted(h["_source"]["n"] for h in api.search(index)["hits"]["hits"]) == [95, 96, 97, 98, 99]


def test_bulk__from_many_threads__nothing_lost(api, index):
    threads, rounds, per_bulk = 4, scaled(20, 4), 50

    def write(t):
        for r in range(rounds):
            answer = api.bulk(index, [({"index": {"_id": "%d-%d-%d" % (t, r, i)}}, {"t": t, "n": i})
                                      for i in range(per_bulk)])
            assert not answer["errors"]

    run_threads(write, threads)
    api.refresh(index)
    assert api.count(index) == threads * rounds * per_bulk
    assert api.count(index, {"term": {"t": 2}}) == rounds * per_bulk
    assert api.ok("GET", "/%s/_doc/3-0-49" % index)["_source"] == {"t": 3, "n": 49}


def test_bulk__update__says_not_supported_alone(api, index):
    answer = api.bulk(index, [({"index": {"_id": "1"}}, {"n": 1}), ({"update": {"_id": "1"}}, {"doc": {"n": 2}}),
                              ({"index": {"_id": "3"}}, {"n": 3})], refresh=True)
    items = answer["items"]
    assert answer["errors"] and items[1]["update"]["status"] == 400
    assert "update" in items[1]["update"]["error"]["reason"]
    assert api.ok("GET", "/%s/_doc/1" % index)["_source"] == {"n": 1} and sorted(api.ids(index)) == ["1", "3"]


# ---- restart ---------------------------------------------------------------------------------------------------------

def test_restart__keeps_everything(restartable):
    api = restartable.api
    api.create("kept", EVERY_TYPE)
    api.load("kept", {str(i): {**FULL, "small": i} for i in range(50)})
    api.ok("PUT", "/kept/_doc/unrefreshed", {"title": "late", "extra": {"new": "dynamic"}})
    api.ok("PUT", "/kept/_doc/7", {"small": 700})
    api.ok("DELETE", "/kept/_doc/8")
    mapping = api.ok("GET", "/kept/_mapping")
    settings = api.ok("GET", "/kept/_settings")
    api.create("gone")
    api.ok("DELETE", "/gone")
    for stop in (restartable.stop, restartable.kill, restartable.stop):
        stop()
        api = restartable.start()
        assert api.ok("GET", "/kept/_mapping") == mapping
        assert api.ok("GET", "/kept/_settings") == settings
        assert api.call("HEAD", "/gone").status == 404
        api.refresh("kept")
        assert api.count("kept") == 50
        assert api.ok("GET", "/kept/_doc/7")["_source"] == {"small": 700}
        assert api.ok("GET", "/kept/_doc/7")["_version"] == 2
        assert api.get("/kept/_doc/8").status == 404
        assert api.ids("kept", {"match": {"extra.new": "dynamic"}}) == ["unrefreshed"]
        assert api.ids("kept", {"range": {"small": {"gte": 45, "lte": 46}}}) == ["45", "46"]
    # Sequence numbers go on where they were: 50 + 3 writes so far.
    assert api.ok("PUT", "/kept/_doc/next", {"small": 1})["_seq_no"] == 53


def test_second_daemon__on_the_same_directory__is_refused(restartable):
    restartable.api.load("mine", {"1": {"n": 1}})
    code, text = restartable.start_another()
    assert code != 0 and "another process uses this data directory" in text
    assert restartable.api.count("mine") == 1
