# SPDX-License-Identifier: Apache-2.0
"""The hostile suite: functions that loop, eat, trap, lie and hide, in every place where a function can stand. Each gets
the error that it has earned and nothing else; the daemon lives, its data are what they were, and it keeps no memory."""
import base64
import random
import subprocess
import time

import pytest

from hostile_modules import (ANSWERS, CALL_MS, HOSTILE as ROWS, INVALID, REFUSED, STOPS, TOO_BIG, TRAPS)
from hostile_shapes import SHAPES
from support import CHEAPER_WAT, DIVISIBLE_WAT, PRICE_PARAMETERS, SLOW_FACTOR, scaled

pytestmark = pytest.mark.usefixtures("canary", "still_exact")

HOSTILE = ROWS + SHAPES
STATUS = {TRAPS: 500, STOPS: 504, TOO_BIG: 500, INVALID: 422, REFUSED: 422}


def register(api, module):
    manifest = {"name": "hostile", "version": "1.0.0", "kind": module.kind, "abi": module.abi, "function_name": "f",
                **module.manifest, "limits": {"call_ms": CALL_MS, **module.manifest.get("limits", {})}}
    return api.register_wat(manifest, module.wat)


def use(**options):
    return {"wasm_udf": {"name": "hostile", **options}}


def places(module):
    """Searches with the function in each place that its kind allows."""
    script = {"script": {"source": "hostile"}}
    if module.kind == "transform":
        return [{"script_fields": {"x": use()}}, {"script_fields": {"x": script, "y": script}, "sort": "_doc"}]
    if module.kind == "aggregate":
        return [{"aggs": {"x": use()}, "size": 0}, {"aggs": {"x": use(), "y": use()}, "sort": "_doc", "size": 1},
                {"aggs": {"x": use()}, "query": {"match": {"title": "canary"}}}]
    if module.kind == "filter":
        queries = [use(), {"bool": {"must_not": [use()]}}, {"script": script},
                   {"bool": {"must": [{"match": {"title": "canary"}}], "filter": [{"term": {"tag": "a"}}, use()]}}]
    else:
        queries = [use(), {"script_score": {"query": {"match_all": {}}, **script}},
                   {"function_score": {"query": {"match": {"title": "canary"}},
                                       "functions": [{"script_score": script}]}}]
    by_function = {"sort": [{"_script": {"type": "number", **script}}], "size": 1}
    return [{"query": query} for query in queries] + [by_function]


def forgiving(module):
    """A search that skips documents at which the function fails."""
    skipping = use(on_error="skip")
    return {"transform": {"script_fields": {"x": skipping}}, "aggregate": {"aggs": {"x": skipping}}}.get(
        module.kind, {"query": skipping})


def check_call(answer, expected, where):
    """A test call or a search ended in one of the ways that were expected."""
    if answer.status == 200:
        assert ANSWERS in expected, (where, answer)
        return
    codes = [code for code in expected if STATUS.get(code) == answer.status]
    assert codes, (where, answer)
    error = answer.error
    if "code" in error:
        assert error["code"] in codes, (where, answer)
    assert "hostile@1.0.0" in error.get("message", error.get("reason")), (where, answer)


@pytest.mark.parametrize("module", HOSTILE, ids=lambda m: m.name)
def test_hostile__gets_what_it_has_earned(api, module):
    answer = register(api, module)
    if answer.status not in (200, 201):
        assert answer.error["code"] in module.expected, answer
        assert answer.status == STATUS[answer.error["code"]], answer
        assert api.get("/api/v1/udfs/hostile").status == 404
        return
    document = {"title": "a", "number": 1}
    many = {"documents": [document] * module.documents} if module.documents > 1 else {"document": document, "id": "me"}
    check_call(api.post("/api/v1/udfs/hostile/test", many), module.expected, "test")
    for body in places(module):
        check_call(api.post("/canary/_search", body), module.expected + (ANSWERS,) * ("document" in module.name), body)
    # A document's fault is skipped; what is endless, or fails before any document, is not forgiven.
    answer = api.post("/canary/_search", forgiving(module))
    assert answer.status in (200, 504) or (answer.status == 500 and "document '" not in answer.error["reason"]), answer


def test_endless_functions__end_near_their_deadline(api):
    """Nothing here fails on a clock but by orders of magnitude: a limit that is not kept at all."""
    for module in (m for m in HOSTILE if m.expected == (STOPS,)):
        assert register(api, module).status == 201, module.name
        began = time.monotonic()
        answer = api.post("/canary/_search", places(module)[0])
        assert answer.status == 504, (module.name, answer)
        assert time.monotonic() - began < 30 * SLOW_FACTOR, module.name
        api.ok("DELETE", "/api/v1/udfs/hostile")


def test_traps_again_and_again__keep_no_memory(api, daemon):
    """Every trapping module many times over: the daemon is as large at the end as it was after the first rounds."""
    modules = [m for m in HOSTILE if m.expected in ((TRAPS,), (TRAPS, TOO_BIG), (ANSWERS,))]

    def round_of_all():
        for module in modules:
            register(api, module)
            for _ in range(3):
                api.post("/canary/_search", places(module)[0])
            api.delete("/api/v1/udfs/hostile")

    rounds = scaled(8, 4)
    sizes = []
    for _ in range(rounds):
        round_of_all()
        sizes.append(daemon.resident_bytes())
    # The first rounds fill pools and caches.
    assert sizes[-1] - max(sizes[:rounds // 2]) < (16 << 20) * SLOW_FACTOR, [size >> 20 for size in sizes]


# ---- mutations of good modules ---------------------------------------------------------------------------------------

GOOD = [
    (CHEAPER_WAT, {"kind": "filter", "abi": "typed", "parameters": PRICE_PARAMETERS}, {"limit": 20}),
    (DIVISIBLE_WAT, {"kind": "filter", "abi": "typed", "parameters": [
        {"name": "number", "type": "i64", "from": "_source.number"}, {"name": "by", "type": "i64", "default": 2}]}, {}),
    ("""(module (import "env" "get_field_f64" (func $f64 (param i64 i32 i32 i32) (result i32)))
      (import "env" "get_field_string" (func $string (param i64 i32 i32 i32 i32) (result i32)))
      (import "env" "log" (func $log (param i32 i32 i32)))
      (memory (export "memory") 1) (table 4 funcref) (elem (i32.const 0) $sum $filter)
      (data (i32.const 0) "numbertitleprice") (data (i32.const 100) "\\40\\00\\00\\00")
      (func $sum (param $from i32) (param $n i32) (result i32) (local $s i32)
        (block $done (loop $l (br_if $done (i32.eqz (local.get $n)))
          (local.set $s (i32.add (local.get $s) (i32.load8_u (local.get $from))))
          (local.set $from (i32.add (local.get $from) (i32.const 1)))
          (local.set $n (i32.sub (local.get $n) (i32.const 1))) (br $l))) (local.get $s))
      (func $filter (export "filter") (param $ctx i64) (result i32)
        (if (call $f64 (local.get $ctx) (i32.const 0) (i32.const 6) (i32.const 200)) (then (return (i32.const 0))))
        (drop (call $string (local.get $ctx) (i32.const 6) (i32.const 5) (i32.const 300) (i32.const 100)))
        (call $log (i32.const 1) (i32.const 300) (i32.const 8))
        (i32.and (i32.const 1) (call_indirect (param i32 i32) (result i32) (i32.const 300) (i32.load (i32.const 100))
          (i32.const 0)))))""", {"kind": "filter", "abi": "row"}, {}),
]


@pytest.fixture(scope="module")
def good_modules(tmp_path_factory):
    directory = tmp_path_factory.mktemp("good")
    out = []
    for i, (wat, manifest, params) in enumerate(GOOD):
        source, binary = directory / ("%d.wat" % i), directory / ("%d.wasm" % i)
        source.write_text(wat, encoding="ascii")
        subprocess.run(["wat2wasm", str(source), "-o", str(binary)], check=True)
        out.append((binary.read_bytes(), manifest, params))
    return out


def mutate(rng, good):
    """Some bytes changed, cut, doubled or moved, behind the header."""
    m = bytearray(good)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at, n = rng.randrange(8, len(m)), rng.randrange(1, 9)
        how = rng.randrange(5)
        if how == 0:
            m[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            m[at] = rng.choice((0, 1, 0x0b, 0x10, 0x20, 0x40, 0x7f, 0x80, 0xff, rng.randrange(256)))
        elif how == 2:
            del m[at:at + n]
        elif how == 3:
            m[at:at] = m[at:at + n]
        else:
            other = rng.randrange(8, len(m))
            m[at:at + n] = m[other:other + n]
        if len(m) < 10:
            break
    return bytes(m)


@pytest.mark.parametrize("seed", range(8))
def test_mutations_of_good_modules__never_harm(api, daemon, good_modules, seed):
    rng = random.Random(seed)
    accepted = 0
    for _ in range(scaled(100, 15)):
        good, manifest, params = rng.choice(good_modules)
        answer = api.post("/api/v1/udfs", {
            "name": "hostile", "version": "1.0.0", "limits": {"call_ms": CALL_MS}, **manifest,
            "wasm_base64": base64.b64encode(mutate(rng, good)).decode()})
        assert answer.status in (200, 201, 400, 403, 422, 500, 504), answer
        if answer.status not in (200, 201):
            assert answer.error["message"], answer
            continue
        accepted += 1
        test = api.post("/api/v1/udfs/hostile/test", {"document": {"number": 5, "title": "abc", "price": 1.5},
                                                      "parameters": params})
        assert test.status in (200, 400, 500, 504), test
        found = api.post("/canary/_search", {"query": {"wasm_udf": {"name": "hostile", "parameters": params}}})
        assert found.status in (200, 400, 500, 504), found
        api.ok("DELETE", "/api/v1/udfs/hostile")
    assert daemon.is_alive()
