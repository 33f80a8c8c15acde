# SPDX-License-Identifier: Apache-2.0
"""What authors of functions work with: projects from templates, compilers, SDKs, and the whole life of a version."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from daemon import BUILD
from support import SLOW_FACTOR

ROOT = pathlib.Path(__file__).resolve().parents[2]
QCTL = (BUILD / "bin" / "qctl").resolve()
GUESTS = ROOT / "tests" / "unit" / "wasm"
# The formula of the typed template, and another one for the second version.
SOURCES = {"c": ("{name}.c", "(1 + boost", "(2 + boost"),
           "rust": ("src/lib.rs", "(1.0 + boost", "(2.0 + boost"),
           "assemblyscript": ("assembly/index.ts", "(1 + boost", "(2 + boost"),
           "wat": ("{name}.wat", "(f64.const 1)", "(f64.const 2)"),
           "go": ("{name}.go", "(1 + boost", "(2 + boost")}
# Other people's compilers and their large modules are the release build's; a sanitizer learns nothing from them that it
# does not from small ones.
IS_SANITIZED = SLOW_FACTOR > 1
LANGUAGES = ["c", "wat"] if IS_SANITIZED else list(SOURCES)
SDK_GUESTS = [("c", "sdk_guest.c"), ("rust", "sdk_guest.rs"), ("assemblyscript", "sdk_guest.ts"),
              ("go", "sdk_guest.go")][:2 if IS_SANITIZED else 4]
COMPILERS = {"rust": ("WASM32_RUSTC", "setup-rust-wasm32"), "assemblyscript": ("ASC", "setup-assemblyscript"),
             "go": ("GO", "setup-go")}


def compiler(language):
    """The environment in which a project of that language finds its compiler. Only Go's may be missing."""
    if language not in COMPILERS:
        return {}
    variable, script = COMPILERS[language]
    found = subprocess.run([ROOT / "scripts" / script, "--print"], capture_output=True, text=True, check=False)
    if found.returncode != 0 and language == "go":
        pytest.skip("no Go 1.24 here (scripts/setup-go)")
    assert found.returncode == 0, found.stderr
    return {variable: found.stdout.strip()}


class Done:
    def __init__(self, process):
        self.status, self.out, self.err = process.returncode, process.stdout, process.stderr

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def qctl(api, tmp_path):
    def call(*words, status=0, cwd=tmp_path, **environment):
        environment = {**os.environ, "QCTL_URL": "http://%s:%d" % (api.host, api.port), **environment}
        process = subprocess.run([QCTL, *map(str, words)], env=environment, cwd=cwd, capture_output=True, text=True,
                                 timeout=300, check=False)
        assert process.returncode == status, "%r: %d\n%s%s" % (words, process.returncode, process.stdout,
                                                               process.stderr)
        return Done(process)
    return call


@pytest.fixture
def offline(tmp_path):
    """qctl without any server."""
    def call(*words, status=0, cwd=tmp_path, **environment):
        environment = {**os.environ, "QCTL_URL": "http://127.0.0.1:1", **environment}
        process = subprocess.run([QCTL, *map(str, words)], env=environment, cwd=cwd, capture_output=True, text=True,
                                 timeout=300, check=False)
        assert process.returncode == status, "%r: %d\n%s%s" % (words, process.returncode, process.stdout,
                                                               process.stderr)
        return Done(process)
    return call


def raise_version(project, version):
    manifest = json.loads((project / "manifest.json").read_text())
    manifest["version"] = version
    (project / "manifest.json").write_text(json.dumps(manifest))


def replace_in(path, before, after):
    text = path.read_text()
    assert text.count(before) == 1, "%s: %r" % (path, before)
    path.write_text(text.replace(before, after))


# ---- a project's whole life, in every language -----------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_project__from_template_to_rollback(api, qctl, index, tmp_path, language):
    name, environment = "life_" + language, compiler(language)
    project = tmp_path / name
    assert "made %s" % name in qctl("udf", "init", name, "--lang", language).out
    assert "built %s/%s.wasm" % (name, name) in qctl("udf", "build", name, **environment).out
    assert (project / (name + ".wasm")).read_bytes()[:4] == b"\0asm"
    assert qctl("udf", "test", "./" + name, "--here").out.endswith("3 of 3 cases passed\n")
    assert qctl("udf", "test", "./" + name).out.endswith("3 of 3 cases passed\n")
    assert qctl("udf", "deploy", name).out.startswith("deployed %s 0.1.0" % name)

    api.load(index, {"a": {"title": "broom", "popularity": 10}, "b": {"title": "broom"}})

    def scores():
        query = {"script_score": {"query": {"match_all": {}}, "script": {"lang": "wasm", "source": name}}}
        return api.scores(index, query)

    assert scores() == {"a": pytest.approx(2), "b": pytest.approx(1)}

    source, before, after = SOURCES[language]
    replace_in(project / source.format(name=name), before, after)
    raise_version(project, "0.2.0")
    qctl("udf", "build", name, **environment)
    assert "FAIL  relevance alone: 6, expected 3" in qctl("udf", "test", "./" + name, "--here", status=37).out
    qctl("udf", "deploy", name)
    assert scores() == {"a": pytest.approx(3), "b": pytest.approx(2)}
    assert qctl("udf", "versions", name).out == "0.1.0\n0.2.0  active\n"

    assert qctl("udf", "rollback", name).out == "%s: active is 0.1.0 (before: 0.2.0)\n" % name
    assert scores() == {"a": pytest.approx(2), "b": pytest.approx(1)}
    assert qctl("udf", "versions", name).out == "0.1.0  active\n0.2.0\n"
    assert qctl("udf", "activate", name + "@0.2.0").out == "%s: active is 0.2.0 (before: 0.1.0)\n" % name
    assert scores() == {"a": pytest.approx(3), "b": pytest.approx(2)}
    history = qctl("udf", "history", name, "--json").json["history"]
    assert [(h["action"], h["version"]) for h in history] == [
        ("activate", "0.2.0"), ("rollback", "0.1.0"), ("register", "0.2.0"), ("register", "0.1.0")]

    status = qctl("udf", "status", name, "--json").json
    assert (status["name"], status["version"]) == (name, "0.2.0") and status["nodes"][0]["tier"] in (
        "baseline", "optimized")
    assert qctl("udf", "status", name).out.startswith("%s 0.2.0: " % name)
    statistics = qctl("udf", "stats", name + "@0.1.0", "--json").json["statistics"]
    assert statistics["document_count"] == 4 and statistics["error_count"] == 0
    assert "document_count" in qctl("udf", "stats", name).out

    qctl("udf", "wasm", name + "@0.2.0", "--out", "copy.wasm")
    assert (tmp_path / "copy.wasm").read_bytes() == (project / (name + ".wasm")).read_bytes()


@pytest.mark.parametrize("language", LANGUAGES)
def test_project__of_the_other_shapes__passes_its_cases(offline, language):
    environment = compiler(language)
    for shape, n in (("row", 6), ("handle", 3), ("batch", 3)):
        name = "%s_%s" % (shape, language)
        offline("udf", "init", name, "--lang", language, "--abi", shape)
        offline("udf", "build", name, **environment)
        assert offline("udf", "test", "./" + name, "--here").out.endswith("%d of %d cases passed\n" % (n, n))
    measured = offline("udf", "bench", name, "--ms", "20", "--json").json
    assert measured["abi"] == "batch" and measured["host_calls_per_document"] < 0.01


# What a search makes of documents with a function of each kind, as it comes from its template.
def search_filter(api, index, name):
    return set(api.ids(index, {"wasm_udf": {"name": name, "parameters": {"limit": 10}}}))


def search_transform(api, index, name):
    answer = api.ok("POST", "/%s/_search" % index, {"script_fields": {"start": {"script": {
        "source": name, "params": {"length": 3}}}}})
    return {hit["_id"]: hit["fields"]["start"] for hit in answer["hits"]["hits"]}


def search_aggregate(api, index, name):
    answer = api.ok("POST", "/%s/_search" % index, {"size": 0, "aggs": {"mean": {"wasm_udf": {"name": name}}}})
    return answer["aggregations"]["mean"]["value"]


KINDS = {"filter": (search_filter, {"a", "c"}, 5),
         "transform": (search_transform, {"a": ["red"], "b": ["Łód"], "c": [None]}, 5),
         "aggregate": (search_aggregate, pytest.approx(12), 5)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_project__of_each_kind__is_built_tested_deployed_and_used(api, qctl, index, tmp_path, language, kind):
    name, environment = "%s_%s" % (kind, language), compiler(language)
    search, expected, n = KINDS[kind]
    made = qctl("udf", "init", name, "--lang", language, "--kind", kind).out
    article = "an" if kind == "aggregate" else "a"
    assert made.startswith("made %s: %s %s in %s, of the typed shape\n" % (name, article, kind, language))
    qctl("udf", "build", name, **environment)
    for words in ((name, "--here"), ("./" + name,)):
        assert qctl("udf", "test", *words).out.endswith("%d of %d cases passed\n" % (n, n))
    assert qctl("udf", "bench", name, "--ms", "20", "--json").json["kind"] == kind
    qctl("udf", "deploy", name)
    api.load(index, {"a": {"title": "red broom", "price": 10}, "b": {"title": "Łódź", "price": 20}})
    api.load(index, {"c": {"price": 6}})  # another segment
    assert search(api, index, name) == expected


def expected_of_guest(document, identity, parameters, score):
    """What tests/unit/wasm/sdk_guest.* compute."""
    return (document["price"] + document["stock"] + document["flag"] + parameters["boost"] + parameters["limit"]
            + parameters["fuzzy"] + score + len(document["name"]) + len(identity) + len(parameters["target"]) + 3)


@pytest.mark.parametrize("language, guest", SDK_GUESTS)
def test_sdk__with_every_wrapper__answers_from_the_daemon(api, qctl, tmp_path, language, guest):
    name = "sdk_" + language
    qctl("udf", "init", name, "--lang", language, "--abi", "row")
    source = tmp_path / name / SOURCES[language][0].format(name=name)
    shutil.copy(GUESTS / guest, source)
    parameters = [{"name": "boost", "type": "f64"}, {"name": "limit", "type": "i64"}, {"name": "fuzzy", "type": "bool"},
                  {"name": "target", "type": "string"}]
    (tmp_path / name / "manifest.json").write_text(json.dumps({
        "name": name, "version": "1.0.0", "function_name": "f", "kind": "score", "abi": "row", "parameters": parameters,
        "permissions": ["read_document", "read_score", "log"]}))
    qctl("udf", "build", name, **compiler(language))
    qctl("udf", "deploy", name)
    document = {"price": 1.5, "stock": 30, "flag": True, "name": "doc4"}
    values = {"boost": 2.5, "limit": 42, "fuzzy": True, "target": "postgresql"}

    def call(document):
        return api.ok("POST", "/api/v1/udfs/%s/test" % name,
                      {"document": document, "parameters": values, "score": 7, "id": "id4"})

    answer = call(document)
    assert answer["result"] == pytest.approx(expected_of_guest(document, "id4", values, 7)) and answer["logs"] == []
    assert call({**document, "stock": 40})["result"] is None
    del document["price"]
    answer = api.post("/api/v1/udfs/%s/test" % name, {"document": document, "parameters": values})
    assert answer.status == 500 and "returned -1.0; a score must be" in answer.error["message"]
    with_batch = json.loads((tmp_path / name / "manifest.json").read_text())
    with_batch.update(version="2.0.0", function_name="batch", abi="batch",
                      parameters=[{"name": "relevance", "type": "f64", "from": "_score"},
                                  {"name": "price", "type": "f64", "from": "_source.price"}])
    (tmp_path / name / "manifest.json").write_text(json.dumps(with_batch))
    qctl("udf", "deploy", name)
    documents = [{"price": n / 2} for n in range(200)] + [{}]
    results = api.ok("POST", "/api/v1/udfs/%s/test" % name,
                     {"version": "2.0.0", "documents": documents, "score": 3})
    assert results["results"] == [pytest.approx(n * 1.5) for n in range(200)] + [None]


def test_deploy__inactive__leaves_the_active_version(qctl, tmp_path):
    for name, source in (("quiet_text", "x.wat"), ("quiet_binary", "x.wasm")):
        qctl("udf", "init", name, "--lang", "wat")
        qctl("udf", "build", name)
        (tmp_path / name / (name + ".wasm")).rename(tmp_path / name / "x.wasm")
        (tmp_path / name / (name + ".wat")).rename(tmp_path / name / "x.wat")
        deploy = ("udf", "deploy", "%s/%s" % (name, source), "--manifest", name + "/manifest.json")
        qctl(*deploy)
        out = qctl(*deploy, "--version", "0.2.0", "--inactive").out
        assert "it is not the active version: qctl udf activate %s@0.2.0\n" % name in out
        assert qctl("udf", "versions", name).out == "0.1.0  active\n0.2.0\n"


# ---- what can go wrong -----------------------------------------------------------------------------------------------


def test_init__bad_words__say_what_is_expected(offline, tmp_path):
    assert "'Upper' is no name of a function" in offline("udf", "init", "Upper", "--lang", "c", status=2).err
    err = offline("udf", "init", "x", "--lang", "cobol", status=2).err
    assert "no template for the language 'cobol'; there is one for: c, rust, assemblyscript, wat, go" in err
    assert "which language? Give --lang" in offline("udf", "init", "x", status=2).err
    assert "expected one of typed, handle, batch, row; got 'colum'" in offline(
        "udf", "init", "x", "--lang", "c", "--abi", "colum", status=2).err
    assert "expected one of score, filter, transform, aggregate; got 'window'" in offline(
        "udf", "init", "x", "--lang", "c", "--kind", "window", status=2).err
    assert "no template for the kind 'transform' in the shape 'batch'; there is one in: typed" in offline(
        "udf", "init", "x", "--lang", "c", "--kind", "transform", "--abi", "batch", status=2).err
    assert list(tmp_path.iterdir()) == []


def test_init__kind_or_shape_alone__chooses_the_other(offline):
    chosen = [((), "score", "typed"), (("--kind", "filter"), "filter", "typed"), (("--abi", "row"), "filter", "row"),
              (("--abi", "batch"), "score", "batch"), (("--kind", "filter", "--abi", "row"), "filter", "row")]
    for i, (options, kind, shape) in enumerate(chosen):
        made = offline("udf", "init", "x%d" % i, "--lang", "wat", "--json", *options).json
        assert made == {"name": "x%d" % i, "language": "wat", "kind": kind, "abi": shape}


def test_init__directory_in_use__is_left_alone(offline, tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "notes.txt").write_text("mine")
    assert "'x' is not empty (it holds 'notes.txt')" in offline("udf", "init", "x", "--lang", "c", status=11).err
    assert [p.name for p in (tmp_path / "x").iterdir()] == ["notes.txt"]
    offline("udf", "init", "x", "--lang", "wat", "--dir", "deep/er")
    assert (tmp_path / "deep" / "er" / "x.wat").exists()


@pytest.mark.parametrize("language, variable, what", [
    ("c", "CLANG", "no C compiler for wasm32: install clang and lld"),
    ("go", "GO", "no Go compiler: install Go 1.24 or newer"),
])
def test_build__compiler_missing__says_what_to_install(offline, language, variable, what):
    offline("udf", "init", "x", "--lang", language)
    err = offline("udf", "build", "x", status=34, **{variable: "no-such-compiler"}).err
    assert "qctl: building 'x': " + what in err


def test_build__compiler_missing__rust_and_assemblyscript_say_so_too(offline, tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("sh", "dirname", "ls", "mkdir"):
        (tools / tool).symlink_to(shutil.which(tool))
    for language, what in (("rust", "no rustc with the target wasm32-unknown-unknown: rustup target add"),
                           ("assemblyscript", "no AssemblyScript compiler: install node and npm")):
        offline("udf", "init", "in_" + language, "--lang", language)
        err = offline("udf", "build", "in_" + language, status=34, PATH=str(tools), HOME=str(tmp_path),
                      XDG_CACHE_HOME=str(tmp_path), WASM32_RUSTC="", ASC="").err
        assert what in err


def test_build__source_errors__end_with_the_compilers_words(offline, tmp_path):
    offline("udf", "init", "x", "--lang", "c")
    (tmp_path / "x" / "x.c").write_text("int broken(")
    done = offline("udf", "build", "x", status=34)
    assert "x.c:1:12: error:" in done.err and "qctl: building 'x': " in done.err
    offline("udf", "init", "y", "--lang", "wat")
    (tmp_path / "y" / "y.wat").write_text("(module\n  (func (export \"score\") (result f64) (i32.const 1)")
    assert "qctl: y/y.wat:2:" in offline("udf", "build", "y", status=33).err
    assert not (tmp_path / "y" / "y.wasm").exists()


def test_build__nothing_to_build__says_so(offline, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "holds neither a build.sh nor one .wat file" in offline("udf", "build", "empty", status=11).err
    assert "cannot open 'nowhere'" in offline("udf", "build", "nowhere", status=13).err
    (tmp_path / "file").write_text("")
    assert "'file' is not a project's directory" in offline("udf", "build", "file", status=11).err


def test_here__registered_name__is_no_path(offline):
    assert "'x' is no directory and no module file here" in offline("udf", "test", "x", "--here", status=2).err
    for option in ("--manifest", "--name", "--version", "--function"):
        refused = offline("udf", "test", "x", "--document", "{}", option, "y", status=2).err
        assert "option %s: 'x' is no directory and no module file" % option in refused


# ---- bench -----------------------------------------------------------------------------------------------------------


def test_bench__project__measures_its_cases(offline):
    offline("udf", "init", "x", "--lang", "wat", "--abi", "row")
    offline("udf", "build", "x")
    done = offline("udf", "bench", "x", "--ms", "50", "--json").json
    assert (done["name"], done["kind"], done["abi"]) == ("x@0.1.0", "filter", "row")
    assert done["documents_from"] == "cases.json" and done["documents"] == 5
    # A price of another type is none for an index: 3 of 5 cases have one, and only they are asked for the limit.
    assert done["host_calls_per_document"] == pytest.approx(1.6, rel=0.01)
    assert 0 < done["p50_ns_per_document"] <= done["p99_ns_per_document"]
    assert done["calls"] > 0 and done["calls"] % 2048 == 0 and done["start_us"] > 0
    assert "per document" in offline("udf", "bench", "x", "--ms", "50").out


def test_bench__documents__given_or_made_up(offline, tmp_path):
    offline("udf", "init", "x", "--lang", "wat")
    offline("udf", "build", "x")
    (tmp_path / "x" / "cases.json").unlink()
    done = offline("udf", "bench", "x", "--ms", "20", "--json").json
    assert done["documents_from"] == "made up" and done["documents"] == 4096 and done["abi"] == "typed"
    (tmp_path / "d.ndjson").write_text('{"popularity": 1}\n\n{"popularity": 2.5}\n{}\n')
    done = offline("udf", "bench", "x", "--ms", "20", "--documents", "d.ndjson", "--json").json
    assert done["documents_from"] == "d.ndjson" and done["documents"] == 3
    (tmp_path / "d.ndjson").write_text('{"popularity": 1}\n[1]\n')
    err = offline("udf", "bench", "x", "--documents", "d.ndjson", status=53).err
    assert "d.ndjson, line 2: expected an object, got an array" in err
    (tmp_path / "d.ndjson").write_text("\n")
    assert "d.ndjson holds no document" in offline("udf", "bench", "x", "--documents", "d.ndjson", status=11).err


def test_bench__function_that_fails__says_why(offline, tmp_path):
    (tmp_path / "bad.wat").write_text('(module (func (export "score") (param f64) (result f64) unreachable))')
    (tmp_path / "m.json").write_text(json.dumps({
        "name": "bad", "version": "1.0.0", "function_name": "score", "kind": "score", "abi": "typed",
        "parameters": [{"name": "price", "type": "f64", "from": "_source.price"}]}))
    err = offline("udf", "bench", "bad.wat", "--manifest", "m.json", status=37).err
    assert "function 'bad@1.0.0', document '0': trap: unreachable executed" in err


def test_bench__transform__counts_what_has_a_result(offline, tmp_path):
    (tmp_path / "t.wat").write_text("""(module (import "env" "set_result_string" (func $set (param i32 i32)))
      (import "env" "set_result_missing" (func $none)) (memory (export "memory") 1) (data (i32.const 0) "hello")
      (global $n (mut i32) (i32.const 0))
      (func (export "f") (param i64) (result i32)
        (global.set $n (i32.add (global.get $n) (i32.const 1)))
        (if (i32.and (global.get $n) (i32.const 1))
          (then (call $set (i32.const 0) (i32.const 5))) (else (call $none)))
        (i32.const 0)))""")
    (tmp_path / "m.json").write_text(json.dumps({"name": "hello", "version": "1.0.0", "function_name": "f",
                                                 "kind": "transform", "abi": "row", "returns": [{"type": "string"}]}))
    assert "1.00 host calls; 50 % have a result\n" in offline("udf", "bench", "t.wat", "--manifest", "m.json", "--ms",
                                                             "20").out


# The sum of what is there, in a state of 8 bytes; "keep" bytes more for each document.
def write_sum(directory, keep=0):
    (directory / "sum.wat").write_text("""(module (memory (export "memory") 3)
      (global $n (mut i32) (i32.const 8))
      (func (export "agg_init") (result i32) (i32.const 64))
      (func (export "agg_update") (param $s i32) (param $x f64)
        (global.set $n (i32.add (global.get $n) (i32.const %d)))
        (f64.store (local.get $s) (f64.add (f64.load (local.get $s)) (local.get $x))))
      (func (export "agg_merge") (param $s i32) (param $at i32) (param $n i32)
        (f64.store (local.get $s) (f64.add (f64.load (local.get $s)) (f64.load (local.get $at)))))
      (func (export "agg_serialize") (param $s i32) (result i64)
        (i64.or (i64.shl (i64.extend_i32_u (local.get $s)) (i64.const 32)) (i64.extend_i32_u (global.get $n))))
      (func (export "agg_finish") (param $s i32) (result f64) (f64.load (local.get $s))))""" % keep)
    (directory / "sum.json").write_text(json.dumps({
        "name": "sum", "version": "1.0.0", "function_name": "agg", "kind": "aggregate", "abi": "typed",
        "parameters": [{"name": "p", "type": "f64", "from": "_source.p"}]}))
    return ("sum.wat", "--manifest", "sum.json")


def test_bench__aggregate__measures_documents_and_states(offline, tmp_path):
    where = write_sum(tmp_path)
    done = offline("udf", "bench", *where, "--ms", "50", "--json").json
    assert (done["kind"], done["documents"], done["state_bytes"]) == ("aggregate", 4096, 8)
    assert done["calls"] > 0 and done["calls"] % 2048 == 0 and done["host_calls_per_document"] == 0
    assert 0 < done["p50_ns_per_document"] <= done["p99_ns_per_document"] and done["state_us"] > 0
    out = offline("udf", "bench", *where, "--ms", "20").out
    assert out.startswith("sum@1.0.0: an aggregate of the typed shape, optimized code")
    assert re.search(r"a state +8 bytes; [0-9.]+ us p50 to serialize, merge and finish", out)


def test_bench__state_that_grows__begins_again_with_each_segment(offline, tmp_path):
    done = offline("udf", "bench", *write_sum(tmp_path, keep=1), "--ms", "50", "--json").json
    assert 8 + 2048 <= done["state_bytes"] <= 8 + 64 * 2048  # of all documents it would be more than a state may have


def test_bench__aggregate__takes_the_documents_of_cases(offline, tmp_path):
    where = write_sum(tmp_path)
    (tmp_path / "sum").mkdir()
    (tmp_path / "sum.wat").rename(tmp_path / "sum" / "sum.wat")
    (tmp_path / "sum.json").rename(tmp_path / "sum" / "manifest.json")
    (tmp_path / "sum" / "cases.json").write_text(json.dumps({"cases": [
        {"name": "three", "documents": [{"p": 1}, {"p": 2.5}, {}], "split": 2, "result": 3.5},
        {"name": "one", "document": {"p": 4}, "result": 4},
        {"name": "none", "documents": [], "result": 0}]}))
    assert where[0] == "sum.wat"
    done = offline("udf", "bench", "sum", "--ms", "20", "--json").json
    assert (done["documents"], done["documents_from"]) == (4, "cases.json")
    assert offline("udf", "test", "sum", "--here").out.endswith("3 of 3 cases passed\n")


# ---- documents on the command line -----------------------------------------------------------------------------------


def test_test__documents__one_result_of_an_aggregate_and_a_list_of_others(qctl, offline, tmp_path):
    where = write_sum(tmp_path)
    documents = ("--documents", '[{"p": 1}, {"p": 2}, {}]')
    for call, place in ((offline, ["--here"]), (qctl, [])):
        assert call("udf", "test", *where, *place, *documents).out.startswith("result  3\n")
        assert call("udf", "test", *where, *place, *documents, "--split", "2").out.startswith("result  3\n")
    offline("udf", "init", "x", "--lang", "wat")
    offline("udf", "build", "x")
    scores = ("--documents", '[{"popularity": 10}, {}]', "--score", "2")
    assert offline("udf", "test", "x", "--here", *scores).out.startswith("result  [4.0,2.0]\n")
    err = offline("udf", "test", "x", "--here", *scores, "--split", "2", status=32).err
    assert "'split': only aggregates take documents in parts" in err
    assert "from 1 to 64, got '65'" in offline("udf", "test", *where, *documents, "--split", "65", status=2).err


def test_test__cases_with_several_documents__compare_lists(offline, tmp_path):
    offline("udf", "init", "x", "--lang", "wat")
    offline("udf", "build", "x")
    (tmp_path / "x" / "cases.json").write_text(json.dumps({"cases": [
        {"name": "list", "documents": [{"popularity": 10}, {}], "score": 2, "result": [4.00000000001, 2]},
        {"name": "shorter", "documents": [{}], "score": 2, "result": [2, 2]}]}))
    done = offline("udf", "test", "x", "--here", status=37)
    assert "ok    list: [4.0,2.0]\n" in done.out
    assert "FAIL  shorter: [2.0], expected [2,2]\n" in done.out


def test_test__a_directory_of_that_name__is_said_where_nothing_tells_what_is_meant(offline, tmp_path):
    offline("udf", "init", "x", "--lang", "wat")
    offline("udf", "build", "x")
    assert "for the directory here write ./x" in offline("udf", "test", "x", status=2).err
    assert offline("udf", "test", "x", "--here").out.endswith("3 of 3 cases passed\n")


# ---- the life of a version, said wrong -------------------------------------------------------------------------------


def test_activate__words_that_make_no_sense__are_refused(qctl):
    assert "Write NAME@VERSION" in qctl("udf", "activate", "x", status=2).err
    assert "Write NAME@VERSION" in qctl("udf", "reinstate", "x", status=2).err
    assert "name the function alone" in qctl("udf", "rollback", "x@1.0.0", status=2).err
    for words in (("status", "nowhere"), ("stats", "nowhere"), ("logs", "nowhere"), ("wasm", "nowhere"),
                  ("history", "nowhere"), ("rollback", "nowhere"), ("activate", "nowhere@1.0.0")):
        assert "nowhere" in qctl("udf", *words, status=30).err


def test_logs__of_a_function__show_what_it_said_and_why_it_failed(api, qctl, index):
    wat = """(module (import "env" "log" (func $log (param i32 i32 i32)))
      (memory (export "memory") 1) (data (i32.const 0) "about to fail")
      (func (export "f") (param i64) (result i32)
        (call $log (i32.const 2) (i32.const 0) (i32.const 13)) unreachable))"""
    api.deploy("talker", wat, kind="filter", abi="row", function_name="f")
    api.load(index, {"one": {"n": 1}})
    assert api.post("/%s/_search" % index, {"query": {"wasm_udf": {"name": "talker"}}}).status == 500
    out = qctl("udf", "logs", "talker").out
    assert "about to fail" in out and "unreachable" in out and "(document one)" in out


TALKER = """(module (import "env" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1) (data (i32.const 0) "%s")
  (func (export "f") (param i64) (result i32) (call $log (i32.const 2) (i32.const 0) (i32.const %d)) (i32.const 1)))"""


def deploy_talker(api, name, version, text):
    api.deploy(name, TALKER % (text, len(text)), version=version, kind="filter", abi="row", function_name="f",
               permissions=["log"])


def test_test__function_that_logs_control_characters__does_not_steer_the_terminal(api, qctl):
    wat = TALKER % (r"\1b[31mred\c2\9b2J", 12)
    api.deploy("steerer", wat, kind="filter", abi="row", function_name="f", permissions=["log"])
    out = qctl("udf", "test", "steerer", "--document", "{}").out
    assert "log     warn: ?[31mred?2J\n" in out and "\x1b" not in out and "\u009b" not in out


def test_logs__follow__shows_what_comes_once_and_of_the_active_version(api, index, tmp_path):
    api.load(index, {"one": {"n": 1}})
    deploy_talker(api, "speaker", "1.0.0", "first")

    def speak():
        assert api.count(index, {"wasm_udf": {"name": "speaker"}}) == 1

    speak()
    environment = {**os.environ, "QCTL_URL": "http://%s:%d" % (api.host, api.port)}
    def from_text(line):
        return re.sub(r"^\S+ +", "", line)

    def from_json(line):
        return "%(level)-5s %(message)s  (document %(document)s)\n" % json.loads(line)

    for options, parse in (([], from_text), (["--json"], from_json)):
        with subprocess.Popen([QCTL, "udf", "logs", "speaker", "-f", *options], env=environment, cwd=tmp_path,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as follower:
            try:
                lines = []

                def take(n):
                    lines.extend(parse(follower.stdout.readline()) for _ in range(n))

                take(1)  # what was there
                speak()
                speak()
                take(2)
                assert lines == ["warn  first  (document one)\n"] * 3
            finally:
                follower.terminate()
        assert follower.returncode < 0  # by the signal: it would have gone on
        api.delete("/api/v1/udfs/speaker")
        deploy_talker(api, "speaker", "1.0.0", "first")
        speak()

    with subprocess.Popen([QCTL, "udf", "logs", "speaker", "--follow"], env=environment, cwd=tmp_path,
                          stdout=subprocess.PIPE, text=True) as follower:
        try:
            assert "first" in follower.stdout.readline()
            deploy_talker(api, "speaker", "2.0.0", "second")
            speak()
            assert follower.stdout.readline() == "from here on version 2.0.0\n"
            assert "second" in follower.stdout.readline()
        finally:
            follower.terminate()


def test_logs__follow_of_a_function_that_goes__ends_with_its_error(api, qctl):
    deploy_talker(api, "leaver", "1.0.0", "first")
    environment = {**os.environ, "QCTL_URL": "http://%s:%d" % (api.host, api.port)}
    with subprocess.Popen([QCTL, "udf", "logs", "leaver@1.0.0", "-f"], env=environment, stderr=subprocess.PIPE,
                          text=True) as follower:
        api.delete("/api/v1/udfs/leaver")
        assert "leaver" in follower.stderr.read()
    assert follower.returncode == 30
    assert "there is no option -f (write --" in qctl("udf", "stats", "leaver", "-f", status=2).err
    assert "--follow" in qctl("udf", "logs", "-h").out


def test_help__names_every_command(offline):
    out = offline("help", "udf").out
    for verb in ("init", "build", "test", "bench", "deploy", "status", "stats", "logs", "versions", "activate",
                 "rollback", "history", "reinstate", "wasm"):
        assert "  udf %s " % verb in out
    assert "--lang LANGUAGE" in offline("udf", "init", "--help").out


@pytest.mark.parametrize("words, sentence", [
    (("udf", "lgos", "x"), "there is no command 'udf lgos'; did you mean 'udf logs'?"),
    (("udf", "deplyo"), "there is no command 'udf deplyo'; did you mean 'udf deploy'?"),
    (("serach", "a"), "there is no command 'serach'; did you mean 'search'?"),
    (("udf", "frobnicate"), "there is no command 'udf frobnicate'\n"),
    (("help", "idnex"), "there is no command 'idnex'; did you mean 'index'?"),
    (("help", "udf", "biuld"), "there is no command 'udf biuld'; did you mean 'udf build'?"),
    (("udf", "init", "x", "--land", "c"), "there is no option --land here; did you mean --lang?"),
    (("udf", "test", "./absent", "--document", "{}"), "'./absent' is no directory and no module file here"),
    (("udf", "test", "absent.wasm", "--cases", "c"), "'absent.wasm' is no directory and no module file here"),
    (("udf", "build", "--qiet"), "there is no option --qiet here; did you mean --quiet?"),
    (("udf", "build", "--" + 40 * "a"), "there is no option --%s here\n" % (40 * "a")),
    (("udf", "init"), "usage: qctl udf init NAME --lang LANGUAGE\n`qctl udf init --help` lists its options"),
])
def test_words_mistyped__say_what_was_meant(offline, words, sentence):
    assert sentence in offline(*words, status=2).err


def test_deploy__before_build__says_how_to_build(offline):
    offline("udf", "init", "x", "--lang", "c")
    assert "'x' holds no module (*.wasm or *.wat): build it first, `qctl udf build x`" in offline(
        "udf", "bench", "x", status=11).err


# ---- the example in Go -----------------------------------------------------------------------------------------------


@pytest.mark.skipif(IS_SANITIZED, reason="its 3 MB of code are the release build's to compile")
def test_regexp_filter__agrees_with_python(api, qctl, index):
    compiler("go")
    subprocess.run([ROOT / "examples" / "build", "regexp-filter"], check=True)
    example = ROOT / "examples" / "regexp-filter"
    n = len(json.loads((example / "cases.json").read_text())["cases"])
    assert qctl("udf", "test", example, "--here").out.endswith("%d of %d cases passed\n" % (n, n))
    qctl("udf", "deploy", example)
    names = ["postgresql-15", "postgis", "sqlite3", "mysql-common", "libpq-dev", "Łódź"]
    api.create(index, {"name": {"type": "keyword"}})
    api.load(index, {name: {"name": name} for name in names})
    for pattern in ("sql", "^lib.*-dev$", "[0-9]+$", "^.{4}$", "nothing"):
        query = {"wasm_udf": {"name": "regexp_filter", "parameters": {"field": "name", "pattern": pattern}}}
        assert set(api.ids(index, query)) == {name for name in names if re.search(pattern, name)}
