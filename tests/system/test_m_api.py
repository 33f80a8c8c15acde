# SPDX-License-Identifier: Apache-2.0
"""The functions API: every route's real answers against the description, every code of its table, what goes on when a
client leaves."""
import base64
import hashlib
import http.client
import json
import pathlib
import re
import time

import openapi_spec_validator
import pytest

from described import Checked
from support import DIVISIBLE_WAT, ENDLESS, SLOW_FACTOR, deploy_divisible, deploy_hostile, multipart

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "functions-api.md"
PARAMETERS = [{"name": "number", "type": "i64", "from": "_source.number"}, {"name": "by", "type": "i64", "default": 2}]


def registration(version="1.0.0", source=DIVISIBLE_WAT, name="divisible", **more):
    return {"name": name, "version": version, "kind": "filter", "abi": "typed", "language": "wat", "source": source,
            "parameters": PARAMETERS, **more}


DESCRIBED = {"description": "divisible by a number", "tags": ["math"], "author": "tests"}
ROW = {"kind": "filter", "abi": "row", "parameters": []}


def row(body, imports="", **more):
    """A filter of the row shape with this body."""
    wat = '(module %s (func (export "filter") (param i64) (result i32) %s))' % (imports, body)
    return registration(source=wat, **{**ROW, **more})


@pytest.fixture(scope="module")
def checked(api):
    return Checked(api)


# ---- the description -------------------------------------------------------------------------------------------------

def test_description__is_valid_openapi(api):
    openapi_spec_validator.validate(api.ok("GET", "/api/v1/openapi.json"),
                                    cls=openapi_spec_validator.OpenAPIV31SpecValidator)


def test_description__schemas_refuse_what_is_wrong(checked):
    """The test's own net: a schema that takes everything would prove nothing."""
    schema = checked.description.validator({"$ref": "#/components/schemas/Versions"})
    good = {"name": "a", "versions": ["1.0.0"], "active_version": "1.0.0"}
    assert schema.is_valid(good)
    assert not schema.is_valid({**good, "more": 1}) and not schema.is_valid({**good, "versions": []})
    function = checked.description.validator({"$ref": "#/components/schemas/Function"})
    assert not function.is_valid({"name": "a"})


# ---- every route -----------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def versions(checked):
    """divisible in 1.0.0, 1.2.0 and 1.10.0, the last one active."""
    for version in ("1.0.0", "1.2.0", "1.10.0"):
        answer = checked.call("POST", "/api/v1/udfs", registration(version, **DESCRIBED))
        assert answer.status == 201 and answer.json["status"] == "active"
    return checked


BASE = "/api/v1/udfs/divisible"


@pytest.mark.parametrize("method, path, body", [
    ("POST", "/api/v1/udfs", registration(**DESCRIBED)),
    ("POST", "/api/v1/udfs/_validate", registration()),
    ("POST", "/api/v1/udfs/validate", registration()),
    ("POST", "/api/v1/udfs/_test", registration(test={"document": {"number": 4}})),
    ("GET", "/api/v1/udfs", None),
    ("GET", "/api/v1/udfs?tag=math&author=tests&q=number&page=1&size=5", None),
    ("GET", BASE, None),
    ("GET", BASE + "?version=1.0.0", None),
    ("GET", BASE + "/1.2.0", None),
    ("GET", BASE + "/versions", None),
    ("GET", BASE + "/history", None),
    ("GET", BASE + "/history?page=2&size=1", None),
    ("POST", BASE + "/activate", {"version": "1.2.0"}),
    ("POST", BASE + "/rollback", {}),
    ("POST", BASE + "/rollback", {"to": "1.10.0"}),
    ("POST", BASE + "/test", {"document": {"number": 4}}),
    ("POST", BASE + "/test", {"documents": [{"number": 4}, {"number": 5}, {}], "parameters": {"by": 5}}),
    ("GET", BASE + "/stats", None),
    ("GET", BASE + "/stats?version=1.0.0", None),
    ("GET", BASE + "/1.10.0/stats", None),
    ("POST", BASE + "/stats/reset?version=1.0.0", None),
    ("POST", BASE + "/1.10.0/stats/reset", None),
    ("GET", BASE + "/status", None),
    ("GET", BASE + "/1.0.0/status", None),
    ("GET", BASE + "/logs", None),
    ("GET", BASE + "/1.0.0/logs", None),
    ("GET", BASE + "/wasm", None),
    ("GET", BASE + "/1.0.0/wasm", None),
    ("POST", BASE + "/1.0.0/reinstate", None),
    ("GET", "/api/v1/audit", None),
    ("GET", "/api/v1/audit?udf=divisible&action=register&since=2020-01-01T00:00:00Z&size=1", None),
    ("GET", "/api/v1/audit/_verify", None),
    ("GET", "/api/v1/openapi.json", None),
])
def test_route__answers_as_described(versions, method, path, body):
    answer = versions.call(method, path, body)
    assert answer.status == 200, answer


def test_query__answers_as_described(versions, api):
    api.load("numbers", {str(i): {"number": i} for i in range(10)})
    answer = versions.call("POST", "/api/v1/query", {"index": "numbers", "size": 10,
                                                     "query": {"wasm_udf": {"name": "divisible",
                                                                            "parameters": {"by": 3}}}})
    assert sorted(hit["_id"] for hit in answer.json["hits"]["hits"]) == ["0", "3", "6", "9"]


def test_delete__answers_as_described(checked):
    for version in ("1.0.0", "2.0.0"):
        assert checked.call("POST", "/api/v1/udfs", registration(version, name="short_lived")).status == 201
    answer = checked.call("DELETE", "/api/v1/udfs/short_lived/2.0.0")
    assert answer.json == {"success": True, "message": "deleted short_lived@2.0.0"}
    answer = checked.call("DELETE", "/api/v1/udfs/short_lived")
    assert answer.json == {"success": True, "message": "deleted 1 version of short_lived"}
    assert checked.call("GET", "/api/v1/udfs/short_lived").status == 404


# ---- what the routes do ----------------------------------------------------------------------------------------------

def test_list__filters_and_pages(checked):
    for i in range(5):
        manifest = registration(name="page_%d" % i, tags=["paged"] + ["even"] * (i % 2 == 0), category="c%d" % (i % 2))
        assert checked.call("POST", "/api/v1/udfs", manifest).status == 201

    def names(query):
        answer = checked.call("GET", "/api/v1/udfs?" + query).json
        return [f["name"] for f in answer["udfs"]], answer["total"]

    assert names("tag=paged&size=2&page=2") == (["page_2", "page_3"], 5)
    assert names("tag=even&category=c0") == (["page_0", "page_2", "page_4"], 3)
    assert names("name=page_3") == (["page_3"], 1)
    assert names("tag=paged&page=9") == ([], 5)
    for query in ("page=0", "size=0", "size=1001", "size=x", "unknown=1"):
        assert checked.call("GET", "/api/v1/udfs?" + query).status == 400, query


def test_activate_and_rollback__move_the_alias(checked):
    base = "/api/v1/udfs/moving"
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        checked.call("POST", "/api/v1/udfs", registration(version, name="moving"))
    answer = checked.call("POST", "/api/v1/udfs", registration("3.0.0", name="moving", activate=False))
    assert answer.status == 201 and answer.json["status"] == "inactive"
    assert checked.call("GET", base).json["version"] == "2.0.0"
    moved = checked.call("POST", base + "/activate", {"version": "1.0.0"}).json
    assert moved == {"name": "moving", "active_version": "1.0.0", "previous_version": "2.0.0"}
    assert checked.call("POST", base + "/rollback", {}).json["active_version"] == "2.0.0"
    assert checked.call("POST", base + "/rollback").json["active_version"] == "1.1.0"
    assert checked.call("POST", base + "/rollback", {"to": "1.0.0"}).json["active_version"] == "1.0.0"
    history = checked.call("GET", base + "/history").json
    assert [(e["action"], e["version"]) for e in history["history"]][:4] == [
        ("rollback", "1.0.0"), ("rollback", "1.1.0"), ("rollback", "2.0.0"), ("activate", "1.0.0")]
    assert {e["by"] for e in history["history"]} == {"anonymous"}
    assert checked.call("GET", base + "/history?size=1&page=2").json["history"] == history["history"][1:2]
    for body in ({}, {"version": 1}, {"version": "1.0.0", "more": 1}, None):
        answer = checked.call("POST", base + "/activate", body)
        assert answer.status == 400 and answer.error["code"] == "INVALID_PARAMETERS", body


def test_empty_version__of_a_variable_that_is_not_set__moves_and_deletes_nothing(checked):
    base = "/api/v1/udfs/kept"
    for version in ("1.0.0", "2.0.0"):
        checked.call("POST", "/api/v1/udfs", registration(version, name="kept"))
    for path in ("/", "//", "?version=", "?version=1.0.0"):
        answer = checked.api.delete(base + path)
        assert answer.status == 400 and answer.error["details"] == {"field": "version"}, answer
    assert checked.api.delete(base + "/").error["message"] == (
        "version: empty; to delete all versions, send DELETE /api/v1/udfs/kept with nothing behind")
    answer = checked.call("POST", base + "/rollback", {"to": ""})
    assert answer.status == 400 and answer.error["details"] == {"field": "to"}, answer
    assert checked.call("GET", base + "/versions").json == {"name": "kept", "versions": ["1.0.0", "2.0.0"],
                                                            "active_version": "2.0.0"}


@pytest.mark.parametrize("path, status, field", [
    ("/api/v1/udfs/%ff", 400, "uri"), ("/api/v1/udfs/a%00b", 400, "uri"), ("/api/v1/udfs/a%2", 400, "uri"),
    ("/api/v1/nothing", 404, None), ("/api/v1/udfs?sise=3&page=1", 400, "sise")])
def test_malformed_path__says_what_of_it(checked, path, status, field):
    answer = checked.api.get(path)
    assert answer.status == status and answer.error["details"].get("field") == field, answer


def test_content_type__the_refusal_says_what_to_send(checked):
    for path, expected in (("", "send [application/json] or [multipart/form-data]"),
                           ("/f/activate", "send [application/json]")):
        answer = checked.api.call("POST", "/api/v1/udfs" + path, b"{}", {"Content-Type": "text/plain"})
        assert answer.status == 406, answer
        assert answer.error["message"] == "Content-Type header [text/plain] is not supported: " + expected


def test_conflict__names_function_and_version(checked):
    assert checked.call("POST", "/api/v1/udfs", registration(name="taken")).status == 201
    answer = checked.call("POST", "/api/v1/udfs", registration(name="taken", description="another"))
    assert answer.error["details"] == {"field": "version", "name": "taken", "version": "1.0.0"}


def test_wasm__is_what_was_sent_and_has_a_tag(checked):
    # One type (i64) -> i32, one function of it, exported as "filter", that gives 1.
    module = b"\0asm\x01\0\0\0" + bytes.fromhex("01060160017e017f 03020100"
                                                 "070a010666696c7465720000 0a060104004101 0b")
    answer = checked.call("POST", "/api/v1/udfs", {"name": "bytes", "version": "1.0.0", **ROW,
                                                   "wasm_base64": base64.b64encode(module).decode()})
    assert answer.status == 201, answer
    tag = '"%s"' % hashlib.sha256(module).hexdigest()
    answer = checked.call("GET", "/api/v1/udfs/bytes/1.0.0/wasm")
    assert answer.raw == module and answer.headers["ETag"] == tag
    for known in (tag, "*", '"other", ' + tag, "W/" + tag):
        answer = checked.call("GET", "/api/v1/udfs/bytes/wasm", headers={"If-None-Match": known})
        assert (answer.status, answer.raw, answer.headers["ETag"]) == (304, b"", tag), known
    assert checked.call("GET", "/api/v1/udfs/bytes/wasm", headers={"If-None-Match": '"other"'}).status == 200
    assert checked.api.call("HEAD", "/api/v1/udfs/bytes/wasm").headers["Content-Length"] == str(len(module))


def test_form__with_all_its_fields(checked):
    wat = row("(i32.const 1)")
    form = [("name", "formed"), ("version", "1.0.0"), ("wasm", wat["source"], "f.wat"), ("activate", "perhaps"),
            ("metadata", json.dumps(ROW))]
    body, content_type = multipart(form)
    answer = checked.call("POST", "/api/v1/udfs", body, {"Content-Type": content_type})
    assert answer.status == 400 and answer.error["details"] == {"field": "activate"}
    for field, value, message in (("signature", "[]", "signature: expected an object, got an array"),
                                  ("native_signature", "{", None), ("metadata2", "{}", None)):
        body, content_type = multipart(form[:3] + [(field, value)])
        answer = checked.call("POST", "/api/v1/udfs", body, {"Content-Type": content_type})
        assert answer.status == 400 and (message is None or answer.error["message"] == message), answer


def test_error_details__are_members_of_their_own(checked, api):
    api.load("details", {"it's 'one'": {"number": 1}})
    deploy_divisible(api, name="detailed")
    answer = checked.call("POST", "/api/v1/query", {"index": "details", "query": {
        "wasm_udf": {"name": "detailed", "parameters": {"by": 0}}}})
    assert answer.status == 500
    details = answer.error["details"]
    assert details["function"] == "detailed" and details["version"] == "1.0.0"
    assert details["document"] == "it's 'one'" and "divide by zero" in details["reason"]
    assert answer.error["message"].endswith(details["reason"])
    assert len(details["stack"]) == 1 and details["stack"][0].startswith("filter (func 0, offset 0x")
    answer = checked.call("GET", "/api/v1/udfs/detailed/7.0.0")
    assert answer.error["details"] == {"name": "detailed", "version": "7.0.0"}
    answer = checked.call("POST", "/api/v1/udfs/detailed/test", {"version": "8.0.0", "document": {}})
    assert answer.error["details"] == {"name": "detailed", "version": "8.0.0"}
    answer = checked.call("GET", "/api/v1/udfs/undetailed/7.0.0")
    assert answer.error["details"] == {"name": "undetailed", "version": "7.0.0"}
    for clause, details in (({"name": "detailed", "version": "9.0.0"}, {"name": "detailed", "version": "9.0.0"}),
                            ({"name": "undetailed"}, {"name": "undetailed", "version": None})):
        answer = checked.call("POST", "/api/v1/query", {"index": "details", "query": {"wasm_udf": clause}})
        assert answer.status == 404 and answer.error["code"] == "UDF_NOT_FOUND"
        found = answer.error["details"]
        assert {key: found[key] for key in details} == details and found["line"] == 1, found
    answer = checked.call("POST", "/api/v1/udfs", registration(source="(module\n  (func (oops)))"))
    assert answer.status == 422 and answer.error["details"]["line"] == 2


def wait_for_entries(checked, query):
    """Refusals are written by a thread, within about a second: asks until they are."""
    deadline = time.monotonic() + 30 * SLOW_FACTOR
    while not (answer := checked.call("GET", "/api/v1/audit?" + query).json)["total"]:
        assert time.monotonic() < deadline, "no entry for " + query
    return answer["entries"]


def test_audit__changes_and_refusals(checked, api):
    name = "audited"
    hashed = checked.call("POST", "/api/v1/udfs", registration(name=name)).json["hash"]
    entry, = checked.call("GET", "/api/v1/audit?udf=audited&action=register").json["entries"]
    assert (entry["actor"], entry["remote"], entry["outcome"], entry["version"], entry["hash"]) == (
        "anonymous", "127.0.0.1", "ok", "1.0.0", hashed)
    denied = row("(drop (call $random (i32.const 0) (i32.const 0))) (i32.const 1)", name="denied",
                 imports='(import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))')
    answer = checked.call("POST", "/api/v1/udfs", denied)
    assert answer.status in (201, 403), answer
    deploy_hostile(api, ENDLESS, name="endless", limits={"call_ms": 20})
    assert checked.call("POST", "/api/v1/udfs/endless/test", {"document": {}}).status == 504
    entry = wait_for_entries(checked, "udf=endless&action=call")[0]
    assert (entry["outcome"], entry["version"], entry["remote"]) == ("limited", "1.0.0", "127.0.0.1")
    assert "endless@1.0.0" in entry["detail"]
    for query in ("action=unknown", "since=yesterday", "size=0"):
        assert checked.call("GET", "/api/v1/audit?" + query).status == 400, query
    assert checked.call("GET", "/api/v1/audit/_verify").json["intact"] is True


# ---- every code ------------------------------------------------------------------------------------------------------

# Of a pair whose private half is lost: nothing can be signed by it.
PUBLIC_KEY = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAj23L2g7AgNQptrwSayppSqt2rfxAK66/OqXsgbDOeHA=
-----END PUBLIC KEY-----
"""


def register(body):
    return "POST", "/api/v1/udfs", body


def then(*calls):
    return calls


# Code of the table in docs/functions-api.md: settings of the daemon, and calls of which the last gives it.
CODES = {
    "UDF_NOT_FOUND": ({}, then(("GET", "/api/v1/udfs/nowhere", None))),
    "UDF_ALREADY_EXISTS": ({}, then(register(registration()), register(registration(description="another")))),
    "UDF_IN_USE": ({}, then(register(registration(name="base")),
                            register(registration(name="user", depends_on=[{"name": "base", "version": "1"}])),
                            ("DELETE", "/api/v1/udfs/base", None))),
    "INVALID_PARAMETERS": ({}, then(register(registration(version="one")))),
    "INVALID_WASM": ({}, then(register(row("(i64.const 1)")))),
    "COMPILATION_FAILED": ({}, then(register(row("(call $f) (i32.const 1)", '(import "env" "unheard_of" (func $f))')))),
    "PAYLOAD_TOO_LARGE": ({"udf.max_module_bytes": "1kb"},
                          then(register({"name": "f", "version": "1.0.0", "wasm_base64": "A" * 4096}))),
    "PERMISSION_DENIED": ({}, then(register(row("(drop (call $f (i64.const 0))) (i32.const 1)",
                                                '(import "env" "get_score" (func $f (param i64) (result f64)))',
                                                permissions=[])))),
    "SIGNATURE_INVALID": ({"trust.policy": "require", "trust.keys": "KEY"}, then(register(registration()))),
    "RATE_LIMITED": ({"rate_limit.delete_per_minute": 1}, then(("DELETE", "/api/v1/udfs/f", None),
                                                               ("DELETE", "/api/v1/udfs/f", None))),
    "REGISTRY_FULL": ({"udf.max_functions": 1}, then(register(registration()), register(registration("2.0.0")))),
    "EXECUTION_FAILED": ({}, then(register(registration()),
                                  ("POST", BASE + "/test", {"document": {"number": 1}, "parameters": {"by": 0}}))),
    "TIMEOUT": ({}, then(register(row(ENDLESS, limits={"call_ms": 10})), ("POST", BASE + "/test", {"document": {}}))),
    "MEMORY_LIMIT": ({}, then(register(row("(i32.const 1)", "(memory 17)", limits={"memory_bytes": 1 << 20})))),
    "UDF_QUARANTINED": ({"quarantine.failures": 1}, then(
        register(row("unreachable")), ("POST", "/a/_doc?refresh=true", {"n": 1}),
        *[("POST", "/api/v1/query", {"index": "a", "query": {"wasm_udf": {"name": "divisible"}}})] * 2)),
}


# Those that the audit log tells of: as what, with which outcome.
RECORDED = {"PERMISSION_DENIED": ("register", "denied"), "SIGNATURE_INVALID": ("register", "denied"),
            "RATE_LIMITED": ("delete", "limited"), "PAYLOAD_TOO_LARGE": ("register", "limited"),
            "TIMEOUT": ("call", "limited"), "MEMORY_LIMIT": ("register", "limited")}


def described_codes():
    """{code: HTTP status} of the table in the documentation."""
    return {code: int(status) for code, status in re.findall(r"^\| ([A-Z_]+) \| ([0-9]{3}) \|", DOCS.read_text(), re.M)}


def test_every_code_of_the_documentation__has_a_case():
    assert set(described_codes()) == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_code(make_daemon, tmp_path, code):
    settings, calls = CODES[code]
    (tmp_path / "key.pem").write_text(PUBLIC_KEY)
    settings = {key: tmp_path / "key.pem" if value == "KEY" else value for key, value in settings.items()}
    checked = Checked(make_daemon(settings).api)
    for method, path, body in calls:
        answer = checked.call(method, path, body)
    assert answer.status == described_codes()[code] and answer.error["code"] == code, answer
    assert answer.error["message"]
    if code in RECORDED:
        entry, = wait_for_entries(checked, "action=" + RECORDED[code][0])[:1]
        assert (entry["action"], entry["outcome"], entry["count"]) == (*RECORDED[code], 1)
        assert entry["detail"] == answer.error["message"]


# ---- clients that leave ----------------------------------------------------------------------------------------------

QUERY = {"query": {"wasm_udf": {"name": "hostile"}}}


@pytest.mark.parametrize("path, body", [
    ("/api/v1/udfs/hostile/test", {"document": {"n": 1}}),
    ("/api/v1/udfs/_test", row(ENDLESS, limits={"call_ms": 600000}, test={"document": {"n": 1}})),
    ("/api/v1/query", {"index": "a", **QUERY}),
    ("/a/_search", QUERY),
    ("/a/_count", QUERY),
])
def test_client_that_leaves__its_function_stops(make_daemon, path, body):
    """The only thread that searches is free for the next one, long before the function's own ten minutes."""
    daemon = make_daemon({"search.threads": 1, "udf.call_ms": 600000})
    api = daemon.api
    api.load("a", {"1": {"n": 1}})
    deploy_hostile(api, ENDLESS, limits={"call_ms": 600000})
    leaving = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)
    leaving.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    busy = re.compile(r'^quidditch_udf_pool_instances\{state="busy"\} 1$', re.M)
    while not busy.search(api.get("/metrics").text):
        pass
    leaving.close()
    assert api.search("a", {"match_all": {}})["hits"]["total"]["value"] == 1
    assert "TIMEOUT" not in api.ok("GET", "/api/v1/udfs/hostile/stats")["statistics"]["errors_by_type"]
