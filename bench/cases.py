# SPDX-License-Identifier: Apache-2.0
"""What is measured: each case is one question, asked of the peer in its script languages and of us as a function."""
import dataclasses

import gen

MAPPING = {"properties": {"title": {"type": "text"}, "body": {"type": "text"}, "category": {"type": "keyword"},
                          "price": {"type": "integer"}, "rating": {"type": "double"}, "timestamp": {"type": "long"}}}
SETTINGS = {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"}

PRICE = {"name": "price", "type": "f64", "from": "_source.price"}
RATING = {"name": "rating", "type": "f64", "from": "_source.rating"}
RELEVANCE = {"name": "relevance", "type": "f64", "from": "_score"}
FUNCTIONS = [
    ("scorer", {"name": "bench_score", "version": "1.0.0", "function_name": "score", "kind": "score", "abi": "typed",
                "parameters": [RELEVANCE, PRICE, RATING]}),
    ("scorer", {"name": "bench_score_alone", "version": "1.0.0", "function_name": "score_alone", "kind": "score",
                "abi": "typed", "parameters": [PRICE, RATING]}),
    ("scorer", {"name": "bench_filter", "version": "1.0.0", "function_name": "filter", "kind": "filter", "abi": "typed",
                "parameters": [PRICE, RATING, {"name": "t", "type": "f64", "required": True}]}),
    ("row", {"name": "bench_row", "version": "1.0.0", "function_name": "score", "kind": "score", "abi": "row",
             "parameters": []}),
    # The scorer of two fields, arithmetic alone, in each shape; the last two read the fields alone.
    ("scorer", {"name": "bench_typed", "version": "1.0.0", "function_name": "score_plain", "kind": "score",
                "abi": "typed", "parameters": [RELEVANCE, PRICE, RATING]}),
    ("handle", {"name": "bench_handle", "version": "1.0.0", "function_name": "score", "kind": "score", "abi": "handle",
                "parameters": []}),
    ("batch", {"name": "bench_batch", "version": "1.0.0", "function_name": "score", "kind": "score", "abi": "batch",
               "parameters": [RELEVANCE, PRICE, RATING]}),
    ("scorer", {"name": "bench_fields", "version": "1.0.0", "function_name": "score_fields", "kind": "score",
                "abi": "typed", "parameters": [PRICE, RATING]}),
    ("row", {"name": "bench_two_reads", "version": "1.0.0", "function_name": "two_reads", "kind": "score", "abi": "row",
             "parameters": []}),
]
# (shape, function, what gives the same answers, nanoseconds that it may add per document)
SHAPES = [("typed", "bench_typed", "bench_batch", 5), ("handle", "bench_handle", "bench_typed", 5),
          ("batch", "bench_batch", "bench_typed", 5), ("row, two reads", "bench_two_reads", "bench_fields", 40)]

PAINLESS = {"lang": "painless", "source": "_score * Math.log(1+doc['price'].value) * doc['rating'].value"}
EXPRESSION = {"lang": "expression", "source": "_score * ln(1+doc['price'].value) * doc['rating'].value"}
PAINLESS_ALONE = {"lang": "painless", "source": "Math.log(1+doc['price'].value) * doc['rating'].value"}
EXPRESSION_ALONE = {"lang": "expression", "source": "ln(1+doc['price'].value) * doc['rating'].value"}
PAINLESS_FILTER = {"lang": "painless", "source": "doc['price'].value * doc['rating'].value > params.t",
                   "params": {"t": 2000}}
EXPRESSION_FILTER = {"lang": "expression", "source": "doc['price'].value * doc['rating'].value > 2000"}


@dataclasses.dataclass
class Case:
    name: str
    queries: list                      # ours, and the peer's where there is no function
    peers: dict = dataclasses.field(default_factory=dict)  # {"Painless": [queries], …}; {}: the same queries
    base: str = ""                     # the case without the function, for the added cost per document
    goal: str = ""                     # of the design, as a ratio
    like: list = dataclasses.field(default_factory=list)  # not asked of the peer: ours that must answer the same
    added_goal: float = 0              # of the design, nanoseconds added per document; 0: none
    total_hits: object = True          # track_total_hits; None: the default
    all_documents: bool = False        # the function sees all documents, not the hits


def scored(query, script):
    return {"function_score": {"query": query, "script_score": {"script": script}, "boost_mode": "replace"}}


def wasm(name):
    return {"lang": "wasm", "source": name}


def script_filter(script, *more):
    return {"bool": {"filter": [*more, {"script": {"script": script}}]}}


def udf_filter(*more):
    return {"bool": {"filter": [*more, {"wasm_udf": {"name": "bench_filter", "parameters": {"t": 2000}}}]}}


def make_cases(seed=42, vocabulary=30000):
    words = gen.make_vocabulary(vocabulary, seed)
    mixed = [{"match": {"body": q}} for q in gen.queries(200, seed, vocabulary)]
    everything = {"match_all": {}}
    big, middle, nothing = ({"match": {"body": text}} for text in
                            (words[2] + " " + words[7], words[60] + " " + words[200], "zzzzzz"))

    def against(query, painless, expression):
        return {"Painless": [scored(query, painless)], "expression": [scored(query, expression)]}

    def shapes(query, base):
        return [Case("%s + two fields, %s" % (base, shape), [scored(query, wasm(name))], base=base,
                     like=[scored(query, wasm(twin))], added_goal=goal) for shape, name, twin, goal in SHAPES]

    return [
        Case("empty query (absent word)", [nothing], goal="1/3"),
        Case("200 mixed matches, default total", mixed, total_hits=None, goal="1/3"),
        Case("200 mixed matches, exact total", mixed, goal="1/3"),
        Case("match, middle", [middle], goal="1/3"),
        Case("match, middle + scorer", [scored(middle, wasm("bench_score"))], against(middle, PAINLESS, EXPRESSION),
             base="match, middle", goal="1/10"),
        Case("match, large, default total", [big], total_hits=None, goal="1/3"),
        Case("match, large", [big], goal="1/3"),
        Case("match, large + scorer", [scored(big, wasm("bench_score"))], against(big, PAINLESS, EXPRESSION),
             base="match, large", goal="1/10"),
        Case("match, large + scorer, row shape", [scored(big, wasm("bench_row"))],
             {"Painless": [scored(big, PAINLESS)]}, base="match, large", goal="1/10"),
        *shapes(big, "match, large"),
        Case("match_all", [everything]),
        Case("match_all + scorer", [scored(everything, wasm("bench_score_alone"))],
             against(everything, PAINLESS_ALONE, EXPRESSION_ALONE), base="match_all", goal="1/10"),
        *shapes(everything, "match_all"),
        Case("function filter, all documents", [udf_filter()],
             {"Painless": [script_filter(PAINLESS_FILTER)], "expression": [script_filter(EXPRESSION_FILTER)]},
             base="match_all", goal="1/10", all_documents=True),
        Case("filter match, large", [{"bool": {"filter": [big]}}]),
        Case("filter match, large + function filter", [udf_filter(big)],
             {"Painless": [script_filter(PAINLESS_FILTER, big)]}, base="filter match, large", goal="1/10"),
    ]
