# SPDX-License-Identifier: Apache-2.0
"""What the daemon knows about its functions: statistics, ratings, recent log lines, quarantine, /metrics."""
import pathlib
import re
import subprocess

import pytest

from support import CHEAPER_WAT, ENDLESS, PRICE_PARAMETERS, deploy_cheaper, deploy_divisible, deploy_hostile

ROOT = pathlib.Path(__file__).resolve().parents[2]
N = 5000

LOGGING_WAT = """(module
  (import "env" "log" (func $log (param i32 i32 i32)))
  (import "env" "get_field_string" (func $string (param i64 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "hello from here")
  (data (i32.const 100) "title")
  (func (export "filter") (param $context i64) (result i32)
    (i32.store (i32.const 200) (i32.const 64))
    (drop (call $string (local.get $context) (i32.const 100) (i32.const 5) (i32.const 300) (i32.const 200)))
    (call $log (i32.const %d) (i32.const 0) (i32.const 15))
    (i32.const 1)))"""


def udf(name, version=None, **parameters):
    return {"wasm_udf": {"name": name, "parameters": parameters, **({"version": version} if version else {})}}


def fill(api, n=N, index="things"):
    """Numbers from 1 on; each tenth document has no price."""
    api.create(index, {"number": {"type": "long"}, "price": {"type": "double"}, "title": {"type": "keyword"}})
    api.load(index, {str(i): {"number": i, "title": "thing %04d" % i, **({"price": i * 1.5} if i % 10 else {})}
                     for i in range(1, n + 1)})


@pytest.fixture(scope="module")
def things(api):
    fill(api)


def stats(api, name, version="1.0.0"):
    return api.ok("GET", "/api/v1/udfs/%s/%s/stats" % (name, version))


def counted(api, name, version="1.0.0"):
    return stats(api, name, version)["statistics"]


def samples(api):
    """{series: value} of /metrics."""
    lines = api.get("/metrics").text.splitlines()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}


# ---- statistics ------------------------------------------------------------------------------------------------------

def test_calls_are_counted_for_each_document(api, things):
    deploy_cheaper(api, "counted")
    before = counted(api, "counted")
    assert before["call_count"] == 0 and before["last_executed_at"] is None
    for _ in range(3):
        api.count("things", udf("counted", limit=30))
    answer = stats(api, "counted")
    got = answer["statistics"]
    assert (answer["name"], answer["version"]) == ("counted", "1.0.0")
    assert got["document_count"] == 3 * N
    assert got["call_count"] == 3 * N * 9 // 10, "documents without a price are not calls"
    assert got["error_count"] == 0 and got["error_rate"] == 0 and got["errors_by_type"] == {}
    assert got["last_error"] is None and got["last_executed_at"].endswith("Z")
    assert 0 < got["min_latency_us"] <= got["p50_latency_us"] <= got["p95_latency_us"] <= got["p99_latency_us"]
    assert got["p99_latency_us"] <= got["p999_latency_us"] <= got["max_latency_us"]
    assert got["min_latency_us"] <= got["avg_latency_us"] <= got["max_latency_us"]
    assert got["total_execution_time_ms"] == pytest.approx(got["avg_latency_us"] * got["call_count"] / 1000, rel=1e-6)
    assert got["instances"] == 0 and got["instances_peak"] >= 1
    assert api.ok("GET", "/api/v1/udfs/counted/stats")["statistics"]["call_count"] == got["call_count"]


VALUE_WAT = """(module (memory (export "memory") 1)
  (func $add (export "agg_update") (param $state i32) (param $number i64)
    (i64.store (local.get $state) (i64.add (i64.load (local.get $state)) (local.get $number))))
  (func (export "agg_init") (result i32) (i32.const 64))
  (func (export "agg_serialize") (param i32) (result i64) (i64.const 0x4000000008))
  (func (export "agg_merge") (param $state i32) (param $at i32) (param $n i32)
    (call $add (local.get $state) (i64.load (local.get $at))))
  (func (export "agg_finish") (param $state i32) (result i64) (i64.load (local.get $state)))
  (func (export "value") (param $number i64) (result f64) (f64.convert_i64_s (local.get $number))))"""
NUMBER_PARAMETERS = [{"name": "number", "type": "i64", "from": "_source.number"}]
FIRST_100 = {"range": {"number": {"lte": 100}}}
USES = {  # a search, and how many documents its function is called for
    "filter": lambda use: ({"query": {"bool": {"filter": [FIRST_100, use]}}}, 100),
    "score": lambda use: ({"query": {"script_score": {"query": FIRST_100, "script": {
        "source": use["wasm_udf"]["name"], "lang": "wasm"}}}}, 100),
    "transform": lambda use: ({"query": FIRST_100, "size": 7, "script_fields": {"x": use}}, 7),
    "sort": lambda use: ({"query": FIRST_100, "size": 3, "sort": [{"_script": {"type": "number", **use}}]}, 100),
    "aggregate": lambda use: ({"query": FIRST_100, "size": 3, "aggs": {"x": use}}, 100)}


@pytest.mark.parametrize("place", USES)
def test_each_kind_counts_the_documents_that_it_is_asked_about(api, things, place):
    name = "counts_" + place
    kind = "transform" if place == "sort" else place
    if kind == "filter":
        deploy_divisible(api, name)
    else:
        api.deploy(name, VALUE_WAT, kind=kind, abi="typed", parameters=NUMBER_PARAMETERS,
                   function_name="agg" if kind == "aggregate" else "value")
    search, calls = USES[place]({"wasm_udf": {"name": name}})
    for rounds in (1, 2):
        answer = api.ok("POST", "/things/_search", {"track_total_hits": True, **search})
        assert answer["hits"]["total"]["value"] == (50 if place == "filter" else 100)
        got = counted(api, name)
        assert (got["call_count"], got["document_count"], got["error_count"]) == (rounds * calls, rounds * calls, 0)
    if place == "aggregate":
        assert answer["aggregations"]["x"]["value"] == 5050
    api.ok("POST", "/api/v1/udfs/%s/test" % name, {"documents": [{"number": 1}, {"number": 2}, {}]})
    got = counted(api, name)
    assert (got["call_count"], got["document_count"]) == (2 * calls + 2, 2 * calls + 3), "one has no number"


def test_an_unknown_function_has_none(api):
    answer = api.get("/api/v1/udfs/nobody/1.0.0/stats")
    assert answer.status == 404 and answer.json["error"]["code"] == "UDF_NOT_FOUND"


def test_host_calls_and_strings_make_advice(api, things):
    api.deploy("reader", LOGGING_WAT % 0, kind="filter", abi="row", permissions=["read_document", "log"])
    api.count("things", udf("reader"))
    answer = stats(api, "reader")
    got, advice = answer["statistics"], answer["performance"]["recommendations"]
    assert got["call_count"] == N and got["host_call_count"] == 2 * N
    assert got["string_bytes_copied"] == N * len("thing 0001")
    assert any(a.startswith("row shape with 2 host calls per document") for a in advice), advice
    assert answer["performance"]["rating"] != "excellent"


def test_errors_by_kind_and_the_last_one(api, things):
    deploy_divisible(api, "faulty")
    query = {"query": udf("faulty", by=0)}
    assert api.post("/things/_search", query).status == 500
    skipped = {"wasm_udf": {"name": "faulty", "parameters": {"by": 0}, "on_error": "skip"}}
    few = {"bool": {"filter": [{"terms": {"number": [7, 8, 9]}}, skipped]}}
    assert api.count("things", few) == 0
    answer = stats(api, "faulty")
    got = answer["statistics"]
    assert got["errors_by_type"] == {"EXECUTION_FAILED": got["error_count"]}
    assert got["error_count"] >= 4 and got["error_rate"] == 1
    assert got["last_error"]["code"] == "EXECUTION_FAILED"
    assert got["last_error"]["message"].startswith("trap: integer divide by zero")
    assert got["last_error"]["document"] in ("7", "8", "9")
    (frame,) = got["last_error"]["stack"]
    assert re.fullmatch(r"filter \(func 0, offset 0x[0-9a-f]+\)", frame), frame
    assert answer["performance"]["rating"] == "poor"
    assert "most often with EXECUTION_FAILED" in answer["performance"]["recommendations"][0]


def test_a_query_out_of_time_is_not_the_functions_error(api, things):
    deploy_hostile(api, ENDLESS, "unlucky", limits={"call_ms": 10000})
    answer = api.ok("POST", "/things/_search", {"query": udf("unlucky"), "timeout": "50ms"})
    assert answer["timed_out"]
    assert counted(api, "unlucky")["error_count"] == 0
    deploy_hostile(api, ENDLESS, "too_long", limits={"call_ms": 5})
    assert api.post("/things/_search", {"query": udf("too_long")}).status == 504
    assert counted(api, "too_long")["errors_by_type"]["TIMEOUT"] >= 1


def test_reset_begins_anew(api, things):
    deploy_cheaper(api, "forgetful")
    api.count("things", udf("forgetful", limit=30))
    assert counted(api, "forgetful")["call_count"] > 0
    assert "message" in api.ok("POST", "/api/v1/udfs/forgetful/1.0.0/stats/reset")
    got = counted(api, "forgetful")
    assert got["call_count"] == got["document_count"] == got["max_latency_us"] == 0 and got["last_executed_at"] is None


def test_numbers_survive_a_restart_and_end_with_the_version(restartable):
    api = restartable.api
    fill(api, 300)
    deploy_cheaper(api, "lasting")
    deploy_divisible(api, "broken")
    api.count("things", udf("lasting", limit=30))
    assert api.post("/things/_search", {"query": udf("broken", by=0)}).status == 500
    before = {name: stats(api, name) for name in ("lasting", "broken")}
    restartable.stop()
    api = restartable.start()
    after = {name: stats(api, name) for name in ("lasting", "broken")}
    for name, answer in after.items():
        of_before, now = before[name]["statistics"], answer["statistics"]
        for member in ("tier", "code_bytes", "memory_peak_bytes"):  # not loaded yet
            assert of_before.pop(member) is not None and not now.pop(member)
        assert answer == before[name]
    assert after["lasting"]["statistics"]["call_count"] == 270
    assert api.ok("GET", "/api/v1/udfs/lasting")["last_used_at"] == after["lasting"]["statistics"]["last_executed_at"]
    api.count("things", udf("lasting", limit=30))
    assert counted(api, "lasting")["call_count"] == 540
    api.ok("DELETE", "/api/v1/udfs/lasting/1.0.0")
    deploy_cheaper(api, "lasting")
    assert counted(api, "lasting")["call_count"] == 0
    restartable.stop()
    api = restartable.start()
    assert counted(api, "lasting")["call_count"] == 0


# ---- code and memory -------------------------------------------------------------------------------------------------

GROWING_WAT = """(module (memory (export "memory") 1)
  (func (export "filter") (param $number i64) (result i32)
    (if (i64.eq (local.get $number) (i64.const 77)) (then (drop (memory.grow (i32.const 6)))))
    (i32.const 1)))"""


def test_code_and_memory_are_those_of_this_moment(make_daemon):
    daemon = make_daemon()
    api = daemon.api
    fill(api, 100)
    api.deploy("growing", GROWING_WAT, kind="filter", abi="typed", parameters=NUMBER_PARAMETERS)
    before = counted(api, "growing")
    status = api.ok("GET", "/api/v1/udfs/growing/1.0.0/status")["nodes"][0]
    assert (before["tier"], before["code_bytes"]) == (status["tier"], status["code_bytes"])
    assert before["code_bytes"] > 0 and before["memory_bytes"] == before["memory_peak_bytes"] == 0
    api.count("things", {"bool": {"filter": [{"range": {"number": {"lt": 50}}}, udf("growing")]}})
    assert counted(api, "growing")["memory_peak_bytes"] == 65536
    api.count("things", udf("growing"))
    got = counted(api, "growing")
    assert got["memory_peak_bytes"] == 7 * 65536 and got["memory_bytes"] == 0 and got["instances"] == 0
    assert 'quidditch_udf_memory_bytes{kind="linear"}' in samples(api)
    assert samples(api)['quidditch_udf_memory_bytes{kind="linear"}'] == 0
    api.ok("POST", "/api/v1/udfs/growing/1.0.0/stats/reset")
    reset = counted(api, "growing")
    assert reset["memory_peak_bytes"] == 0 and reset["code_bytes"] > 0
    api.count("things", udf("growing"))
    daemon.stop()
    api = daemon.start()
    # Asking for statistics loads nothing.
    cold = counted(api, "growing")
    assert (cold["call_count"], cold["tier"], cold["code_bytes"], cold["memory_peak_bytes"]) == (100, None, 0, 0)
    assert api.ok("GET", "/api/v1/udfs/growing/1.0.0/status")["nodes"][0]["tier"] is None
    api.count("things", udf("growing"))
    assert counted(api, "growing")["tier"] in ("baseline", "optimized")


# ---- the stack of an error -------------------------------------------------------------------------------------------

DEEP_WAT = """(module
  (func $divide (param $by i64) (result i64) (i64.div_s (i64.const 100) (local.get $by)))
  (func $middle (param $by i64) (result i64) (call $divide (local.get $by)))
  (func $top (export "value") (param $by i64) (result f64) (f64.convert_i64_s (call $middle (local.get $by)))))"""
DEEP_STACK = [r"divide \(func 0, offset 0x[0-9a-f]+\)", r"middle \(func 1, offset 0x[0-9a-f]+\)",
              r"top \(func 2, offset 0x[0-9a-f]+\)"]


def expect_stack(stack, patterns):
    assert len(stack) == len(patterns) and all(map(re.fullmatch, patterns, stack)), stack


def test_an_error_tells_the_stack_wherever_it_is_told(restartable):
    api = restartable.api
    api.create("numbers", {"number": {"type": "long"}})
    api.load("numbers", {"zero": {"number": 0}})
    manifest = {"name": "deep", "version": "1.0.0", "kind": "transform", "abi": "typed", "function_name": "value",
                "parameters": NUMBER_PARAMETERS}
    api.register_wat(manifest, DEEP_WAT)
    search = {"query": {"match_all": {}}, "script_fields": {"x": {"script": {"source": "deep", "lang": "wasm"}}}}
    failed = api.post("/numbers/_search", search)
    assert failed.status == 500 and failed.error["type"] == "script_exception"
    for cause in (failed.error, failed.error["root_cause"][0]):
        expect_stack(cause["script_stack"], DEEP_STACK)
        assert (cause["script"], cause["lang"]) == ("deep@1.0.0", "wasm")
        assert "trap: integer divide by zero at divide (func 0, offset" in cause["reason"]
    for path, body in (("/api/v1/query", {"index": "numbers", **search}),
                       ("/api/v1/udfs/deep/test", {"document": {"number": 0}}),
                       ("/api/v1/udfs/_test", {"document": {"number": 0}, "language": "wat", "source": DEEP_WAT,
                                               **manifest})):
        failed = api.post(path, body)
        assert failed.status == 500, failed
        expect_stack(failed.error["details"]["stack"], DEEP_STACK)
    expect_stack(counted(api, "deep")["last_error"]["stack"], DEEP_STACK)
    assert "called by top (func 2, offset" in logs(api, "deep")["logs"][-1]["message"]
    # An error in which no guest ran has none.
    answer = api.post("/api/v1/udfs/deep/test", {"document": {"number": 1}, "score": "x"})
    assert answer.status == 400 and "stack" not in answer.error["details"]
    restartable.stop()
    expect_stack(counted(restartable.start(), "deep")["last_error"]["stack"], DEEP_STACK)


# ---- recent log lines ------------------------------------------------------------------------------------------------

def logs(api, name):
    return api.ok("GET", "/api/v1/udfs/%s/1.0.0/logs" % name)


def test_log_lines_have_level_and_document(api, things):
    api.deploy("talker", LOGGING_WAT % 2, kind="filter", abi="row", permissions=["read_document", "log"])
    assert logs(api, "talker") == {"version": "1.0.0", "logs": [], "dropped": 0}
    api.count("things", {"bool": {"filter": [{"terms": {"number": [3, 4]}}, udf("talker")]}})
    got = logs(api, "talker")
    assert [(line["level"], line["message"], line["document"]) for line in got["logs"]] == \
        [("warn", "hello from here", "3"), ("warn", "hello from here", "4")]
    assert [line["seq"] for line in got["logs"]] == [1, 2]
    assert got["dropped"] == 0 and all(line["at"].endswith("Z") for line in got["logs"])


def test_a_flood_of_lines_is_dropped_and_counted(api, things):
    api.deploy("flooder", LOGGING_WAT % 1, kind="filter", abi="row", permissions=["read_document", "log"])
    api.count("things", udf("flooder"))
    got = logs(api, "flooder")
    assert 0 < len(got["logs"]) <= 100 and got["dropped"] > 0
    assert len(got["logs"]) + got["dropped"] <= N + 100, "lines past the limit of a run are not even offered"


def test_errors_are_lines_too(api, things):
    deploy_divisible(api, "crasher")
    api.post("/things/_search", {"query": {"bool": {"filter": [{"term": {"number": 11}}, udf("crasher", by=0)]}}})
    (line,) = logs(api, "crasher")["logs"]
    assert (line["level"], line["document"]) == ("error", "11")
    assert line["message"].startswith("trap: integer divide by zero")


# ---- quarantine ------------------------------------------------------------------------------------------------------

def divide(api, by, **more):
    use = {"name": "divisible", "version": "1.0.0", "parameters": {"by": by}, **more}
    return api.post("/api/v1/query", {"index": "things", "query": {"wasm_udf": use}, "size": 1})


def code(answer):
    return answer.json["error"]["code"] if answer.status >= 400 else "OK"


def test_quarantine_from_its_beginning_to_its_end(make_daemon):
    daemon = make_daemon({"quarantine.failures": 3})
    api = daemon.api
    fill(api, 50)
    deploy_divisible(api)
    deploy_divisible(api, version="2.0.0")
    # A success in between begins the row anew; what is skipped is no failure.
    for _ in range(3):
        assert [code(divide(api, by)) for by in (0, 0, 2)] == ["EXECUTION_FAILED", "EXECUTION_FAILED", "OK"]
    for _ in range(5):
        assert code(divide(api, 0, on_error="skip")) == "OK"
    assert [code(divide(api, 0)) for _ in range(3)] == ["EXECUTION_FAILED"] * 3
    refused = divide(api, 2)
    assert refused.status == 503 and code(refused) == "UDF_QUARANTINED"
    message = refused.json["error"]["message"]
    for part in ("function 'divisible@1.0.0' is quarantined since 20", "3 queries in a row", "integer divide by zero",
                 "POST /api/v1/udfs/divisible/1.0.0/reinstate"):
        assert part in message
    # In a search; another version; the test route.
    assert api.post("/things/_search", {"query": udf("divisible", "1.0.0")}).status == 503
    assert api.count("things", udf("divisible", "2.0.0", by=2)) == 25
    tested = api.ok("POST", "/api/v1/udfs/divisible/test",
                    {"version": "1.0.0", "document": {"number": 4}, "parameters": {"by": 2}})
    assert tested["result"] is True
    assert api.ok("GET", "/api/v1/udfs/divisible/1.0.0")["status"] == "quarantined"
    assert samples(api)["quidditch_udf_quarantined_functions"] == 1
    daemon.stop()
    api = daemon.start()
    assert divide(api, 2).json["error"]["message"] == message
    assert "message" in api.ok("POST", "/api/v1/udfs/divisible/1.0.0/reinstate")
    assert code(divide(api, 2)) == "OK"
    assert api.ok("GET", "/api/v1/udfs/divisible/1.0.0")["status"] != "quarantined"
    assert samples(api)["quidditch_udf_quarantined_functions"] == 0
    actions = [(e["action"], e["version"]) for e in api.ok("GET", "/api/v1/audit?udf=divisible")["entries"]]
    assert actions[:2] == [("reinstate", "1.0.0"), ("quarantine", "1.0.0")]
    daemon.kill()
    api = daemon.start()
    assert code(divide(api, 2)) == "OK"


def test_a_quarantined_version_that_is_deleted_leaves_nothing(make_daemon):
    api = make_daemon({"quarantine.failures": 1}).api
    fill(api, 50)
    deploy_divisible(api)
    assert [code(divide(api, 0)), code(divide(api, 2))] == ["EXECUTION_FAILED", "UDF_QUARANTINED"]
    api.ok("DELETE", "/api/v1/udfs/divisible/1.0.0")
    deploy_divisible(api)
    assert code(divide(api, 2)) == "OK"


def test_quarantine_is_off_by_default(api, things):
    deploy_divisible(api)
    for _ in range(30):
        assert code(divide(api, 0)) == "EXECUTION_FAILED"
    assert code(divide(api, 2)) == "OK"


# ---- /metrics --------------------------------------------------------------------------------------------------------

def test_metrics_of_a_function(api, things):
    deploy_cheaper(api, "measured")
    deploy_divisible(api, "mismeasured")
    api.count("things", udf("measured", limit=30))
    api.post("/things/_search", {"query": udf("mismeasured", by=0)})
    got, calls = samples(api), N * 9 // 10
    me = 'name="measured",version="1.0.0"'
    assert got['quidditch_udf_executions_total{%s,outcome="success"}' % me] == calls
    assert got['quidditch_udf_executions_total{%s,outcome="error"}' % me] == 0
    assert got["quidditch_udf_latency_seconds_count{%s}" % me] == calls
    assert got["quidditch_udf_latency_seconds_sum{%s}" % me] == pytest.approx(
        counted(api, "measured")["total_execution_time_ms"] / 1000, rel=1e-6)
    buckets = [got['quidditch_udf_latency_seconds_bucket{%s,le="%s"}' % (me, bound)]
               for bound in ("5e-09", "1e-08", "2.5e-08", "5e-08", "1e-07", "2.5e-07", "1e-06", "1e-05", "0.0001",
                             "0.001", "0.01", "0.1", "+Inf")]
    assert buckets == sorted(buckets) and buckets[-1] == calls
    assert got['quidditch_udf_errors_total{name="mismeasured",version="1.0.0",type="EXECUTION_FAILED"}'] >= 1
    assert sum(got['quidditch_udf_compile_seconds_count{tier="%s"}' % t] for t in ("baseline", "optimized")) >= 1
    assert got['quidditch_udf_pool_instances{state="busy"}'] == 0
    assert got['quidditch_udf_memory_bytes{kind="code"}'] > 0
    assert got['quidditch_udf_memory_bytes{kind="linear"}'] == 0, "nothing is at work"
    assert got['quidditch_udf_memory_bytes{kind="columns"}'] > 0, "of the idle instance of a function without memory"


def test_promtool_accepts_the_metrics(api, things):
    deploy_divisible(api, "checked")
    api.count("things", udf("checked"))
    api.post("/things/_search", {"query": udf("checked", by=0)})
    checked = subprocess.run(["promtool", "check", "metrics"], input=api.get("/metrics").text, text=True,
                             capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_every_metric_is_documented(api):
    names = re.findall(r"^# TYPE (\S+)", api.get("/metrics").text, re.M)
    text = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    # `quidditch_udf_cache_hits_total`, `_misses_total` stands for the second one in full, too.
    short = {name: "`_%s`" % "_".join(name.split("_")[3:]) for name in names}
    assert [name for name in names if "`%s`" % name not in text and short[name] not in text] == []


def test_series_go_on_after_a_restart_with_the_first_use(restartable):
    api = restartable.api
    fill(api, 50)
    deploy_cheaper(api, "again")
    series = 'quidditch_udf_executions_total{name="again",version="1.0.0",outcome="success"}'
    api.count("things", udf("again", limit=30))
    assert samples(api)[series] == 45
    restartable.stop()
    api = restartable.start()
    assert series not in samples(api)
    api.count("things", udf("again", limit=30))
    assert samples(api)[series] == 90


def test_only_the_last_used_have_series(make_daemon):
    api = make_daemon({"metrics.max_functions": 2}).api
    fill(api, 50)
    for i in range(4):
        manifest = {"kind": "filter", "abi": "typed", "parameters": PRICE_PARAMETERS}
        api.deploy("many", CHEAPER_WAT, version="1.0.%d" % i, **manifest)
        api.count("things", udf("many", "1.0.%d" % i, limit=30))
    got = samples(api)
    assert len([s for s in got if s.startswith("quidditch_udf_latency_seconds_count")]) == 2
    assert got["quidditch_udf_functions_without_series"] == 2
