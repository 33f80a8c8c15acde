#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks OpenSearch what the answers are, and writes tests/unit/query/oracle.json: test_query_oracle replays it.

    bench/oracle.py http://127.0.0.1:19200 [tests/unit/query/oracle.json]

Some 200 small documents, a table of searches, and what OpenSearch 3.1.0 answers to each: total, scores, order, sort
values. Functions stand in both: as wasm for us, as Painless of the same meaning for the peer (`udf` and `script` below
make the two forms).
"""
import json
import pathlib
import random
import sys
import urllib.error
import urllib.request

INDEX = "oracle"
MAPPING = {"properties": {
    "title": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
    "body": {"type": "text"},
    "tag": {"type": "keyword"},
    "price": {"type": "double"},
    "rating": {"type": "float"},
    "qty": {"type": "integer"},
    "nums": {"type": "integer"},
    "views": {"type": "long"},
    "active": {"type": "boolean"},
    "created": {"type": "date"},
    "vendor": {"properties": {"name": {"type": "keyword"}, "size": {"type": "integer"}}},
}}

# ---- functions: wat for us, Painless for the peer ----

PRICE = "(doc['price'].size() == 0 ? 0 : doc['price'].value)"
FUNCTIONS = {
    "worth": {
        "manifest": {"kind": "score", "abi": "typed", "function_name": "f", "parameters": [
            {"name": "relevance", "type": "f64", "from": "_score"},
            {"name": "price", "type": "f64", "from": "_source.price", "default": 0},
            {"name": "factor", "type": "f64", "default": 1}]},
        "wat": "(module (func (export \"f\") (param f64 f64 f64) (result f64) "
               "local.get 0 f64.const 1 local.get 1 f64.const 10 f64.div f64.add f64.mul local.get 2 f64.mul))",
        "painless": "_score * (1.0 + %s / 10.0) * (params.containsKey('factor') ? params.factor : 1.0)" % PRICE,
    },
    "plain_price": {
        "manifest": {"kind": "score", "abi": "typed", "function_name": "f", "parameters": [
            {"name": "price", "type": "f64", "from": "_source.price", "default": 0}]},
        "wat": "(module (func (export \"f\") (param f64) (result f64) local.get 0))",
        "painless": PRICE,
    },
    "cheap": {
        "manifest": {"kind": "filter", "abi": "typed", "function_name": "f", "parameters": [
            {"name": "price", "type": "f64", "from": "_source.price", "default": 0},
            {"name": "most", "type": "f64", "required": True}]},
        "wat": "(module (func (export \"f\") (param f64 f64) (result i32) local.get 0 local.get 1 f64.le))",
        "painless": "%s <= params.most" % PRICE,
    },
    "many": {
        "manifest": {"kind": "filter", "abi": "typed", "function_name": "f", "parameters": [
            {"name": "qty", "type": "i64", "from": "_source.qty", "default": 0},
            {"name": "least", "type": "i64", "default": 5}]},
        "wat": "(module (func (export \"f\") (param i64 i64) (result i32) local.get 0 local.get 1 i64.ge_s))",
        "painless": "(doc['qty'].size() == 0 ? 0 : doc['qty'].value) >= "
                    "(params.containsKey('least') ? params.least : 5)",
    },
}


def script(name, params=None):
    return {"$script": name, "params": params or {}}


def udf(name, params=None, boost=1.0):
    return {"$udf": name, "params": params or {}, "boost": boost}


def ours(v):
    if isinstance(v, list):
        return [ours(x) for x in v]
    if not isinstance(v, dict):
        return v
    if "$script" in v:
        return {"lang": "wasm", "source": v["$script"], "params": v["params"]}
    if "$udf" in v:
        return {"wasm_udf": {"name": v["$udf"], "parameters": v["params"], "boost": v["boost"]}}
    return {k: ours(x) for k, x in v.items()}


def theirs(v):
    if isinstance(v, list):
        return [theirs(x) for x in v]
    if not isinstance(v, dict):
        return v
    if "$script" in v or "$udf" in v:
        f = FUNCTIONS[v.get("$script") or v["$udf"]]
        painless = {"lang": "painless", "source": f["painless"], "params": v["params"]}
        if "$script" in v:
            return painless
        if f["manifest"]["kind"] == "filter":
            return {"script": {"script": painless, "boost": v["boost"]}}
        return {"script_score": {"query": {"match_all": {}}, "script": painless, "boost": v["boost"]}}
    return {k: theirs(x) for k, x in v.items()}


# ---- documents ----

WORDS = ("search engine fast index query score document field shard segment merge refresh commit token analyzer "
         "keyword filter range sort page hit total boost script function cache memory thread disk log node "
         "cluster").split()


def documents():
    rng = random.Random(7)
    docs = []
    for i in range(200):
        pick = lambda n: " ".join(WORDS[min(int(rng.expovariate(0.15)), len(WORDS) - 1)] for _ in range(n))
        d = {"title": pick(rng.randint(1, 5)).title(), "body": pick(rng.randint(3, 40)) + rng.choice([".", "!",
            " 42", ""]),
             "tag": rng.sample(["red", "green", "blue", "black"], rng.randint(1, 2)) if i % 7 else [],
             "active": rng.random() < 0.3, "views": rng.randint(0, 20) * 1000,
             "created": "20%02d-%02d-%02dT%02d:00:00Z" % (rng.randint(10, 25), rng.randint(1, 12), rng.randint(1,
                 28), rng.randint(0, 23)),
             "vendor": {"name": rng.choice(["acme", "bolt", "crux", "dyno"]), "size": rng.randint(1, 5)}}
        if i % 5:
            d["price"] = round(rng.random() * 100, 2)
        if i % 3:
            d["qty"] = rng.randint(0, 9)
        if i % 4:
            d["rating"] = rng.randint(0, 50) / 10
        if i % 11 == 0:
            d["nums"] = [rng.randint(0, 9), 4, rng.randint(0, 9)]
        docs.append((str(i), d))
    return docs


BATCHES = (60, 80, 60)  # documents between refreshes

# ---- searches ----

ALL = {"match_all": {}}
BODY = {"match": {"body": "search engine merge"}}


def q(query, **more):
    return {"query": query, **more}


CASES = [
    {}, q(ALL, size=3), q(ALL, size=0), q({"match_all": {"boost": 2.5}}), q({"match_none": {}}),
    q(ALL, **{"from": 195, "size": 10}),
    q(BODY), q(BODY, **{"from": 5, "size": 7}),
    q({"match": {"body": {"query": "search engine merge", "operator": "and"}}}),
    q({"match": {"body": {"query": "search engine merge index", "minimum_should_match": 2}}}),
    q({"match": {"body": {"query": "search engine merge index", "minimum_should_match": "75%"}}}),
    q({"match": {"body": {"query": "search engine merge index", "minimum_should_match": "-1"}}}),
    q({"match": {"body": {"query": "search engine", "minimum_should_match": 3}}}),
    q({"match": {"body": {"query": "search", "minimum_should_match": 3}}}),
    q({"match": {"body": {"query": "Search ENGINE search", "boost": 3}}}), q({"match": {"body": "..."}}),
    q({"match": {"body": {"query": "...", "zero_terms_query": "all"}}}), q({"match": {"nowhere": "x"}}),
    q({"match": {"tag": "red"}}), q({"match": {"qty": 4}}), q({"match": {"qty": "4"}}),
    q({"match": {"active": True}}),
    q({"match": {"price": {"query": 12.5}}}), q({"match": {"created": "2015-01-01"}}),
    q({"match": {"title": "fast"}}),
    q({"multi_match": {"query": "search engine", "fields": ["title", "body"]}}),
    q({"multi_match": {"query": "search engine", "fields": ["title^3", "body"], "tie_breaker": 0.3}}),
    q({"multi_match": {"query": "search engine", "fields": ["title^2", "body"], "type": "most_fields"}}),
    q({"multi_match": {"query": "search engine", "fields": ["title", "body"], "operator": "and", "boost": 2}}),
    q({"multi_match": {"query": "search", "fields": ["title"]}}),
    q({"multi_match": {"query": "search", "fields": ["title", "nowhere"]}}),
    q({"term": {"body": "search"}}), q({"term": {"body": "Search"}}), q({"term": {"tag": "red"}}),
    q({"term": {"tag": {"value": "red", "boost": 2}}}), q({"term": {"qty": 4}}),
    q({"term": {"qty": {"value": "4", "boost": 3}}}),
    q({"term": {"views": 3000}}), q({"term": {"active": True}}), q({"term": {"active": "false"}}),
    q({"term": {"vendor.name": "acme"}}),
    q({"term": {"_id": "17"}}), q({"term": {"title.raw": "Fast"}}), q({"term": {"nowhere": 1}}),
    q({"term": {"qty": 4.5}}),
    q({"terms": {"tag": ["red", "blue"]}}), q({"terms": {"qty": [1, 2, "3"], "boost": 2}}), q({"terms": {"tag": []}}),
    q({"terms": {"body": ["search", "merge"]}}),
    q({"range": {"price": {"gte": 10, "lt": 50}}}), q({"range": {"qty": {"gt": 3.5}}}),
    q({"range": {"qty": {"gt": 3, "lte": 7, "boost": 4}}}),
    q({"range": {"created": {"gte": "2015-01-01", "lt": "2018-06-15T00:00:00Z"}}}),
    q({"range": {"created": {"lte": "2015"}}}),
    q({"range": {"created": {"gt": "2015-03"}}}), q({"range": {"tag": {"gte": "blue", "lt": "red"}}}),
    q({"range": {"price": {"gte": None}}}),
    q({"range": {"rating": {"gte": 2.1, "lte": 2.1}}}), q({"range": {"nowhere": {"gt": 1}}}),
    q({"exists": {"field": "price"}}), q({"exists": {"field": "vendor"}}), q({"exists": {"field": "body"}}),
    q({"exists": {"field": "nowhere"}}),
    q({"exists": {"field": "tag", "boost": 2}}), q({"ids": {"values": ["5", "199", "77", "nope"]}}),
    q({"ids": {"values": ["5"], "boost": 2}}),
    q({"bool": {}}), q({"bool": {"must": [BODY], "filter": [{"term": {"tag": "red"}}],
        "must_not": {"term": {"active": True}}}}),
    q({"bool": {"should": [{"match": {"title": "search"}}, BODY]}}),
    q({"bool": {"filter": {"term": {"tag": "red"}}}}),
    q({"bool": {"must_not": {"term": {"tag": "red"}}}}),
    q({"bool": {"filter": {"term": {"tag": "red"}}, "should": BODY}}),
    q({"bool": {"must": ALL, "should": [{"term": {"tag": "red"}}, {"term": {"tag": "blue"}}]}}),
    q({"bool": {"should": [{"term": {"tag": "red"}}, {"term": {"tag": "blue"}}, {"range": {"qty": {"gt": 5}}}],
        "minimum_should_match": 2}}),
    q({"bool": {"should": [{"term": {"tag": "red"}}, {"term": {"tag": "blue"}}], "minimum_should_match": "50%",
        "boost": 3}}),
    q({"bool": {"should": [{"term": {"tag": "red"}}], "minimum_should_match": 2}}),
    q({"bool": {"must": BODY, "should": [{"term": {"tag": "red"}}], "minimum_should_match": 1}}),
    q({"bool": {"must": [BODY, {"bool": {"should": [{"match": {"title": "index"}},
        {"range": {"price": {"gt": 50}}}], "boost": 0.5}}]}}),
    q({"constant_score": {"filter": {"term": {"tag": "red"}}, "boost": 1.7}}),
    q({"constant_score": {"filter": BODY}}),
    # sorts
    q(ALL, sort="price"), q(ALL, sort=[{"price": "desc"}]),
    q(ALL, sort=[{"price": {"order": "asc", "missing": "_first"}}], size=50),
    q(ALL, sort=[{"price": {"order": "desc", "missing": "_first"}}], size=50),
    q(ALL, sort=[{"price": {"missing": 50}}], size=120),
    q(ALL, sort=[{"qty": "desc"}, {"views": "asc"}], size=30), q(ALL, sort=["qty", {"price": "desc"}], size=200),
    q(ALL, sort=[{"nums": {"mode": "max", "order": "asc"}}, "views"], size=100), q(ALL, sort=["nums"]),
    q(ALL, sort=[{"nums": "desc"}]),
    q({"term": {"nums": 4}}), q({"range": {"nums": {"gt": 7}}}), q(ALL, sort=[{"rating": "asc"}], size=200),
    q(ALL, sort=[{"rating": {"order": "desc", "missing": "_first"}}], size=60),
    q(ALL, sort=["tag", "created"], size=200), q(ALL, sort=[{"tag": "desc"}, "_doc"], size=200),
    q(ALL, sort=[{"tag": {"order": "asc", "missing": "_first"}}, {"created": "desc"}], size=60),
    q(ALL, sort=[{"tag": {"order": "asc", "missing": "carmine"}}, {"created": "desc"}], size=200),
    q(ALL, sort=["active", "title.raw"], size=40), q(ALL, sort=[{"created": "desc"}], size=5, track_scores=True),
    q(ALL, sort=["_doc"], size=5),
    q(BODY, sort=["_score"]), q(BODY, sort=[{"_score": "asc"}]), q(BODY, sort=["vendor.name", "_score"], size=50),
    q(BODY, sort=["vendor.name", {"price": {"unmapped_type": "double"}}], track_scores=True),
    q(ALL, sort=[{"nowhere": {"unmapped_type": "long"}}, "price"], size=5), q(ALL, sort=["views"], size=0),
    q(ALL, sort=[{"nowhere": {"unmapped_type": "keyword"}}], size=3),
    q(ALL, sort=[{"qty": {"order": "asc"}}], size=200),
    # totals
    q(ALL, track_total_hits=True), q(ALL, track_total_hits=False), q(ALL, track_total_hits=50),
    q(BODY, track_total_hits=20),
    q(BODY, track_total_hits=1, size=3), q(BODY, track_total_hits=False), q(BODY, track_total_hits=True),
    q(ALL, min_score=1.5),
    q(BODY, min_score=1.0), q(BODY, min_score=1.0, sort=["price"]), q(BODY, min_score=1.0, size=0),
    q(BODY, version=True, size=1),
    # scripts
    q({"script_score": {"query": BODY, "script": script("worth")}}, size=100),
    q({"script_score": {"query": BODY, "script": script("worth", {"factor": 2.5}), "boost": 2}}),
    q({"script_score": {"query": BODY, "script": script("worth"), "min_score": 5, "boost": 2}}, size=100),
    q({"script_score": {"query": ALL, "script": script("plain_price")}}, size=60),
    q({"script_score": {"query": {"match": {"body": {"query": "search", "boost": 3}}}, "script": script("worth")}}),
    q({"script": {"script": script("cheap", {"most": 20})}}, size=100),
    q({"bool": {"must": BODY, "filter": {"script": {"script": script("cheap", {"most": 30})}}}}),
    q({"bool": {"must_not": {"script": {"script": script("cheap", {"most": 80})}}}}, size=50),
    q(udf("cheap", {"most": 15}, 2.0), size=60), q(udf("plain_price"), size=30),
    q(udf("plain_price", None, 0.5), size=30),
    q({"bool": {"must": [BODY, udf("plain_price")]}}), q({"bool": {"must": [BODY, udf("cheap", {"most": 40}, 1.5)]}}),
    q({"bool": {"must": [BODY], "filter": [udf("cheap", {"most": 40}), udf("many", {"least": 3})]}}, size=40),
    q({"bool": {"must": [BODY], "must_not": [udf("cheap", {"most": 40})], "filter": [udf("many")]}}, size=40),
    q({"bool": {"must": [BODY], "should": [udf("cheap", {"most": 40}, 3.0), udf("many")]}}, size=100),
    q({"bool": {"must": [BODY], "should": [udf("cheap", {"most": 40}, 3.0), udf("many")],
        "minimum_should_match": 1}}, size=100),
    q({"bool": {"must": [BODY], "should": [udf("cheap", {"most": 40}, 3.0), udf("many")], "minimum_should_match": 2,
        "boost": 2}}, size=100),
    q({"bool": {"should": [udf("cheap", {"most": 10}, 3.0), udf("many", {"least": 8})]}}, size=150),
    q({"bool": {"should": [BODY, udf("cheap", {"most": 10}, 3.0)]}}, size=150),
    q({"bool": {"should": [BODY, udf("cheap", {"most": 30}), udf("many")], "minimum_should_match": 2}}, size=150),
    q({"bool": {"filter": [{"term": {"tag": "red"}}], "should": [BODY, udf("cheap", {"most": 30})],
        "minimum_should_match": 1}}, size=150),
    q({"bool": {"must": [{"term": {"tag": "red"}}, udf("many")], "should": [BODY, udf("cheap", {"most": 30})]}},
        size=150),
    q({"bool": {"filter": [udf("many")]}}, size=20), q({"bool": {"must_not": [udf("many")]}}, size=20),
    q({"bool": {"must": [BODY], "filter": [{"bool": {"should": [udf("many", {"least": 8}), udf("cheap",
        {"most": 10})]}}]}}, size=60),
    q({"bool": {"must": [BODY, {"bool": {"must": [udf("many"), udf("plain_price")], "boost": 0.5}}]}}, size=60),
    q({"bool": {"must": [BODY, {"bool": {"must": [udf("many")], "must_not": [udf("cheap", {"most": 20})],
        "should": {"match": {"title": "search"}}}}]}}, size=60),
    q({"constant_score": {"filter": udf("many"), "boost": 4}}),
    q({"bool": {"must": [BODY, {"constant_score": {"filter": udf("many"), "boost": 4}}]}}),
    q({"bool": {"must": [BODY], "filter": [udf("many")]}}, sort=["price"]),
    q({"bool": {"must": [BODY], "filter": [udf("many")]}}, size=0),
    q({"bool": {"must": [BODY], "filter": [udf("many")]}}, min_score=1.2), q(udf("many"), track_total_hits=10),
    # function_score
    q({"function_score": {"query": BODY, "script_score": {"script": script("worth")}}}, size=100),
    q({"function_score": {"query": BODY, "script_score": {"script": script("worth")}, "boost_mode": "replace",
        "boost": 3}}, size=100),
    *[q({"function_score": {"query": BODY, "script_score": {"script": script("plain_price")}, "boost_mode": m,
        "max_boost": 20, "boost": 2}})
      for m in ("multiply", "replace", "sum", "avg", "max", "min")],
    *[q({"function_score": {"query": BODY, "score_mode": m, "functions": [
        {"filter": {"term": {"tag": "red"}}, "weight": 2}, {"filter": {"range": {"qty": {"gt": 4}}},
            "script_score": {"script": script("plain_price")}},
        {"filter": udf("many"), "script_score": {"script": script("worth")}, "weight": 0.5}]}}, size=100)
      for m in ("multiply", "sum", "avg", "first", "max", "min")],
    q({"function_score": {"query": BODY, "weight": 3}}), q({"function_score": {"query": BODY}}),
    q({"function_score": {"weight": 5}}),
    q({"function_score": {"query": BODY, "functions": [{"weight": 0, "filter": {"term": {"tag": "red"}}}],
        "score_mode": "avg"}}, size=50),
    q({"function_score": {"query": BODY, "functions": [{"weight": 2},
        {"script_score": {"script": script("plain_price")}}],
                          "score_mode": "sum", "boost_mode": "sum", "min_score": 30}}, size=100),
    q({"function_score": {"query": BODY, "min_score": 1.1}}, size=100),
    q({"function_score": {"query": {"function_score": {"query": BODY, "weight": 2}},
        "script_score": {"script": script("worth")}, "boost": 2}}),
    q({"script_score": {"query": {"bool": {"must": BODY, "filter": udf("many")}}, "script": script("worth")}},
        size=50),
    q({"script_score": {"query": {"function_score": {"query": BODY, "weight": 2, "boost": 3}},
        "script": script("worth")}}),
    q({"bool": {"must": {"function_score": {"query": BODY, "weight": 2}},
        "should": {"script_score": {"query": {"match": {"title": "search"}}, "script": script("plain_price")}},
            "boost": 2}}, size=50),
    # refused
    q({"foo": {}}), q({"bool": {"must": [{"match": {"body": "x"}}, {"matchh": {}}]}}),
    q({"match": {"a": "x", "b": "y"}}), q({}),
    q({"match": {"body": {"query": "x", "nope": 1}}}), q({"term": {"qty": "x"}}), q({"term": {"qty": [1]}}),
    q({"range": {"price": {"gte": "abc"}}}),
    q(ALL, size=-1), q(ALL, **{"from": 9995, "size": 6}), q(ALL, sort=["body"]), q(ALL, sort=["nowhere"]),
    q({"match": {"qty": "x"}}),
    {"unknown": 1}, q({"match": {"body": {"query": "x", "operator": "xor"}}}), q({"terms": {"tag": "red"}}),
    q({"ids": {}}), q({"exists": {}}),
    q({"constant_score": {}}), q({"match": {"body": "x"}, "term": {"tag": "red"}}),
    q({"range": {"created": {"gte": "yesterday-ish"}}}),
    q({"function_score": {"query": BODY, "functions": [{"filter": ALL}]}}),
    q({"function_score": {"query": BODY, "score_mode": "mean"}}),
    q({"match": {"body": {"query": "x", "boost": -1}}}),
]

# ---- the run ----


def call(base, method, path, body=None, lines=False):
    data = None if body is None else (body if lines else json.dumps(body)).encode()
    kind = "application/x-ndjson" if lines else "application/json"
    request = urllib.request.Request(base + path, data=data, method=method, headers={"Content-Type": kind})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as e:
        return e.code, json.load(e)


def fill(base, docs):
    call(base, "DELETE", "/" + INDEX)
    settings = {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"}
    status, answer = call(base, "PUT", "/" + INDEX, {"settings": settings, "mappings": MAPPING})
    assert status == 200, answer
    start = 0
    for n in BATCHES:
        lines = "".join(json.dumps({"index": {"_id": i}}) + "\n" + json.dumps(d) + "\n" for i,
            d in docs[start:start + n])
        status, answer = call(base, "POST", "/%s/_bulk?refresh=true" % INDEX, lines, lines=True)
        assert status == 200 and not answer["errors"], answer
        start += n


def expected(base, body):
    status, answer = call(base, "POST", "/%s/_search" % INDEX, theirs(body))
    if status != 200:
        cause = answer["error"]["root_cause"][0] if answer["error"].get("root_cause") else answer["error"]
        return {"status": status, "type": cause["type"], "reason": cause["reason"]}
    assert answer["_shards"]["failed"] == 0, answer
    hits = answer["hits"]
    return {"total": hits.get("total"), "max_score": hits["max_score"],
            "hits": [[h["_id"], h["_score"]] + ([h["sort"]] if "sort" in h else []) for h in hits["hits"]]}


def main():
    base = sys.argv[1].rstrip("/")
    default = pathlib.Path(__file__).resolve().parent.parent / "tests/unit/query/oracle.json"
    out = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else default
    docs = documents()
    fill(base, docs)
    version = call(base, "GET", "/")[1]["version"]["number"]
    lines = ['{"source": "OpenSearch %s, by bench/oracle.py",' % version, '"mapping": %s,' % json.dumps(MAPPING),
        '"batches": %s,' % json.dumps(BATCHES)]
    functions = [{"manifest": {"name": name, "version": "1.0.0", **f["manifest"]}, "wat": f["wat"]} for name,
        f in FUNCTIONS.items()]
    cases = [{"body": ours(c), "expected": expected(base, c)} for c in CASES]
    for key, rows in (("functions", functions), ("docs", [[i, json.dumps(d)] for i, d in docs]), ("cases", cases)):
        lines.append('"%s": [\n%s\n]%s' % (key, ",\n".join(json.dumps(r) for r in rows),
            "}" if key == "cases" else ","))
    out.write_text("\n".join(lines) + "\n")
    print("%d cases, %d of them refused, in %s" % (len(cases), sum("type" in c["expected"] for c in cases), out))


if __name__ == "__main__":
    main()
