# SPDX-License-Identifier: Apache-2.0
"""Signed functions under each policy, from the keys to the search, with qctl and with openssl; and the audit log: what
is in it, how it survives, and that its chain can be checked without us."""
import base64
import concurrent.futures
import hashlib
import json
import os
import shutil
import stat
import subprocess

import pytest

from daemon import run_to_end
from test_g_cli import run

SIGNATURE_INVALID, IO_ERROR, USAGE = 41, 13, 2


def section(number, body):
    assert len(body) < 128
    return bytes([number, len(body)]) + body


def custom(name, content):
    body = bytes([len(name)]) + name + content
    return b"\0" + bytes([len(body) & 0x7F | 0x80, len(body) >> 7]) + body


# (func (export "filter") (param f64 f64) (result i32) (f64.lt (local.get 0) (local.get 1)))
SECTIONS = [section(1, b"\1\x60\2\x7c\x7c\1\x7f"), section(3, b"\1\0"), section(7, b"\1\6filter\0\0"),
            section(10, b"\1\7\0\x20\0\x20\1\x63\x0b")]
MODULE = b"\0asm\1\0\0\0" + b"".join(SECTIONS)
PARAMETERS = [{"name": "price", "type": "f64", "from": "_source.price"}, {"name": "limit", "type": "f64", "default": 5}]


def manifest(name="below", version="1.0.0", **more):
    return {"name": name, "version": version, "kind": "filter", "abi": "typed", "parameters": PARAMETERS, **more}


def registration(body, signature=None, module=MODULE):
    more = {"signature": signature} if signature else {}
    return {**body, "wasm_base64": base64.b64encode(module).decode(), **more}


@pytest.fixture
def project(tmp_path):
    """project(version="1.0.0"): a directory with a manifest and the module."""
    def make(version="1.0.0", name="below"):
        directory = tmp_path / ("%s-%s" % (name, version))
        directory.mkdir()
        (directory / "manifest.json").write_text(json.dumps(manifest(name, version), indent=2))
        (directory / "f.wasm").write_bytes(MODULE)
        return directory
    return make


@pytest.fixture
def keys(tmp_path):
    """keys(name, type): a pair by qctl, (private, public)."""
    def make(name, kind="ed25519"):
        run("", "udf", "keygen", "--type", kind, "--out", tmp_path / name)
        return tmp_path / (name + ".key"), tmp_path / (name + ".pem")
    return make


def url_of(daemon):
    return "http://127.0.0.1:%d" % daemon.port


def sign(key, *words):
    return json.loads(run("", "udf", "sign", "--key", key, *words).out)


def call_it(api, price, name="below"):
    return api.ok("POST", "/api/v1/udfs/%s/test" % name, {"document": {"price": price}})["result"]


# ---- signatures -----------------------------------------------------------------------------------------------------

def test_keygen__keys_of_both_kinds__are_openssls_too(keys):
    for kind, words in (("ed25519", "ED25519 Public-Key"), ("ecdsa-p256", "prime256v1")):
        private, public = keys(kind, kind)
        assert stat.S_IMODE(os.stat(private).st_mode) == 0o600
        text = subprocess.run(["openssl", "pkey", "-pubin", "-in", public, "-noout", "-text"], check=True,
                              capture_output=True).stdout.decode()
        assert words in text
        der = subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-outform", "DER"], check=True,
                             capture_output=True).stdout
        run("", "udf", "keygen", "--out", private.with_suffix(""), status=IO_ERROR)  # never over what is there
        assert der == subprocess.run(["openssl", "pkey", "-pubin", "-in", public, "-outform", "DER"], check=True,
                                     capture_output=True).stdout


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa-p256"])
def test_require__from_the_key_to_the_search(make_daemon, keys, project, tmp_path, index, kind):
    private, public = keys("release", kind)
    d = make_daemon({"trust.policy": "require", "trust.keys": public})
    api, url, directory, signature = d.api, url_of(d), project(), tmp_path / "below.sig"
    assert "signature: missing" in run(url, "udf", "deploy", directory, status=SIGNATURE_INVALID).err
    run("", "udf", "sign", "--key", private, directory, "--out", signature)
    assert "signed by 'release'" in run("", "udf", "verify", "--key", public, "--signature", signature, directory).out
    run(url, "udf", "deploy", directory, "--signature", signature)
    assert call_it(api, 4) is True and call_it(api, 6) is False
    shown = api.ok("GET", "/api/v1/udfs/below")
    assert shown["signature"]["status"] == "valid"
    assert shown["signature"]["key_id"] == json.loads(signature.read_text())["key_id"]
    api.create(index, {"price": {"type": "double"}})
    api.load(index, {"a": {"price": 4}, "b": {"price": 6}})
    hits = api.search(index, {"wasm_udf": {"name": "below"}})["hits"]["hits"]
    assert [h["_id"] for h in hits] == ["a"]

    # The next version carries its signature in itself.
    after = project("1.1.0")
    run("", "udf", "sign", "--key", private, after, "--embed")
    assert (after / "f.wasm").read_bytes().startswith(MODULE)
    run(url, "udf", "deploy", after)
    assert api.ok("GET", "/api/v1/udfs/below/1.1.0")["signature"]["status"] == "valid"
    d.stop()
    api = d.start()  # what is stored is checked again
    assert call_it(api, 4) is True


def test_require__whatever_was_changed__is_refused_and_recorded(make_daemon, keys, project):
    private, public = keys("release")
    stranger, _ = keys("stranger")
    d = make_daemon({"trust.policy": "require", "trust.keys": public})
    one, two = sign(private, project("1.0.0")), sign(private, project("2.0.0"))
    strange = sign(stranger, project("3.0.0"))
    flipped = bytearray(base64.b64decode(one["signature"]))
    flipped[5] ^= 1
    changed = MODULE[:-2] + b"\x64" + MODULE[-1:]  # f64.gt
    middle = b"\0asm\1\0\0\0" + SECTIONS[0] + custom(b"quidditch.signature", json.dumps(one).encode())
    middle += b"".join(SECTIONS[1:])
    did_not = "did not sign this module with this manifest"
    cases = [
        (registration(manifest()), "missing"),
        (registration(manifest(), two), did_not),
        (registration(manifest(version="2.0.0"), one), did_not),
        (registration(manifest(permissions=["clock"]), one), did_not),
        (registration(manifest(), one, changed), did_not),
        (registration(manifest(), {**one, "signature": base64.b64encode(flipped).decode()}), did_not),
        (registration(manifest(), {**one, "signature": one["signature"][:-1]}), "expected base64"),
        (registration(manifest(), {**one, "algorithm": "ecdsa-p256"}), "is an ed25519 key"),
        (registration(manifest(), {**one, "algorithm": "none"}), "expected ed25519 or ecdsa-p256"),
        (registration(manifest(), {**one, "extra": 1}), "unknown member 'extra'"),
        (registration(manifest(version="3.0.0"), strange), "is not among the trusted ones"),
        (registration(manifest(version="2.0.0"), None, middle), did_not),
        (registration(manifest(), None, middle + custom(b"quidditch.signature", b"{}")), "more than one section"),
    ]
    for body, why in cases:
        answer = d.api.post("/api/v1/udfs", body)
        assert answer.status == 403 and answer.error["code"] == "SIGNATURE_INVALID", answer
        assert why in answer.error["message"], answer
    assert d.api.ok("GET", "/api/v1/udfs")["total"] == 0
    entries = wait_for_refusals(d.api, "register", len(cases))
    assert {e["outcome"] for e in entries} == {"denied"} and any(did_not in e["detail"] for e in entries)
    versions = {body["version"] for body, _ in cases}
    assert {(e["name"], e["version"]) for e in entries} == {(cases[0][0]["name"], v) for v in versions}
    d.api.ok("POST", "/api/v1/udfs", registration(manifest(), one))
    d.api.ok("POST", "/api/v1/udfs", registration(manifest(version="2.0.0"), two))
    other_bytes = registration(manifest(version="1.0.0"), None, middle)
    assert d.api.post("/api/v1/udfs", other_bytes).status == 409


def test_require__a_signature_of_openssl__is_as_good(make_daemon, tmp_path, project):
    pem, key, text = tmp_path / "hsm.pem", tmp_path / "hsm.key", tmp_path / "text"
    for kind, options, how in (
            ("ed25519", ["-algorithm", "ed25519"], ["pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", text]),
            ("ecdsa-p256", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
             ["dgst", "-sha256", "-sign", key, text])):
        subprocess.run(["openssl", "genpkey", *options, "-out", key], check=True, capture_output=True)
        subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", pem], check=True, capture_output=True)
        der = subprocess.run(["openssl", "pkey", "-pubin", "-in", pem, "-outform", "DER"], check=True,
                             capture_output=True).stdout
        # The text, by the documentation alone.
        canonical = json.dumps(manifest(version="1.0.0"), sort_keys=True, separators=(",", ":"))
        lines = ["quidditch-udf-v1", hashlib.sha256(MODULE).hexdigest(), hashlib.sha256(canonical.encode()).hexdigest()]
        text.write_text("".join(line + "\n" for line in lines))
        if kind == "ed25519":
            assert run("", "udf", "sign", "--text", project()).out == text.read_text()
        made = subprocess.run(["openssl", *how], check=True, capture_output=True).stdout
        signature = {"algorithm": kind, "key_id": hashlib.sha256(der).hexdigest()[:16],
                     "signature": base64.b64encode(made).decode()}
        d = make_daemon({"trust.policy": "require", "trust.keys": pem})
        d.api.ok("POST", "/api/v1/udfs", registration(manifest(), signature), status=201)
        d.stop()


def test_warn__lets_the_unsigned_pass_and_says_so(make_daemon, keys, project):
    private, public = keys("release")
    stranger, _ = keys("stranger")
    d = make_daemon({"trust.policy": "warn", "trust.keys": public})
    good = sign(private, project("3.0.0"))
    d.api.ok("POST", "/api/v1/udfs", registration(manifest(version="1.0.0")))
    d.api.ok("POST", "/api/v1/udfs", registration(manifest(version="2.0.0"), sign(stranger, project("2.0.0"))))
    d.api.ok("POST", "/api/v1/udfs", registration(manifest(version="3.0.0"), good))
    answer = d.api.post("/api/v1/udfs", registration(manifest(version="4.0.0"), good))
    assert answer.status == 403 and answer.error["code"] == "SIGNATURE_INVALID", answer
    states = [d.api.ok("GET", "/api/v1/udfs/below/%d.0.0" % v)["signature"]["status"] for v in (1, 2, 3)]
    assert states == ["unsigned", "untrusted", "valid"]
    details = [audit(d.api, udf="below@%d.0.0" % v, action="register")["entries"][0]["detail"] for v in (1, 2, 3)]
    assert "not signed" in details[0] and "unknown key" in details[1] and "signed by 'release'" in details[2]


def test_require__a_key_taken_away__stops_what_it_signed(make_daemon, keys, project, tmp_path):
    old, old_public = keys("old")
    new, new_public = keys("new")
    trusted = tmp_path / "trusted"
    trusted.mkdir()
    shutil.copy(old_public, trusted)
    shutil.copy(new_public, trusted)
    d = make_daemon({"trust.policy": "require", "trust.keys": trusted})
    d.api.ok("POST", "/api/v1/udfs", registration(manifest("older"), sign(old, project(name="older"))))
    d.api.ok("POST", "/api/v1/udfs", registration(manifest("newer"), sign(new, project(name="newer"))))
    d.stop()
    (trusted / "old.pem").unlink()
    api = d.start()
    assert call_it(api, 4, "newer") is True
    answer = api.post("/api/v1/udfs/older/test", {"document": {"price": 4}})
    assert answer.status == 403 and "is not among the trusted ones" in answer.error["message"], answer
    d.stop()
    shutil.copy(old_public, trusted)
    assert call_it(d.start(), 4, "older") is True


def test_require__what_was_registered_unsigned__works_once_it_is_signed(make_daemon, keys, project):
    private, public = keys("release")
    d = make_daemon()
    d.api.ok("POST", "/api/v1/udfs", registration(manifest()))
    d.stop()
    d.settings.update({"trust.policy": "require", "trust.keys": public})
    api = d.start()
    answer = api.post("/api/v1/udfs/below/test", {"document": {"price": 4}})
    assert answer.status == 403 and "signature: missing" in answer.error["message"], answer
    api.ok("POST", "/api/v1/udfs", registration(manifest(), sign(private, project())), status=(200, 201))
    assert call_it(api, 4) is True
    d.stop()
    assert call_it(d.start(), 4) is True


def test_warn__signing_what_is_there__makes_ready_for_require(make_daemon, keys, project):
    private, public = keys("release")
    d = make_daemon({"trust.policy": "warn", "trust.keys": public})
    signed = registration(manifest(), sign(private, project()))
    d.api.ok("POST", "/api/v1/udfs", registration(manifest()), status=201)
    d.api.ok("POST", "/api/v1/udfs", registration(manifest(version="2.0.0")), status=201)
    before = d.api.ok("GET", "/api/v1/udfs/below/1.0.0")
    assert before["signature"]["status"] == "unsigned"
    d.api.ok("POST", "/api/v1/udfs", signed)
    after = d.api.ok("GET", "/api/v1/udfs/below/1.0.0")
    assert after["signature"]["status"] == "valid"
    assert after["registered_at"] == before["registered_at"] and after["updated_at"] > before["updated_at"]
    d.api.ok("POST", "/api/v1/udfs", signed, status=200)  # now it is nothing new
    d.api.ok("POST", "/api/v1/udfs", registration(manifest()), status=200)  # and stays signed
    versions = d.api.ok("GET", "/api/v1/udfs/below/versions")
    assert versions["versions"] == ["1.0.0", "2.0.0"] and versions["active_version"] == "2.0.0"
    d.stop()
    d.settings["trust.policy"] = "require"
    api = d.start()
    test = {"document": {"price": 4}}
    assert api.ok("POST", "/api/v1/udfs/below/test", {"version": "1.0.0", **test})["result"] is True
    answer = api.post("/api/v1/udfs/below/test", {"version": "2.0.0", **test})
    assert answer.status == 403 and answer.error["code"] == "SIGNATURE_INVALID", answer


def test_native_code__unsigned_or_by_a_stranger__is_refused_under_every_policy(make_daemon, keys, project, tmp_path):
    private, public = keys("release")
    stranger, _ = keys("stranger")
    directory, native, signature = project(), tmp_path / "f.cwasm", tmp_path / "f.sig"
    native.write_bytes(b"no machine code at all")
    for policy in ("off", "warn"):
        d = make_daemon({"trust.policy": policy, "trust.keys": public})
        deploy = ("udf", "deploy", directory, "--native", native)
        assert "ahead-of-time code must be signed" in run(url_of(d), *deploy, status=SIGNATURE_INVALID).err
        for key, why in ((stranger, "is not among the trusted ones"), (private, None)):
            run("", "udf", "sign", "--key", key, "--native", native, "--out", signature, directory)
            if why:
                assert why in run(url_of(d), *deploy, "--native-signature", signature, status=SIGNATURE_INVALID).err
        checked = ("udf", "verify", "--key", public, "--native", native, "--signature", signature, directory)
        assert "signed by 'release'" in run("", *checked).out
        native.write_bytes(b"no machine code at al1")
        assert "did not sign this ahead-of-time code" in run("", *checked, status=SIGNATURE_INVALID).err
        assert "did not sign this ahead-of-time code" in run(
            url_of(d), *deploy, "--native-signature", signature, status=SIGNATURE_INVALID).err
        native.write_bytes(b"no machine code at all")
        # Signed nonsense is still no code for this engine: never run, whatever becomes of the registration.
        answer = d.api.post("/api/v1/udfs", {**registration(manifest()), "native_signature": json.loads(
            signature.read_text()), "native_base64": base64.b64encode(native.read_bytes()).decode()})
        assert answer.status in (201, 422), answer
        assert d.is_alive()
        if answer.status == 201:
            assert call_it(d.api, 4) is True
        d.stop()


def test_start__bad_keys_and_policies__are_a_sentence_and_no_start(tmp_path, keys):
    private, public = keys("k")
    cases = [
        ({"trust.policy": "maybe"}, "expected off, warn or require, got 'maybe'"),
        ({"trust.policy": "require"}, "trust.keys names no key"),
        ({"trust.keys": tmp_path / "none.pem"}, "No such file or directory"),
        ({"trust.keys": "%s,%s" % (public, private)}, "it holds a private key where a public one is expected"),
        ({"audit.max_bytes": 10}, "audit.max_bytes: expected 65536 to"),
    ]
    for settings, message in cases:
        words = [w for k, v in settings.items() for w in ("--set", "%s=%s" % (k, v))]
        status, out, err = run_to_end("--data", tmp_path / "data", "--port", "0", *words)
        assert status != 0 and out == "" and message in err, (settings, err)


def test_qctl__wrong_command_lines__say_what_is_missing(keys, project):
    private, public = keys("k")
    directory = project()
    for words, message in (
            (("sign", directory), "--key FILE is missing"),
            (("verify", directory), "--key FILE is missing"),
            (("keygen",), "--out PREFIX is missing"),
            (("keygen", "--out", "x", "--type", "rsa"), "expected ed25519 or ecdsa-p256, got 'rsa'"),
            (("sign", "--key", private, "--embed", "--native", public, directory), "does not go with --native")):
        assert message in run("", "udf", *words, status=USAGE).err
    assert "it holds no private key" in run("", "udf", "sign", "--key", public, directory, status=11).err
    (directory / "manifest.json").write_text("{}")
    assert "'name' is missing" in run("", "udf", "sign", "--key", private, directory, status=32).err


# ---- the audit log --------------------------------------------------------------------------------------------------

ZEROS = "0" * 64


def audit(api, **filters):
    query = "&".join("%s=%s" % item for item in {"size": 1000, **filters}.items())
    return api.ok("GET", "/api/v1/audit?" + query)


def digest_of(entry):
    body = {k: v for k, v in entry.items() if k not in ("prev", "digest", "damaged")}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256((entry["prev"] + "\n" + text).encode()).hexdigest()


def check_chain(entries):
    """Newest first, whole pages of a log that was not trimmed: without a word of the server's."""
    for entry, before in zip(entries, entries[1:] + [{"digest": ZEROS, "seq": 0}]):
        assert entry["digest"] == digest_of(entry) and entry["prev"] == before["digest"], entry
        assert entry["seq"] == before["seq"] + 1 and "damaged" not in entry


def wait_for_refusals(api, action, n):
    """Refusals are written by a thread: asks until it has written `n`."""
    while True:
        entries = [e for e in audit(api, action=action)["entries"] if e["outcome"] != "ok"]
        total = sum(e["count"] for e in entries) + sum(e["count"] for e in audit(api, action="request")["entries"])
        assert total <= n
        if total == n:
            return entries


def test_audit__every_change__is_there_with_who_and_what(make_daemon):
    d = make_daemon()
    api, url = d.api, url_of(d)
    one = api.ok("POST", "/api/v1/udfs", registration(manifest(version="1.0.0")))
    api.ok("POST", "/api/v1/udfs", registration(manifest(version="2.0.0")))
    api.ok("POST", "/api/v1/udfs/below/activate", {"version": "1.0.0"})
    api.ok("POST", "/api/v1/udfs/below/rollback", {})
    api.ok("POST", "/api/v1/udfs", registration(manifest("größe".replace("ö", "o").replace("ß", "ss"))))
    api.ok("DELETE", "/api/v1/udfs/below/1.0.0")
    answer = audit(api)
    entries = answer["entries"]
    assert [(e["action"], e["name"], e["version"]) for e in reversed(entries)] == [
        ("register", "below", "1.0.0"), ("register", "below", "2.0.0"), ("activate", "below", "1.0.0"),
        ("rollback", "below", "2.0.0"), ("register", "grosse", "1.0.0"), ("delete", "below", "1.0.0")]
    assert answer["total"] == 6 and {e["outcome"] for e in entries} == {"ok"}
    assert {e["actor"] for e in entries} == {"anonymous"} and {e["remote"] for e in entries} == {"127.0.0.1"}
    assert entries[-1]["hash"] == one["hash"] == hashlib.sha256(MODULE).hexdigest()
    check_chain(entries)

    assert audit(api, udf="below")["total"] == 5
    assert audit(api, udf="below@1.0.0")["total"] == 3
    assert audit(api, action="register")["total"] == 3
    assert audit(api, action="register", udf="grosse", actor="anonymous")["total"] == 1
    assert audit(api, actor="nobody")["total"] == 0
    third = entries[3]["at"]
    assert audit(api, since=third)["total"] + audit(api, until=third)["total"] >= 7  # it is in both
    assert audit(api, since="2999-01-01")["total"] == 0
    pages = [audit(api, size=4, page=p)["entries"] for p in (1, 2, 3)]
    assert [len(p) for p in pages] == [4, 2, 0] and pages[0] + pages[1] == entries
    assert "expected one of register" in api.call("GET", "/api/v1/audit?action=fly").text
    assert api.call("GET", "/api/v1/audit?size=1001").status == 400

    shown = run(url, "audit", "--udf", "below", "--size", "2").out
    for text in ("delete", "below@1.0.0", "anonymous 127.0.0.1", "2 of 5 entries"):
        assert text in shown
    assert json.loads(run(url, "audit", "--json", "--size", "1000").out) == audit(api)
    assert "intact: 6 entries, 1 to 6, head " + entries[0]["digest"] in run(url, "audit", "--verify").out


def test_audit__a_quarantine_and_its_end__are_recorded(make_daemon, index):
    d = make_daemon({"quarantine.failures": 1})
    trap = '(module (func (export "filter") (param f64) (result i32) unreachable))'
    d.api.ok("POST", "/api/v1/udfs", {"name": "traps", "version": "1.0.0", "kind": "filter", "abi": "typed",
                                      "parameters": PARAMETERS[:1], "language": "wat", "source": trap})
    d.api.create(index, {"price": {"type": "double"}})
    d.api.load(index, {"a": {"price": 4}})
    assert d.api.post("/%s/_search" % index, {"query": {"wasm_udf": {"name": "traps"}}}).status == 500
    entry = audit(d.api, action="quarantine")["entries"][0]
    assert (entry["name"], entry["version"], entry["actor"], entry["outcome"]) == ("traps", "1.0.0", "quidditch", "ok")
    assert "unreachable" in entry["detail"]
    assert entry["hash"] == d.api.ok("GET", "/api/v1/udfs/traps/1.0.0")["hash"]
    assert audit(d.api, udf="traps@1.0.0", action="quarantine", actor="quidditch")["total"] == 1
    assert audit(d.api, udf="traps@1.0.0", action="quarantine", actor="anonymous")["total"] == 0
    d.api.ok("POST", "/api/v1/udfs/traps/1.0.0/reinstate", {})
    entry = audit(d.api, udf="traps")["entries"][0]
    assert (entry["action"], entry["actor"]) == ("reinstate", "anonymous")
    assert entry["hash"] == d.api.ok("GET", "/api/v1/udfs/traps/1.0.0")["hash"]
    check_chain(audit(d.api)["entries"])


def test_audit__a_flood_of_refusals__is_a_few_entries_and_all_are_counted(make_daemon):
    d = make_daemon()
    n = 400
    body = json.dumps(registration(manifest(permissions=["clock"], memory_required_bytes=1), {"bad": 1}))
    d.api.ok("POST", "/api/v1/udfs", registration(manifest("kept")))
    d.stop()
    d.settings["trust.policy"] = "warn"
    api = d.start()

    def refuse(_):
        answer = api.post("/api/v1/udfs", body)
        assert answer.status == 403, answer

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(refuse, range(n)))
    entries = wait_for_refusals(api, "register", n)
    assert len(entries) < n / 4
    whole = audit(api)["entries"]
    assert whole[-1]["name"] == "kept"  # in the chain over the restart
    check_chain(whole)


def test_audit__kill_9__loses_no_change_that_was_answered(make_daemon):
    d = make_daemon()
    answered = []
    for round_ in range(3):
        for i in range(5):
            version = "1.%d.%d" % (round_, i)
            d.api.ok("POST", "/api/v1/udfs", registration(manifest(version=version)))
            answered.append(version)
        d.kill()
        d.start()
        entries = audit(d.api)["entries"]
        assert [e["version"] for e in reversed(entries)] == answered
        check_chain(entries)
        assert d.api.ok("GET", "/api/v1/audit/_verify")["intact"] is True


def test_audit__a_byte_changed_on_disk__is_found(make_daemon):
    d = make_daemon()
    for name in ("first", "second", "third"):
        d.api.ok("POST", "/api/v1/udfs", registration(manifest(name)))
    d.stop()
    path = d.data / "meta" / "data.mdb"
    stored = path.read_bytes()
    assert stored.count(b"second1.0.0") >= 1
    path.write_bytes(stored.replace(b"second1.0.0", b"secund1.0.0"))
    api = d.start()
    report = api.ok("GET", "/api/v1/audit/_verify")
    assert report["intact"] is False and report["bad_seq"] == 2 and report["entries"] == 1
    entries = audit(api)["entries"]
    assert [e.get("damaged", False) for e in entries] == [False, True, False]
    assert digest_of(entries[1]) != entries[1]["digest"]
    assert "broken at entry 2" in run(url_of(d), "audit", "--verify", status=IO_ERROR).err
    assert "DAMAGED" in run(url_of(d), "audit").out
    api.ok("POST", "/api/v1/udfs", registration(manifest("fourth")))  # the log goes on
    assert audit(api)["total"] == 4


def test_start__audit_log_of_an_earlier_layout__is_not_passed_over(tmp_path):
    (tmp_path / "data" / "audit").mkdir(parents=True)
    status, out, err = run_to_end("--data", tmp_path / "data", "--port", "0")
    assert status != 0 and out == ""
    assert "'%s/data/audit' is the audit log of an earlier version" % tmp_path in err and "move that directory" in err


def test_audit__more_than_fits__keeps_the_newest_in_one_chain(make_daemon):
    d = make_daemon({"audit.max_bytes": "64kb"})
    d.api.ok("POST", "/api/v1/udfs", registration(manifest(version="1.0.0")))
    d.api.ok("POST", "/api/v1/udfs", registration(manifest(version="2.0.0")))
    for i in range(260):
        d.api.ok("POST", "/api/v1/udfs/below/activate", {"version": "%d.0.0" % (i % 2 + 1)})
    report = d.api.ok("GET", "/api/v1/audit/_verify")
    assert report["intact"] and report["first_seq"] > 1 and report["last_seq"] == 262
    entries = audit(d.api)["entries"]
    assert len(entries) == report["entries"] and entries[0]["seq"] == 262 and report["head"] == entries[0]["digest"]
    for entry, before in zip(entries, entries[1:]):
        assert entry["prev"] == before["digest"] and entry["digest"] == digest_of(entry)
