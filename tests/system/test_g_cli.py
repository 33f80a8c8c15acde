# SPDX-License-Identifier: Apache-2.0
"""qctl as people and scripts use it: tables, raw JSON, exit statuses, loads that go on when the server is busy."""
import http.server
import json
import os
import pty
import re
import subprocess
import threading

import pytest

from daemon import BUILD
from support import CHEAPER_WAT, PRICE_PARAMETERS

QCTL = (BUILD / "bin" / "qctl").resolve()
USAGE, BAD_REQUEST, UNREACHABLE, NO_INDEX, BAD_DOCUMENT, NO_FUNCTION, NO_MODULE = 2, 11, 13, 50, 52, 30, 33
PRODUCTS = [{"sku": "a1", "title": "red broom", "price": 3},
            {"sku": "b2", "title": "fast red racing broom", "price": 9},
            {"sku": "c3", "title": "golden snitch", "price": 5}]
MAPPING = {"properties": {"sku": {"type": "keyword"}, "title": {"type": "text"}, "price": {"type": "integer"}}}


def run(url, *words, status=0, **options):
    environment = dict(os.environ, QCTL_URL=url, COLUMNS="100")
    done = subprocess.run([QCTL, *map(str, words)], env=environment, capture_output=True, timeout=120, check=False,
                          **options)
    done.out, done.err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == status, "%r ended with %d, expected %d:\n%s%s" % (
        words, done.returncode, status, done.out, done.err)
    return done


@pytest.fixture
def url(api):
    return "http://%s:%d" % (api.host, api.port)


@pytest.fixture
def qctl(url):
    def call(*words, **options):
        return run(url, *words, **options)
    return call


@pytest.fixture
def products(qctl, index, tmp_path):
    qctl("index", "create", index, "--mapping", json.dumps(MAPPING))
    (tmp_path / "products.ndjson").write_text("".join(json.dumps(p) + "\n" for p in PRODUCTS))
    qctl("index", "load", index, tmp_path / "products.ndjson", "--id-field", "sku")
    return index


@pytest.fixture
def cheaper(tmp_path):
    """A function's directory, of WebAssembly text."""
    directory = tmp_path / "cheaper"
    directory.mkdir()
    manifest = {"name": "cli_cheaper", "version": "1.0.0", "kind": "filter", "abi": "typed", "category": "tests",
                "description": "price below a limit", "parameters": PRICE_PARAMETERS}
    (directory / "manifest.json").write_text(json.dumps(manifest))
    (directory / "cheaper.wat").write_text(CHEAPER_WAT)
    return directory


# ---- the command line -----------------------------------------------------------------------------------------------

def test_help__lists_every_command():
    out = run("", "help").out
    for command in ("udf deploy", "udf list", "udf show", "udf test", "udf delete", "index create", "index load",
                    "index stats", "search", "version"):
        assert "  " + command in out
    assert "--id-field" in run("", "index", "load", "--help").out
    assert "INDEX_NOT_FOUND" in run("", "help", "exit").out


@pytest.mark.parametrize("words, message", [
    ((), "usage: qctl"), (("fly",), "there is no command 'fly'"), (("udf", "fly"), "there is no command 'udf fly'"),
    (("udf", "delete", "f@"), "which version of 'f@' is to go? Write NAME@VERSION, or NAME for all"),
    (("search",), "an argument is missing"), (("search", "a", "b", "c"), "one argument too many: 'c'"),
    (("search", "a", "--colour", "red"), "there is no option --colour"),
    (("search", "a", "--size"), "option --size needs a value"),
    (("search", "a", "--size", "many"), "expected a whole number from 0 to 10000, got 'many'"),
    (("search", "a", "text", "--query", "{}"), "give one of them"), (("udf", "test", "x"), "what to test 'x' with")])
def test_usage__wrong_command_line__exits_with_2(words, message):
    assert message in run("http://127.0.0.1:1", *words, status=USAGE).err


def test_url__nobody_listens__says_what_to_do():
    done = run("http://127.0.0.1:1", "udf", "list", status=UNREACHABLE)
    assert "cannot reach http://127.0.0.1:1: start quidditchd" in done.err and done.out == ""
    run("", "--url", "http://127.0.0.1:1", "udf", "list", status=UNREACHABLE)
    assert "must start with http://" in run("ftp://x", "udf", "list", status=BAD_REQUEST).err


@pytest.mark.parametrize("words, status", [(("udf",), USAGE), (("udf", "--help"), 0), (("--help", "udf"), 0)])
def test_help__a_group_alone__lists_its_commands(words, status):
    done = run("http://127.0.0.1:1", *words, status=status)
    text = done.err if status else done.out
    assert "  udf deploy DIR|FILE" in text and "index create" not in text and (done.out == "") == (status != 0)


def test_table__times_stay_whole_and_a_pipe_gets_all(qctl, url, cheaper):
    qctl("udf", "deploy", cheaper, "--name", "f" * 60)
    at = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z"
    assert re.search(at + r"  register  f{5,50}\u2026 ", qctl("audit", "--udf", "f" * 60).out)
    environment = {k: v for k, v in os.environ.items() if k != "COLUMNS"}
    done = subprocess.run([QCTL, "audit", "--udf", "f" * 60], env={**environment, "QCTL_URL": url}, capture_output=True,
                          timeout=120, check=True)
    assert re.search(at + "  register  " + "f" * 60 + "@1.0.0  ok ", done.stdout.decode())
    qctl("udf", "delete", "f" * 60)


def test_version__shows_both(qctl):
    assert qctl("version").out.split()[::2] == ["qctl", "server"]


# ---- indices --------------------------------------------------------------------------------------------------------

def test_index__life(qctl, products, api):
    assert "documents  3\n" in qctl("index", "stats", products).out
    assert products in qctl("index", "list").out
    stats = json.loads(qctl("index", "stats", products, "--json").out)
    assert stats["_all"]["primaries"]["docs"]["count"] == 3
    assert api.ok("GET", "/%s/_doc/b2" % products)["_source"] == PRODUCTS[1]
    assert qctl("index", "delete", products, "--quiet").out == ""
    assert "no such index" in qctl("index", "stats", products, status=NO_INDEX).err


def test_load__from_stdin__without_ids(qctl, index, api):
    qctl("index", "create", index)
    lines = "".join(json.dumps(p) + "\n\n" for p in PRODUCTS).rstrip("\n")
    answer = json.loads(qctl("index", "load", index, "-", "--json", input=lines.encode()).out)
    assert (answer["index"], answer["loaded"], answer["failed"]) == (index, 3, 0)
    assert api.count(index) == 3


def test_load__in_small_batches__keeps_all(qctl, index, api):
    qctl("index", "create", index)
    lines = "".join('{"n":%d}\n' % n for n in range(250))
    out = qctl("index", "load", index, "-", "--batch", "7", "--id-field", "n", input=lines.encode()).out
    assert out.startswith("loaded 250 documents into %s in " % index)
    assert sorted(map(int, api.ids(index))) == list(range(250))


def test_load__refused_documents__are_named_by_line_and_fail_the_load(qctl, index, api):
    qctl("index", "create", index, "--mapping", json.dumps(MAPPING))
    lines = '{"sku":"a","price":1}\n{"sku":"b","price":"dear"}\n{"sku":\n{"price":4}\n{"sku":"e","price":5}\n'
    done = qctl("index", "load", index, "-", "--id-field", "sku", input=lines.encode(), status=BAD_DOCUMENT)
    assert "line 2 (id 'b'): mapper_parsing_exception: failed to parse field [price]" in done.err
    assert "line 3: not sent: malformed JSON" in done.err
    assert "line 4: not sent: field 'sku' is no id" in done.err
    assert "3 documents were refused; the first: line 2" in done.err
    assert sorted(api.ids(index)) == ["a", "e"]


def test_load__progress_is_for_terminals_only(qctl, url, index):
    qctl("index", "create", index)
    lines = "".join('{"n":%d}\n' % n for n in range(2000)).encode()
    assert qctl("index", "load", index, "-", "--batch", "100", input=lines).err == ""
    ours, theirs = pty.openpty()
    done = subprocess.run([QCTL, "index", "load", index, "-", "--batch", "100"], input=lines, stdout=subprocess.PIPE,
                          stderr=theirs, check=True, timeout=120, env=dict(os.environ, QCTL_URL=url))
    os.close(theirs)
    assert b"2,000 documents" in done.stdout
    assert b"documents" in os.read(ours, 65536)
    os.close(ours)


class BusyServer(http.server.BaseHTTPRequestHandler):
    """Refuses the first request whole, then the second document once."""
    requests, seen = [], []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        cls = type(self)
        cls.requests.append(self.path)
        if not self.path.endswith("_bulk"):
            return self.answer(200, {})
        if len(cls.requests) == 1:
            return self.answer(429, {"error": {"type": "rejected_execution_exception", "reason": "busy"}})
        items = []
        for document in body.splitlines()[1::2]:
            is_busy = document == '{"n":2}' and len(cls.requests) == 2
            items.append({"index": {"status": 429 if is_busy else 201}})
            if not is_busy:
                cls.seen.append(json.loads(document)["n"])
        return self.answer(200, {"errors": True, "items": items})

    def answer(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def test_load__busy_server__is_asked_again():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), BusyServer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        out = run("http://127.0.0.1:%d" % server.server_port, "index", "load", "i", "-", "--json",
                  input=b'{"n":1}\n{"n":2}\n{"n":3}\n').out
        server.shutdown()
    assert json.loads(out)["loaded"] == 3
    assert BusyServer.seen == [1, 3, 2]
    assert BusyServer.requests == ["/i/_bulk"] * 3 + ["/i/_refresh"]


# ---- searching ------------------------------------------------------------------------------------------------------

def rows(out):
    return [line.split() for line in out.splitlines()[2:]]


def test_search__text__as_a_table(qctl, products):
    out = qctl("search", products, "red broom", "--fields", "title,price").out
    assert out.startswith("2 hits, took ")
    assert out.splitlines()[1].split() == ["#", "SCORE", "ID", "title", "price"]
    assert [(row[0], row[2], row[-1]) for row in rows(out)] == [("1", "a1", "3"), ("2", "b2", "9")]


def test_search__all_forms(qctl, products, tmp_path):
    assert len(rows(qctl("search", products).out)) == 3
    out = qctl("search", products, "--query", '{"range":{"price":{"gte":5}}}', "--sort", "price:desc").out
    assert [row[2] for row in rows(out)] == ["b2", "c3"]
    out = qctl("search", products, "--sort", "price", "--size", "1", "--from", "1").out
    assert [(row[0], row[2]) for row in rows(out)] == [("2", "c3")]
    (tmp_path / "body.json").write_text('{"query":{"ids":{"values":["c3"]}}}')
    assert [row[2] for row in rows(qctl("search", products, "--body", tmp_path / "body.json").out)] == ["c3"]
    assert qctl("search", products, "nothing").out.startswith("0 hits, took ")


def test_search__json__is_what_the_server_said(qctl, products):
    answer = json.loads(qctl("search", products, "snitch", "--json").out)
    assert answer["hits"]["hits"][0]["_source"] == PRODUCTS[2]
    done = qctl("search", products, "--query", '{"fly":{}}', "--json", status=53)
    assert json.loads(done.out)["error"]["type"] == "parsing_exception"
    assert "unknown query [fly]" in done.err


def test_search__control_characters__do_not_reach_the_terminal(qctl, index):
    qctl("index", "create", index)
    qctl("index", "load", index, "-", input=json.dumps({"t": "a\x1b[31mb\u009bc\nd"}).encode())
    out = qctl("search", index, "--fields", "t").out
    assert "a?[31mb?c?d" in out and "\x1b" not in out


# ---- functions ------------------------------------------------------------------------------------------------------

def test_udf__life(qctl, cheaper, products):
    assert "valid: a filter of the typed shape" in qctl("udf", "validate", cheaper).out
    assert qctl("udf", "test", cheaper, "--document", '{"price":3}', "--parameters", '{"limit":5}').out.startswith(
        "result  true\n")
    assert qctl("udf", "deploy", cheaper).out.startswith("deployed cli_cheaper 1.0.0: export filter, ")
    assert "registered already, unchanged" in qctl("udf", "deploy", cheaper).out
    assert qctl("udf", "deploy", cheaper, "--version", "1.1.0", "--json").out.startswith('{"success":true')
    listed = qctl("udf", "list", "--category", "tests").out
    assert "cli_cheaper" in listed and "1.0.0, 1.1.0" in listed
    shown = qctl("udf", "show", "cli_cheaper@1.1.0").out
    assert "price below a limit" in shown and "_source.price" in shown and "1.1.0" in shown
    assert qctl("udf", "versions", "cli_cheaper").out == "1.0.0\n1.1.0  active\n"
    out = qctl("udf", "test", "cli_cheaper@1.1.0", "--document", '{"price":7}', "--parameters", '{"limit":5}').out
    assert out.startswith("result  false\n")
    out = qctl("search", products, "--filter-by", "cli_cheaper", "--params", '{"limit":6}', "--sort", "price").out
    assert [row[2] for row in rows(out)] == ["a1", "c3"]
    qctl("udf", "delete", "cli_cheaper@1.0.0")
    assert qctl("udf", "versions", "cli_cheaper").out == "1.1.0  active\n"
    qctl("udf", "delete", "cli_cheaper", "--quiet")
    done = qctl("udf", "show", "cli_cheaper", status=NO_FUNCTION)
    assert "cli_cheaper" in done.err


def test_udf_deploy__bad_things__each_has_its_message(qctl, cheaper, tmp_path):
    (tmp_path / "x.wasm").write_bytes(b"not wasm")
    named = ["--name", "x", "--version", "1.0.0"]
    done = qctl("udf", "deploy", tmp_path / "x.wasm", *named, status=NO_MODULE)
    assert done.err.startswith("qctl: ") and len(done.err.splitlines()) == 1
    assert "cannot open" in qctl("udf", "deploy", tmp_path / "nowhere", status=UNREACHABLE).err
    assert "--manifest" in qctl("udf", "deploy", tmp_path / "x.wasm", "--manifest", status=USAGE).err
    (cheaper / "second.wat").write_text(CHEAPER_WAT)
    assert "holds 2 modules" in qctl("udf", "deploy", cheaper, status=BAD_REQUEST).err
    (cheaper / "second.wat").unlink()
    (cheaper / "manifest.json").write_text('{"name": ')
    assert "manifest.json" in qctl("udf", "deploy", cheaper, status=53).err


def test_udf_test__cases__all_run_and_one_failure_fails(qctl, cheaper):
    cases = [{"name": "below", "document": {"price": 1}, "parameters": {"limit": 2}, "result": True},
             {"name": "no limit", "document": {"price": 1}, "error": "INVALID_PARAMETERS"},
             {"name": "wrong on purpose", "document": {"price": 3}, "parameters": {"limit": 2}, "result": True}]
    (cheaper / "cases.json").write_text(json.dumps({"cases": cases[:2]}))
    assert qctl("udf", "test", cheaper).out.endswith("2 of 2 cases passed\n")
    (cheaper / "cases.json").write_text(json.dumps({"cases": cases}))
    done = qctl("udf", "test", cheaper, status=37)
    assert "FAIL  wrong on purpose: false, expected true" in done.out and "1 of 3 cases failed" in done.err
    answer = json.loads(qctl("udf", "test", cheaper, "--json", status=37).out)
    assert (answer["passed"], answer["failed"]) == (2, 1)
