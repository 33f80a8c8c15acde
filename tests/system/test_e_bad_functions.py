# SPDX-License-Identifier: Apache-2.0
"""Functions that come in wrong, or do wrong when they run: each fault gets its own status, code and a sentence that
names the thing, and after each the daemon answers as before and its data are what they were."""
import base64
import json
import threading

import pytest

from support import CHEAPER_WAT, ENDLESS, PRICE_PARAMETERS, SLOW_FACTOR, deploy_hostile, multipart

pytestmark = pytest.mark.usefixtures("canary", "still_exact")


# ---- modules ---------------------------------------------------------------------------------------------------------

GOOD_WASM = bytes.fromhex("0061736d01000000" "01060160017e017f" "03020100" "070a010666696c7465720000"
                          "0a0601040041010b")
ROW = {"name": "bad", "version": "1.0.0", "kind": "filter", "abi": "row"}


def upload(api, wasm, **manifest):
    return api.post("/api/v1/udfs", {**ROW, **manifest, "wasm_base64": base64.b64encode(wasm).decode()})


def refused(api, answer, status, code, *named):
    """The error is this one, says these words, and nothing was kept."""
    assert answer.status == status, answer
    assert answer.error["code"] == code, answer
    for word in named:
        assert word in answer.error["message"], (word, answer)
    assert isinstance(answer.error["details"], dict)
    assert api.get("/api/v1/udfs/bad").status == 404
    return answer


def test_good_wasm__is_good(api):
    assert upload(api, GOOD_WASM, name="good").status == 201
    api.ok("DELETE", "/api/v1/udfs/good")


@pytest.mark.parametrize("wasm", [
    b"this is not a module", b"", b"\0", b"\0asm", b"\0asm\1\0\0", GOOD_WASM[:-1], GOOD_WASM[:20], GOOD_WASM + b"\xff",
    b"\0asm\2\0\0\0", b"\0asm\x0d\0\1\0" + GOOD_WASM[8:], GOOD_WASM.replace(b"\x41\x01\x0b", b"\x42\x01\x0b"),
    b"\x7fELF" + bytes(200), bytes(1000), GOOD_WASM[:8] + b"\x01\xff\xff\xff\xff\x0f" + GOOD_WASM[10:],
    GOOD_WASM[:8] + b"\x01\x80\x80\x80\x80\x80\x80\x80\x00",
], ids=["text", "empty", "zero", "magic", "7 bytes", "cut by 1", "cut in half", "tail", "version 2", "component",
        "type error", "elf", "zeros",
        "section too long", "endless leb"])
def test_module__not_valid(api, wasm):
    answer = upload(api, wasm)
    refused(api, answer, 422, "INVALID_WASM", "module")
    body, content_type = multipart([("name", "bad"), ("version", "1.0.0"), ("wasm", wasm, "bad.wasm")])
    answer = api.call("POST", "/api/v1/udfs", body, {"Content-Type": content_type})
    assert answer.status in (400, 422), answer


def test_module__cut_anywhere__never_accepted(api):
    for cut in range(8, len(GOOD_WASM)):
        answer = upload(api, GOOD_WASM[:cut])
        assert answer.status == 422, (cut, answer)


@pytest.mark.parametrize("wat, named", [
    ('(module (func (export "other") (param i64) (result i32) (i32.const 1)))', ["filter", "other"]),
    ('(module)', ["filter"]), ('(module (memory (export "filter") 1))', ["filter"]),
    ('(module (func (export "filter") (param i32) (result i32) (i32.const 1)))',
     ["filter", "(i32) -> i32", "(i64) -> i32"]),
    ('(module (func (export "filter") (param i64)))', ["filter", "(i64)"]),
    ('(module (func (export "filter") (param i64) (result i32 i32) (i32.const 1) (i32.const 1)))', ["filter"]),
    ('(module (func (export "filter") (param i64) (result f64) (f64.const 1)))', ["filter", "f64"]),
    ('(module (func (export "filter") (param v128) (result i32) (i32.const 1)))', ["filter"]),
    ('(module (func (export "filter") (param i64) (result v128) (v128.const i64x2 0 0)))', ["filter"]),
    ('(module (func (export "filter") (param i64) (result funcref) (ref.null func)))', ["filter"]),
    ('(module (func (export "filter") (param %s) (result i32) (i32.const 1)))' % ("i64 " * 900), ["filter"]),
], ids=lambda v: v[16:70] if isinstance(v, str) else "")
def test_module__export_does_not_fit(api, wat, named):
    refused(api, api.register_wat(ROW, wat), 422, "INVALID_WASM", *named)


@pytest.mark.parametrize("wat", [
    '(func (export "filter") (param externref) (result i32) (i32.const 1))', "(table 1 externref)", "(type (struct))",
    "(memory i64 1)", "(memory 1 1 shared)", "(tag)",
])
def test_module__proposals_that_are_off__are_refused(api, wat):
    refused(api, api.register_wat(ROW, "(module %s)" % wat), 422, "INVALID_WASM")


@pytest.mark.parametrize("wat, status, code, named", [
    ('(import "env" "no_such_thing" (func (param i64) (result i32)))', 422, "COMPILATION_FAILED",
     ["env.no_such_thing"]),
    ('(import "elsewhere" "get_score" (func (param i64) (result f64)))', 422, "COMPILATION_FAILED",
     ["elsewhere.get_score"]),
    ('(import "env" "get_score" (func (param i32) (result f64)))', 422, "COMPILATION_FAILED",
     ["env.get_score", "(i32) -> f64", "(i64) -> f64"]),
    ('(import "env" "memory" (memory 1))', 422, "COMPILATION_FAILED", ["env.memory", "memory"]),
    ('(import "env" "t" (table 1 funcref))', 422, "COMPILATION_FAILED", ["env.t", "table"]),
    ('(import "env" "g" (global i32))', 422, "COMPILATION_FAILED", ["env.g", "global"]),
    ('(import "env" "f" (func (param v128 funcref)))', 422, "COMPILATION_FAILED", ["env.f"]),
    ('(import "env" "get_score" (func (param i64) (result f64)))', 403, "PERMISSION_DENIED",
     ["env.get_score", "read_score"]),
    ('(import "env" "log" (func (param i32 i32 i32)))', 403, "PERMISSION_DENIED", ["env.log", "'log'"]),
    ('(import "wasi_snapshot_preview1" "path_open" (func (param i64)))', 422, "COMPILATION_FAILED",
     ["wasi_snapshot_preview1.path_open"]),
], ids=lambda v: v[9:60] if isinstance(v, str) else "")
def test_module__imports_what_it_may_not(api, wat, status, code, named):
    module = '(module %s (func (export "filter") (param i64) (result i32) (i32.const 1)))' % wat
    refused(api, api.register_wat({**ROW, "permissions": []}, module), status, code, *named)


def test_module__too_big__is_413(api):
    padding = 11 << 20
    leb = bytes([padding & 0x7f | 0x80, padding >> 7 & 0x7f | 0x80, padding >> 14 & 0x7f | 0x80, padding >> 21 & 0x7f])
    big = GOOD_WASM + b"\0" + leb + b"\1x" + bytes(padding - 2)
    refused(api, upload(api, big), 413, "PAYLOAD_TOO_LARGE")
    body, content_type = multipart([("name", "bad"), ("version", "1.0.0"), ("wasm", big, "big.wasm")])
    refused(api, api.call("POST", "/api/v1/udfs", body, {"Content-Type": content_type}), 413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("wat", [
    "(module (memory (export \"memory\") 65536) %s)", "(module (memory 1000) %s)",
    "(module (table 4000000 funcref) %s)", "(module (table 4294967295 funcref) %s)",
], ids=["memory 4 GiB", "memory 64 MiB",
                                     "table", "table 4 G"])
def test_module__asks_for_too_much_at_once(api, wat):
    """Refused when it is registered, or when it is first called: never by the daemon's death."""
    answer = api.register_wat({**ROW, "name": "greedy"},
                              wat % '(func (export "filter") (param i64) (result i32) (i32.const 1))')
    if answer.status == 201:
        answer = api.post("/api/v1/udfs/greedy/test", {"document": {}})
    assert answer.status in (422, 500), answer
    assert answer.error["code"] in ("INVALID_WASM", "COMPILATION_FAILED", "MEMORY_LIMIT"), answer
    assert "memory" in answer.error["message"] or "table" in answer.error["message"]


@pytest.mark.parametrize("wat, line", [
    ("(module\n  (func (export \"filter\"\n", 2), ("(module)\n\n  nonsense", 3), ("", None),
    ("(module (func (unknown.op)))", 1),
],
                         ids=["unclosed", "tail", "empty", "unknown instruction"])
def test_wat__malformed__names_the_line(api, wat, line):
    answer = api.register_wat(ROW, wat)
    assert answer.status in (400, 422), answer
    assert answer.error["code"] in ("INVALID_WASM", "INVALID_PARAMETERS", "COMPILATION_FAILED"), answer
    if line:
        assert answer.error["details"]["line"] >= line, answer


def test_wat__deeply_nested__is_refused(api):
    answer = api.register_wat(ROW, "(module " + "(" * 200000 + ")" * 200000 + ")")
    assert answer.status == 422, answer


# ---- what functions do when they run ---------------------------------------------------------------------------------

GROW = """(local $n i32) (loop $again (local.set $n (memory.grow (i32.const 16)))
  (br_if $again (i32.ne (local.get $n) (i32.const -1)))) (unreachable)"""


@pytest.mark.parametrize("body, header, code, named", [
    ("(unreachable)", "", "EXECUTION_FAILED", "unreachable"),
    ("(i32.div_s (i32.const 1) (i32.const 0))", "", "EXECUTION_FAILED", "divide by zero"),
    ("(i32.div_s (i32.const 0x80000000) (i32.const -1))", "", "EXECUTION_FAILED", "overflow"),
    ("(i32.trunc_f64_s (f64.const nan))", "", "EXECUTION_FAILED", "conversion"),
    ("(i32.load (i32.const 65536))", "(memory 1)", "EXECUTION_FAILED", "out of bounds"),
    ("(i32.load offset=4294967295 (i32.const -1))", "(memory 1)", "EXECUTION_FAILED", "out of bounds"),
    ("(call_indirect (result i32) (i32.const 5))", "(table 2 funcref)", "EXECUTION_FAILED", "table"),
    ("(call_indirect (result i32) (i32.const 1))", "(table 2 funcref)", "EXECUTION_FAILED", "indirect call"),
    ("(call $f (local.get 0))", "", "MEMORY_LIMIT", "stack"),
    (GROW, '(memory (export "memory") 1)', "MEMORY_LIMIT", "memory"),
    ("(unreachable)", '(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))', "EXECUTION_FAILED",
     "unreachable"),
    ("(call $exit (i32.const 3)) (i32.const 1)",
     '(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))', "EXECUTION_FAILED", "proc_exit"),
], ids=["unreachable", "zero", "overflow", "nan to int", "bounds", "bounds 4 GiB", "table bounds", "null call",
        "stack bomb", "memory bomb", "trap", "exit"])
def test_function__that_traps__fails_its_query_alone(api, body, header, code, named):
    deploy_hostile(api, body, header=header)
    answer = api.post("/api/v1/udfs/hostile/test", {"document": {}, "id": "me"})
    assert answer.status == 500 and answer.error["code"] == code, answer
    assert "hostile@1.0.0" in answer.error["message"] and named in answer.error["message"], answer
    answer = api.post("/canary/_search",
                      {"query": {"bool": {"must": [{"match": {"title": "canary"}}],
                                          "filter": [{"wasm_udf": {"name": "hostile"}}]}}})
    assert answer.status == 500 and answer.error["type"] == "script_exception", answer
    assert "hostile@1.0.0" in answer.error["reason"] and named in answer.error["reason"], answer
    assert "document '" in answer.error["reason"], answer
    assert api.ids("canary", {"wasm_udf": {"name": "hostile", "on_error": "skip"}}) == []


def test_function__whose_grow_is_refused__goes_on(api):
    """memory.grow and table.grow past the limit answer -1, and the function may live with it."""
    header = "(memory 1) (table $t 1 funcref)"
    deploy_hostile(api, """(i32.and (i32.eq (memory.grow (i32.const 60000)) (i32.const -1))
      (i32.eq (table.grow $t (ref.null func) (i32.const 90000000)) (i32.const -1)))""", header=header)
    assert api.ok("POST", "/api/v1/udfs/hostile/test", {"document": {}})["result"] is True
    assert len(api.ids("canary", {"wasm_udf": {"name": "hostile"}})) == 30


@pytest.mark.parametrize("value, named", [
    ("(f64.const nan)", "NaN"), ("(f64.const -1)", "-1"), ("(f64.const inf)", "inf"),
])
def test_score__that_is_none__is_refused(api, value, named):
    deploy_hostile(api, value, kind="score")
    for query in ({"script_score": {"query": {"match_all": {}}, "script": {"source": "hostile"}}},
                  {"wasm_udf": {"name": "hostile"}},
                  {"function_score": {"script_score": {"script": {"source": "hostile"}}}}):
        answer = api.post("/canary/_search", {"query": query})
        assert answer.status in (400, 500), answer
        assert "hostile@1.0.0" in answer.error["reason"] and named in answer.error["reason"], answer


def test_endless_loop__answers_504_while_others_go_on(api):
    call_ms = 400 * SLOW_FACTOR  # long enough for the others to be asked something
    deploy_hostile(api, ENDLESS, limits={"call_ms": call_ms})
    api_query = {"query": {"wasm_udf": {"name": "hostile"}}}
    answers, done = [], threading.Event()

    def loop():
        try:
            answers.append(api.post("/canary/_search", api_query))
        finally:
            done.set()

    thread = threading.Thread(target=loop)
    thread.start()
    others = 0
    try:
        while not done.is_set():
            assert len(api.ids("canary", {"match": {"title": "canary"}})) == 30
            assert api.post("/api/v1/udfs/cheaper/test",
                            {"document": {"price": 1}, "parameters": {"limit": 2}}).json["result"] is True
            others += 1
    finally:
        thread.join(60 * SLOW_FACTOR)
    assert not thread.is_alive() and others > 0
    answer = answers[0]
    assert answer.status == 504 and "hostile@1.0.0" in answer.error["reason"], answer
    assert "%d ms" % call_ms in answer.error["reason"], answer
    tested = api.post("/api/v1/udfs/hostile/test", {"document": {}})
    assert tested.status == 504 and tested.error["code"] == "TIMEOUT", tested


def test_endless_loops__on_every_worker__still_end(api):
    """More of them than there are workers: they queue, each ends in its time, and the daemon is itself again."""
    deploy_hostile(api, ENDLESS, limits={"call_ms": 50})
    answers = []

    def loop(_):
        answers.append(api.post("/canary/_search", {"query": {"wasm_udf": {"name": "hostile"}}}).status)

    threads = [threading.Thread(target=loop, args=(t,)) for t in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120 * SLOW_FACTOR)
    assert sorted(set(answers)) in ([504], [429, 504]) and len(answers) == 12


def test_endless_loop__ends_with_the_query_deadline(api):
    deploy_hostile(api, ENDLESS, limits={"call_ms": 9000})
    answer = api.post("/canary/_search", {"query": {"wasm_udf": {"name": "hostile"}}, "timeout": "100ms"})
    assert answer.status == 200 and answer.json["timed_out"] is True and answer.json["hits"]["hits"] == [], answer


@pytest.mark.parametrize("start, reason", [
    ("(unreachable)", "unreachable"), ("(loop $l (br $l))", "50 ms"),
])
def test_start_function__traps_or_loops__is_refused_at_registration(api, start, reason):
    wat = '(module (func $s %s) (start $s) (func (export "filter") (param i64) (result i32) (i32.const 1)))' % start
    body = {**ROW, "name": "hostile", "limits": {"call_ms": 50}}
    for answer in (api.register_wat(body, wat),
                   api.post("/api/v1/udfs/_test", {**body, "language": "wat", "source": wat, "document": {}})):
        assert answer.status == 422 and answer.error["code"] == "INVALID_WASM", answer
        assert "'hostile@1.0.0' fails when it is instantiated" in answer.error["message"], answer
        assert reason in answer.error["message"], answer
    assert api.call("GET", "/api/v1/udfs/hostile").status == 404


def test_log_flood__is_cut(api):
    header = '(import "env" "log" (func $log (param i32 i32 i32))) (memory (export "memory") 1)'
    body = """(local $i i32) (loop $l
      (call $log (i32.const 1) (i32.const 0) (i32.const 1000)) (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $l (i32.lt_u (local.get $i) (i32.const 5000)))) (i32.const 1)"""
    deploy_hostile(api, body, header=header, limits={"log_bytes": 4096, "call_ms": 5000})
    answer = api.ok("POST", "/api/v1/udfs/hostile/test", {"document": {}})
    assert answer["result"] is True and sum(len(entry["message"]) for entry in answer["logs"]) <= 8192


@pytest.mark.parametrize("address, length, size", [
    (70000, 5, 8), (-1, 5, 8), (0, -1, 8), (65530, 100, 8), (0, 5, 70000), (0, 5, -1),
])
def test_host_function__bad_addresses__are_answers_not_faults(api, address, length, size):
    header = """(import "env" "get_field_string" (func $get (param i64 i32 i32 i32 i32) (result i32)))
      (import "env" "get_field_f64" (func $f64 (param i64 i32 i32 i32) (result i32))) (memory (export "memory") 1)"""
    body = """(drop (call $get (local.get 0) (i32.const %d) (i32.const %d) (i32.const %d) (i32.const %d)))
      (drop (call $f64 (local.get 0) (i32.const %d) (i32.const %d) (i32.const %d)))
      (drop (call $f64 (i64.const 123456789) (i32.const 0) (i32.const 5) (i32.const 0))) (i32.const 1)""" % (
        address, length, size, size, address, length, size)
    deploy_hostile(api, body, header=header)
    assert api.ok("POST", "/api/v1/udfs/hostile/test", {"document": {"a": "text"}})["result"] is True
    assert len(api.ids("canary", {"wasm_udf": {"name": "hostile"}})) == 30


# ---- manifests -------------------------------------------------------------------------------------------------------

TYPED = {"name": "bad", "version": "1.0.0", "kind": "filter", "abi": "typed", "parameters": PRICE_PARAMETERS}


def with_parameter(**changes):
    return {**TYPED, "parameters": [PRICE_PARAMETERS[0], {**PRICE_PARAMETERS[1], **changes}]}


@pytest.mark.parametrize("manifest, field", [
    ({"version": "1.0.0"}, "name"), ({"name": "bad"}, "version"), ({**TYPED, "name": "Bad"}, "name"),
    ({**TYPED, "name": "1bad"}, "name"), ({**TYPED, "name": "bad-name"}, "name"), ({**TYPED, "name": ""}, "name"),
    ({**TYPED, "name": "x" * 65}, "name"), ({**TYPED, "name": 5}, "name"), ({**TYPED, "version": "1.0"}, "version"),
    ({**TYPED, "version": "v1.0.0"}, "version"), ({**TYPED, "version": "01.0.0"}, "version"),
    ({**TYPED, "version": "1.0.0-"}, "version"), ({**TYPED, "version": 1}, "version"),
    ({**TYPED, "kind": "sorter"}, "kind"), ({**TYPED, "abi": "rows"}, "abi"), ({**TYPED, "colour": "red"}, "colour"),
    ({**TYPED, "parameters": {}}, "parameters"),
    ({**TYPED, "parameters": [PRICE_PARAMETERS[0]] * 2}, "parameters[1].name"),
    (with_parameter(default="cheap"), "parameters[1].default"), (with_parameter(default=True), "parameters[1].default"),
    (with_parameter(type="decimal"), "parameters[1].type"), (with_parameter(name="a b"), "parameters[1].name"),
    (with_parameter(required="yes"), "parameters[1].required"), (with_parameter(bogus=1), "parameters[1]"),
    (with_parameter(type="i32", default=1.5), "parameters[1].default"),
    (with_parameter(type="i32", default=3000000000), "parameters[1].default"),
    (with_parameter(**{"from": "_source."}), "parameters[1].from"), ({**TYPED, "parameters": [5]}, "parameters[0]"),
    ({**TYPED, "permissions": ["fly"]}, "permissions"), ({**TYPED, "permissions": "log"}, "permissions"),
    ({**TYPED, "limits": {"memory_bytes": -1}}, "limits.memory_bytes"),
    ({**TYPED, "limits": {"memory_bytes": 1 << 40}}, "limits.memory_bytes"),
    ({**TYPED, "limits": {"wishes": 3}}, "limits.wishes"), ({**TYPED, "depends_on": ["other"]}, "depends_on[0]"),
    ({**TYPED, "tags": "x"}, "tags"), ({**TYPED, "description": 5}, "description"),
    ({**TYPED, "custom": []}, "custom"), ({**TYPED, "max_score": -1}, "max_score"),
], ids=lambda v: v if isinstance(v, str) else json.dumps({k: x for k, x in v.items() if TYPED.get(k) != x})[:60])
def test_manifest__bad__names_the_field(api, manifest, field):
    answer = refused(api, api.register_wat(manifest, CHEAPER_WAT), 400, "INVALID_PARAMETERS")
    assert answer.error["details"]["field"] == field, answer
    assert field in answer.error["message"] or "parameter 'limit'" in answer.error["message"], answer


@pytest.mark.parametrize("parameters, wat", [
    (PRICE_PARAMETERS[:1], CHEAPER_WAT), (PRICE_PARAMETERS + [{"name": "third", "type": "f64"}], CHEAPER_WAT),
    ([], CHEAPER_WAT), ([{**PRICE_PARAMETERS[0], "type": "i64"}, PRICE_PARAMETERS[1]], CHEAPER_WAT),
], ids=["too few", "too many", "none",
        "other type"])
def test_manifest__does_not_fit_the_signature(api, parameters, wat):
    refused(api, api.register_wat({**TYPED, "parameters": parameters}, wat), 422, "INVALID_WASM", "filter",
            "(f64, f64) -> i32")


@pytest.mark.parametrize("manifest, field, named", [
    ({**TYPED, "kind": "aggregate"}, "function_name", ["filter_update"]),
    ({**TYPED, "abi": "batch"}, "function_name", ["(f64, f64) -> i32", "(i32, i32, i32)"]),
    ({**TYPED, "abi": "handle"}, "function_name", ["(f64, f64) -> i32", "(i64) -> i32"]),
    ({**TYPED, "returns": [{"type": "string"}]}, "returns", ["a filter returns 'bool'", "not 'string'"]),
    (with_parameter(type="string"), "function_name", ["(f64, f64) -> i32", "(f64, i32, i32)"]),
], ids=["aggregate", "batch", "handle", "string result", "string parameter"])
def test_manifest__another_shape_than_the_module(api, manifest, field, named):
    answer = refused(api, api.register_wat(manifest, CHEAPER_WAT), 422, "INVALID_WASM", *named)
    assert answer.error["details"]["field"] == field, answer


@pytest.mark.parametrize("body, status, field", [
    ({**TYPED, "language": "cobol", "source": "x"}, 400, "language"),
    ({**TYPED, "language": "python", "source": "x"}, 400, "language"), ({**TYPED, "language": "wat"}, 400, "source"),
    ({**TYPED}, 400, "wasm_base64"), ({**TYPED, "wasm_base64": "not base64!"}, 400, "wasm_base64"),
    ({**TYPED, "wasm_base64": "AGFzbQ==="}, 400, "wasm_base64"), ({**TYPED, "wasm_base64": 5}, 400, "wasm_base64"),
], ids=lambda v: str(v)[:20] if isinstance(v, str) else None)
def test_registration__bad_body(api, body, status, field):
    answer = refused(api, api.post("/api/v1/udfs", body), status, "INVALID_PARAMETERS")
    assert field in answer.error["message"], answer


@pytest.mark.parametrize("body, content_type", [
    (b"", "multipart/form-data; boundary=x"), (b"--x\r\n", "multipart/form-data; boundary=x"),
    (b"garbage", "multipart/form-data; boundary=x"), (b"--x--\r\n", "multipart/form-data; boundary=x"),
    (b"--x\r\n\r\n\r\n--x--\r\n", "multipart/form-data; boundary=x"),
    (b"--x\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nbad\r\n--x--\r\n", "multipart/form-data"),
    (b"--x\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nbad\r\n--x--\r\n",
     "multipart/form-data; boundary=\""),
    (b"--x\r\nContent-Disposition: form-data; name=\"bogus\"\r\n\r\nbad\r\n--x--\r\n",
     "multipart/form-data; boundary=x"),
    (b"{}", "text/plain"), (b"{}", "image/png"),
], ids=["empty", "unclosed", "garbage", "no parts", "no headers", "no boundary", "bad boundary", "unknown part", "text",
        "image"])
def test_registration__bad_multipart(api, body, content_type):
    answer = api.call("POST", "/api/v1/udfs", body, {"Content-Type": content_type})
    assert 400 <= answer.status < 500 and answer.error["code"] and answer.error["message"], answer


def test_registration__metadata_is_not_json(api):
    body, content_type = multipart([("name", "bad"), ("version", "1.0.0"), ("wasm", GOOD_WASM, "x.wasm"),
                                    ("metadata", '{"kind": filter}')])
    answer = refused(api, api.call("POST", "/api/v1/udfs", body, {"Content-Type": content_type}), 400,
                     "INVALID_PARAMETERS", "metadata")
    assert answer.error["details"]["line"] == 1


def test_manifest_section__that_is_not_json__is_refused(api):
    section = b"\x12quidditch.manifest" + b"{not json"
    refused(api, upload(api, GOOD_WASM + b"\0" + bytes([len(section)]) + section), 400, "INVALID_PARAMETERS",
            "quidditch.manifest")


# ---- functions in queries --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("clause, status, named", [
    ({"name": "nobody"}, 404, ["nobody"]),
    ({"name": "cheaper", "version": "9.9.9", "parameters": {"limit": 1}}, 404, ["cheaper", "9.9.9"]),
    ({"name": "cheaper", "version": "newest", "parameters": {"limit": 1}}, (400, 404),
     ["cheaper", "newest", "version range"]),
    ({"name": "cheaper", "parameters": {"limit": 1, "colour": 2}}, 400, ["cheaper", "colour"]),
    ({"name": "cheaper"}, 400, ["cheaper", "limit"]),
    ({"name": "cheaper", "parameters": {}}, 400, ["cheaper", "limit"]),
    ({"name": "cheaper", "parameters": {"limit": "ten"}}, 400, ["cheaper", "limit"]),
    ({"name": "cheaper", "parameters": {"limit": [1]}}, 400, ["limit"]),
    ({"name": "cheaper", "parameters": {"limit": {"a": 1}}}, 400, ["limit"]),
    ({"name": "cheaper", "parameters": {"limit": None}}, 400, ["limit"]),
    ({"name": "divisible", "parameters": {"by": 1e300}}, 400, ["divisible", "by"]),
    ({"name": "cheaper", "parameters": {"limit": "_context.absent"}}, 400, ["limit"]),
    ({"name": "cheaper", "parameters": {"limit": "_source."}}, 400, ["limit"]),
    ({"name": "cheaper", "parameters": [1]}, 400, ["parameters"]), ({"parameters": {"limit": 1}}, 400, ["name"]),
    ({"name": 5}, 400, ["name"]), ({"name": "cheaper", "parameters": {"limit": 1}, "bogus": 1}, 400, ["bogus"]),
    ({"name": "cheaper", "parameters": {"limit": 1}, "on_error": "panic"}, 400, ["on_error"]),
    ({"name": "cheaper", "parameters": {"limit": 1}, "on_error": "default"}, 400, ["default"]),
    ({"name": "a" * 5000}, (400, 404), ["aaa"]),
], ids=lambda v: json.dumps(v)[:70])
def test_wasm_udf__bad__names_the_thing(api, clause, status, named):
    for query in ({"wasm_udf": clause}, {"bool": {"filter": [{"match_all": {}}, {"wasm_udf": clause}]}}):
        answer = api.post("/canary/_search", {"query": query})
        assert answer.status in (status if isinstance(status, tuple) else (status,)), answer
        for word in named:
            assert word in answer.error["reason"], answer
        assert answer.error["root_cause"][0]["reason"] == answer.error["reason"]
        assert answer.json["status"] == answer.status


@pytest.mark.parametrize("query, named", [
    ({"bool": {"filter": [{"wasm_udf": {"name": "boosted"}}]}}, "boosted"),
    ({"bool": {"must_not": [{"wasm_udf": {"name": "boosted"}}]}}, "boosted"),
    ({"script_score": {"query": {"match_all": {}}, "script": {"source": "cheaper", "params": {"limit": 1}}}},
     "cheaper"),
    ({"script_score": {"query": {"match_all": {}}, "script": {"lang": "painless", "source": "_score * 2"}}},
     "painless"),
    ({"script_score": {"query": {"match_all": {}}, "script": {"source": "_score * 2"}}}, "_score * 2"),
    ({"script_score": {"script": {"source": "boosted"}}}, "query"),
    ({"script_score": {"query": {"match_all": {}}}}, "script"),
    ({"script": {"script": {"source": "boosted"}}}, "boosted"),
    ({"function_score": {"functions": [{"script_score": {"script": {"source": "nobody"}}}]}}, "nobody"),
    ({"function_score": {"boost_mode": "shout", "script_score": {"script": {"source": "boosted"}}}}, "shout"),
], ids=lambda v: json.dumps(v)[:70])
def test_function__in_the_wrong_place(api, query, named):
    answer = api.post("/canary/_search", {"query": query})
    assert answer.status in (400, 404) and named in answer.error["reason"], answer


@pytest.mark.parametrize("body, named", [
    ({}, "document"), ({"document": 5}, "document"), ({"document": {}, "documents": []}, "document"),
    ({"documents": {}}, "documents"), ({"document": {}, "parameters": 5}, "parameters"),
    ({"document": {}, "parameters": {"limit": "x"}}, "limit"), ({"document": {}, "bogus": 1}, "bogus"),
    ({"document": {}, "parameters": {"limit": 1}, "score": "high"}, "score"),
    ({"document": {}, "parameters": {"limit": 1}, "version": "7.7.7"}, "7.7.7"),
], ids=json.dumps)
def test_test_call__bad_body(api, body, named):
    answer = api.post("/api/v1/udfs/cheaper/test", body)
    assert answer.status in (400, 404) and named in answer.error["message"], answer
