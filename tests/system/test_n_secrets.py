# SPDX-License-Identifier: Apache-2.0
"""What a function leaves behind in one query, it must not find in the next: planters fill all that they can reach,
seekers look everywhere. Both are one module, so that they share whatever a function's own pools keep."""
import pytest

from support import scaled

pytestmark = pytest.mark.usefixtures("canary", "still_exact")

SECRET = 0x5ec2e75ec2e75ec2
BYTES = 2 << 20                    # of the memory, after growing
ROUNDS = scaled(20, 6)

# $plant fills memory, a global and a table; $seek says whether anything of it is there. The secret is made of its
# complement, so that the constant itself, which may lie in memory, is not taken for it.
KEEPERS = """(memory (export "memory") 2) (global $g (mut i64) (i64.const 0)) (table $t 4 funcref)
  (elem declare func $plant)
  (func $secret (result i64) (i64.xor (i64.const %d) (i64.const -1)))
  (func $plant (param $from i32) (local $i i32)
    (drop (memory.grow (i32.const 30))) (local.set $i (local.get $from))
    (loop $l (i64.store (local.get $i) (call $secret)) (local.set $i (i32.add (local.get $i) (i32.const 8)))
      (br_if $l (i32.lt_u (local.get $i) (i32.const %d))))
    (global.set $g (call $secret)) (table.set $t (i32.const 3) (ref.func $plant)))
  (func $seek (result i32) (local $i i32) (local $found i32)
    (drop (memory.grow (i32.const 30)))
    (loop $l
      (local.set $found (i32.or (local.get $found) (i64.eq (i64.load (local.get $i)) (call $secret))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $l (i32.lt_u (local.get $i) (i32.const %d))))
    (i32.or (local.get $found) (i32.or (i64.ne (global.get $g) (i64.const 0))
      (i32.eqz (ref.is_null (table.get $t (i32.const 3)))))))""" % (SECRET ^ (1 << 64) - 1, BYTES, BYTES - 8)

MODE = {"name": "plants", "type": "bool", "default": False}
TITLE = {"name": "title", "type": "string", "from": "_source.title"}
# Looks once per instance: a block has the same answer for all its documents.
ONCE = "(global $looked (mut i32) (i32.const -1))"
LOOK = "(if (i32.eq (global.get $looked) (i32.const -1)) (then (global.set $looked (call $seek))))"
# The planter sees what it has planted: a seeker that finds nothing anywhere would fail here.
PLANT = LOOK.replace("(then ", "(then (call $plant (i32.const 64)) ")
AGGREGATE = """(module %s %s
  (func (export "f_init") (result i32) %s (i32.const 64))
  (func (export "f_update") (param $state i32) (param $plants i32)
    (if (local.get $plants) (then (call $plant (i32.const 64)))))
  (func (export "f_merge") (param i32 i32 i32))
  (func (export "f_serialize") (param i32) (result i64) (i64.const 0x4000000008))
  (func (export "f_finish") (param i32) (result f64) (f64.convert_i32_s (global.get $looked))))""" % (
      KEEPERS, ONCE, LOOK)
FILTERS = {
    "row": ("""(module (import "env" "get_param_bool" (func $param (param i32 i32 i32) (result i32)))
      %s %s (data (i32.const 0) "plants") (func (export "f") (param i64) (result i32)
      (drop (call $param (i32.const 0) (i32.const 6) (i32.const 16)))
      (if (i32.load (i32.const 16)) (then %s) (else %s)) (global.get $looked)))"""
            % (KEEPERS, ONCE, PLANT, LOOK), [MODE]),
    "typed": ("""(module %s %s (func (export "f") (param $plants i32) (result i32)
      (if (local.get $plants) (then %s) (else %s)) (global.get $looked)))"""
              % (KEEPERS, ONCE, PLANT, LOOK), [MODE]),
    "typed with strings": (
        """(module %s %s (func (export "f") (param $at i32) (param $n i32) (param $plants i32) (result i32)
      (if (local.get $plants) (then %s) (else %s)) (global.get $looked)))"""
        % (KEEPERS, ONCE, PLANT, LOOK), [TITLE, MODE]),
    "batch": ("""(module %s %s (func (export "f") (param $n i32) (param $columns i32) (param $out i32)
      (local $to i32) (local $end i32) (local $valid i32) (local.set $valid (i32.load offset=4 (local.get $out)))
      (local.set $to (i32.load (local.get $out)))
      (local.set $end (i32.add (local.get $to) (i32.shl (local.get $n) (i32.const 2))))
      (if (i32.load (i32.load offset=16 (local.get $columns))) (then %s
        (memory.fill (local.get $valid) (i32.const 1) (local.get $n))) (else %s))
      (loop $l (i32.store (local.get $to) (global.get $looked))
        (local.set $to (i32.add (local.get $to) (i32.const 4)))
        (br_if $l (i32.lt_u (local.get $to) (local.get $end))))))""" % (KEEPERS, ONCE, PLANT, LOOK), [TITLE, MODE]),
}
# Enough other code that the baseline compiler's is used first.
PADDING = "".join("(func (param i32) (result i32) %s (local.get 0))" % "".join(
    "(local.set 0 (i32.mul (i32.add (local.get 0) (i32.const %d)) (i32.const %d)))" % (i, i + j) for j in range(60))
    for i in range(200))


def plant_and_seek(api, query_of, plants=30):
    """query_of(parameters) alternates; the planter matches all, the seeker nothing."""
    for _ in range(ROUNDS):
        assert len(api.ids("canary", query_of({"plants": True}))) == plants
        assert api.ids("canary", query_of({"plants": False})) == []


def use(parameters, name="keeper"):
    return {"wasm_udf": {"name": name, "parameters": parameters}}


@pytest.fixture
def forget(api):
    """Deletes what the test has deployed, the last first."""
    names = []
    yield names.append
    for name in reversed(names):
        api.ok("DELETE", "/api/v1/udfs/" + name)


@pytest.mark.parametrize("shape", FILTERS)
def test_secret__is_nowhere_in_the_next_query(api, forget, shape):
    wat, parameters = FILTERS[shape]
    api.deploy("keeper", wat, kind="filter", abi=shape.split()[0], function_name="f", parameters=parameters)
    forget("keeper")
    plant_and_seek(api, use)


def test_secret__is_nowhere_in_another_function(api, forget):
    wat, parameters = FILTERS["batch"]
    for name in ("planter", "seeker"):
        api.deploy(name, wat, kind="filter", abi="batch", function_name="f", parameters=parameters)
        forget(name)
    for _ in range(ROUNDS):
        api.ids("canary", use({"plants": True}, "planter"))
        assert api.ids("canary", use({"plants": False}, "seeker")) == []


def test_secret_in_the_baseline_tier__is_nowhere_in_the_next_query(api, forget):
    wat, parameters = FILTERS["typed"]
    tiers = set()
    for round_ in range(scaled(6, 2)):
        name = "keeper_%d" % round_
        api.deploy(name, wat[:-1] + PADDING + ")", kind="filter", abi="typed", function_name="f", parameters=parameters)
        forget(name)
        for _ in range(3):
            assert len(api.ids("canary", use({"plants": True}, name))) == 30
            assert api.ids("canary", use({"plants": False}, name)) == []
            status = api.ok("GET", "/api/v1/udfs/%s/1.0.0/status" % name)
            tiers |= {node["tier"] for node in status["nodes"]}
    assert "baseline" in tiers


# ---- strings and columns of others ----------------------------------------------------------------------------------

# The text itself is the secret: it is a parameter, and lies in the area. f says whether four bytes of it are anywhere
# but where this query's own argument lies.
READER = """(module (memory (export "memory") 1)
  (func (export "f") (param $at i32) (param $n i32) (result i32) (local $i i32) (local $found i32)
    (loop $l
      (local.set $found (i32.or (local.get $found) (i32.eq (i32.load (local.get $i)) (i32.const 0x54534554))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $l (i32.lt_u (local.get $i) (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4)))))
    (local.get $found)))"""


def test_string_of_another_query__is_nowhere_in_memory(api, forget):
    api.deploy("keeper", READER, kind="filter", abi="typed", function_name="f",
               parameters=[{"name": "text", "type": "string", "required": True}])
    forget("keeper")
    for _ in range(ROUNDS):
        assert len(api.ids("canary", use({"text": "TEST" * 1000}))) == 30
        assert api.ids("canary", use({"text": "x"})) == []


HANDLES = """(module (import "env" "field_handle" (func $handle (param i32 i32) (result i32)))
  (import "env" "field_f64" (func $f64 (param i32) (result f64)))
  (import "env" "field_valid" (func $valid (param i32) (result i32)))
  (import "env" "score" (func $score (result f64)))
  (import "env" "get_param_bool" (func $param (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1) (data (i32.const 0) "plantsnumberprice")
  (func (export "f") (param i64) (result i32) (local $h i32) (local $found i32)
    (drop (call $param (i32.const 0) (i32.const 6) (i32.const 64)))
    (if (i32.load (i32.const 64)) (then
      (drop (call $handle (i32.const 6) (i32.const 6))) (drop (call $handle (i32.const 12) (i32.const 5)))
      (return (i32.and (call $valid (i32.const 0)) (call $valid (i32.const 1))))))
    (loop $l (local.set $found (i32.or (local.get $found) (i32.or (call $valid (local.get $h))
        (f64.ne (call $f64 (local.get $h)) (f64.const 0)))))
      (local.set $h (i32.add (local.get $h) (i32.const 1))) (br_if $l (i32.lt_u (local.get $h) (i32.const 64))))
    (local.get $found)))"""


def test_columns_of_another_query__are_not_read_by_handles_that_were_never_given(api, forget):
    api.deploy("keeper", HANDLES, kind="filter", abi="handle", function_name="f", parameters=[MODE])
    forget("keeper")
    plant_and_seek(api, use)


# ---- aggregates and dependencies ------------------------------------------------------------------------------------

def test_state_of_an_aggregate__is_nowhere_in_the_next_one(api, forget):
    api.deploy("keeper", AGGREGATE, kind="aggregate", abi="typed", function_name="f", parameters=[MODE])
    forget("keeper")
    for _ in range(ROUNDS):
        for plants in (True, False):
            found = api.ok("POST", "/canary/_search", {"size": 0, "aggs": {"x": use({"plants": plants})}})
            assert found["aggregations"]["x"]["value"] == 0
    # And between the parts of one test call, of which each has a state of its own.
    answer = api.ok("POST", "/api/v1/udfs/keeper/test", {"documents": [{}] * 40, "split": 8,
                                                         "parameters": {"plants": True}})
    assert answer["result"] == 0


KEEPER = """(module (memory 1) (global $g (mut i64) (i64.const 0))
  (func (export "keep") (param i64) (i64.store (i32.const 8) (local.get 0)) (global.set $g (local.get 0)))
  (func (export "recall") (result i64) (i64.or (i64.load (i32.const 8)) (global.get $g)))
  (func (export "filter") (param i64) (result i32) (i32.const 1)))"""
ASKER = """(module (import "keeper" "keep" (func $keep (param i64)))
  (import "keeper" "recall" (func $recall (result i64)))
  (func (export "f") (param $plants i32) (result i32)
    (if (local.get $plants) (then (call $keep (i64.const %d)) (return (i64.ne (call $recall) (i64.const 0)))))
    (i64.ne (call $recall) (i64.const 0))))""" % SECRET


def test_secret_in_a_dependency__is_nowhere_in_the_next_query_nor_for_others_that_need_it(api, forget):
    api.deploy("keeper", KEEPER, kind="filter", abi="row")
    forget("keeper")
    for name in ("asker", "other"):
        api.deploy(name, ASKER, kind="filter", abi="typed", function_name="f", parameters=[MODE],
                   depends_on=[{"name": "keeper", "version": "1"}])
        forget(name)
    for _ in range(ROUNDS):
        assert len(api.ids("canary", use({"plants": True}, "asker"))) == 30
        assert api.ids("canary", use({"plants": False}, "asker")) == []
        assert api.ids("canary", use({"plants": False}, "other")) == []
