# SPDX-License-Identifier: Apache-2.0
"""One filter in each of the four shapes, over columns and stored documents of several segments: the same answers."""
import pytest

DOCUMENTS = {str(i): {"price": i * 1.5, "stock": i, "flag": i % 2 == 0, "tags": ["a", "b", "t%d" % i][:1 + i % 3],
                      "at": 1700000000000 + i, "spot": {"lat": 40 + i / 10, "lon": 2}, "vendor": {"name": "v%d" % i}}
             for i in range(60)}
for i in range(0, 60, 7):
    for field in ("price", "stock", "flag", "at", "spot", "vendor"):
        del DOCUMENTS[str(i)][field]
MAPPING = {"price": {"type": "double"}, "stock": {"type": "long"}, "flag": {"type": "boolean"},
           "tags": {"type": "keyword"}, "at": {"type": "date"}, "spot": {"type": "geo_point"},
           "vendor": {"properties": {"name": {"type": "keyword"}}}}

HANDLE = """(module (import "env" "field_handle" (func $handle (param i32 i32) (result i32)))
 (import "env" "field_f64" (func $f64 (param i32) (result f64)))
 (import "env" "field_valid" (func $valid (param i32) (result i32)))
 (import "env" "field_count" (func $count (param i32) (result i32)))
 (memory (export "memory") 1) (data (i32.const 0) "%s") (global $h (mut i32) (i32.const 0))
 (func (export "_initialize") (global.set $h (call $handle (i32.const 0) (i32.const %d))))
 (func (export "filter") (param i64) (result i32)
  (i32.and (call $valid (global.get $h)) (f64.ge (call $f64 (global.get $h)) (f64.const %s))))
 (func (export "several") (param i64) (result i32) (i32.gt_u (call $count (global.get $h)) (i32.const 1))))"""
ROW = """(module (import "env" "get_field_f64" (func $f64 (param i64 i32 i32 i32) (result i32)))
 (memory (export "memory") 1) (data (i32.const 0) "%s")
 (func (export "filter") (param i64) (result i32)
  (if (call $f64 (local.get 0) (i32.const 0) (i32.const %d) (i32.const 64)) (then (return (i32.const 0))))
  (f64.ge (f64.load (i32.const 64)) (f64.const %s))))"""
TYPED = """(module (func (export "filter") (param f64) (result i32) (f64.ge (local.get 0) (f64.const %s))))"""
BATCH = """(module (memory (export "memory") 1) (func (export "filter") (param $n i32) (param $c i32) (param $o i32)
  (local $i i32) (local $a i32) (local $v i32) (local $r i32)
  (local.set $a (i32.load (local.get $c))) (local.set $v (i32.load offset=4 (local.get $c)))
  (local.set $r (i32.load (local.get $o)))
  (loop $l
   (i32.store (i32.add (local.get $r) (i32.shl (local.get $i) (i32.const 2)))
    (i32.and (f64.ge (f64.load (i32.add (local.get $a) (i32.shl (local.get $i) (i32.const 3)))) (f64.const %s))
     (if (result i32) (local.get $v)
      (then (i32.load8_u (i32.add (local.get $v) (local.get $i)))) (else (i32.const 1)))))
   (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))))"""
FIELDS = {"price": (30, lambda d: d.get("price")), "stock": (20, lambda d: d.get("stock")),
          "at": (1700000000030, lambda d: d.get("at")), "spot.lat": (43, lambda d: d.get("spot", {}).get("lat"))}


@pytest.fixture(scope="module", autouse=True)
def index(api):
    api.ok("PUT", "/shapes", {"mappings": {"properties": MAPPING}})
    keys = list(DOCUMENTS)
    for part in range(3):
        api.load("shapes", {key: DOCUMENTS[key] for key in keys[part::3]})


def register(api, name, wat, **manifest):
    body = {"name": name, "version": "1.0.0", "language": "wat", "source": wat, **manifest}
    api.ok("POST", "/api/v1/udfs", body, 201)


def found(api, name, **more):
    answer = api.ok("POST", "/shapes/_search", {"size": 100, "query": {"bool": {"filter": [
        {"wasm_udf": {"name": name, **more}}]}}})
    return {hit["_id"] for hit in answer["hits"]["hits"]}


@pytest.mark.parametrize("field", FIELDS)
def test_shapes_agree(api, field):
    least, value = FIELDS[field]
    expected = {key for key, doc in DOCUMENTS.items() if value(doc) is not None and value(doc) >= least}
    assert 0 < len(expected) < len(DOCUMENTS)
    parameters = [{"name": "x", "type": "f64", "from": "_source." + field}]
    stem = "shape_" + field.replace(".", "_")
    register(api, stem + "_row", ROW % (field, len(field), least))
    register(api, stem + "_handle", HANDLE % (field, len(field), least))
    register(api, stem + "_typed", TYPED % least, parameters=parameters)
    register(api, stem + "_batch", BATCH % least, kind="filter", parameters=parameters)
    for shape in ("row", "handle", "typed", "batch"):
        assert found(api, "%s_%s" % (stem, shape)) == expected, shape


def test_another_function_of_the_module_counts_values(api):
    register(api, "shape_tags", HANDLE % ("tags", 4, 0))
    expected = {key for key, doc in DOCUMENTS.items() if len(doc["tags"]) > 1}
    assert found(api, "shape_tags", function="several") == expected
    answer = api.call("POST", "/shapes/_search", {"query": {"wasm_udf": {"name": "shape_tags", "function": "no"}}})
    assert answer.status == 400 and "exports no function 'no'" in answer.text


def test_string_argument_and_string_result(api):
    register(api, "shape_echo", """(module (import "env" "set_result_string" (func $set (param i32 i32)))
     (memory (export "memory") 1) (func (export "filter") (param i32 i32) (call $set (local.get 0) (local.get 1))))""",
             returns=[{"type": "string"}], parameters=[{"name": "s", "type": "string", "from": "_source.vendor.name"}])
    answer = api.ok("POST", "/api/v1/udfs/shape_echo/test",
                    {"documents": [{"vendor": {"name": "Zoë"}}, {}, {"vendor": {"name": ""}}]})
    assert answer["results"] == ["Zoë", None, ""]
