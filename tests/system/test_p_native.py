# SPDX-License-Identifier: Apache-2.0
"""Native code over the life of a node: optimized behind its back, kept on disk, made ahead of time, refused where it is
not fit."""
import json
import stat

from test_g_cli import run
from test_k_trust import url_of

WAT = """(module (func (export "score") (param $x f64) (result f64) (local $i i32)
  (loop $l (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $l (i32.lt_u (local.get $i) (i32.const 3))))
  (f64.add (local.get $x) (f64.const %d))))"""
MANIFEST = {"name": "plus", "version": "1.0.0", "function_name": "score", "kind": "score", "abi": "typed",
            "parameters": [{"name": "x", "type": "f64", "from": "_source.x"}]}
COMPILATION_FAILED = 34


def project(tmp_path, add=1):
    directory = tmp_path / "plus"
    directory.mkdir(exist_ok=True)
    (directory / "manifest.json").write_text(json.dumps(MANIFEST))
    (directory / "plus.wat").write_text(WAT % add)
    return directory


def code_of(api):
    return api.ok("GET", "/api/v1/udfs/plus/1.0.0/status")["nodes"][0]


def score_of(api):
    answer = api.ok("POST", "/api/v1/udfs/plus/test", {"document": {"x": 41}})
    return answer["result"]


def test_code__after_a_restart__comes_from_disk(restartable, tmp_path):
    run(url_of(restartable), "udf", "deploy", project(tmp_path))
    assert score_of(restartable.api) == 42
    assert code_of(restartable.api)["source"] == "compiled"
    native = restartable.data / "native"
    assert stat.S_IMODE(native.stat().st_mode) == 0o700
    entries = [f for f in native.iterdir() if len(f.name) == 64]
    assert entries and all(stat.S_IMODE(f.stat().st_mode) == 0o600 for f in native.iterdir())

    restartable.stop()
    restartable.start()
    assert score_of(restartable.api) == 42
    assert code_of(restartable.api)["source"] == "cache"

    # A damaged entry is not run but made again.
    restartable.stop()
    for entry in entries:
        raw = bytearray(entry.read_bytes())
        raw[len(raw) // 2] ^= 1
        entry.write_bytes(raw)
    restartable.start()
    assert score_of(restartable.api) == 42
    assert code_of(restartable.api)["source"] == "compiled"
    assert score_of(restartable.api) == 42

    # Where others may write, nothing is read.
    restartable.stop()
    native.chmod(0o777)
    restartable.start()
    assert score_of(restartable.api) == 42
    assert code_of(restartable.api)["source"] == "compiled"
    assert "native" in restartable.errors() and "others may write there" in restartable.errors()


def test_code_made_ahead_of_time__signed__is_what_runs(make_daemon, tmp_path):
    key, public = tmp_path / "k.key", tmp_path / "k.pem"
    run("", "udf", "keygen", "--out", tmp_path / "k")
    daemon = make_daemon({"trust.policy": "warn", "trust.keys": public})
    directory, url = project(tmp_path), url_of(daemon)

    def deploy(native, status=0):
        signature = tmp_path / "native.sig"
        run("", "udf", "sign", "--key", key, "--native", native, directory, "--out", signature)
        return run(url, "udf", "deploy", directory, "--native", native, "--native-signature", signature, status=status)

    made = {target: tmp_path / (target + ".cwasm") for target in ("x86_64", "aarch64")}
    for target, path in made.items():
        assert "for %s into" % target in run("", "udf", "compile", directory, "--target", target, "--out", path).out
    run("", "udf", "compile", directory)
    own = directory / "plus.cwasm"
    fit, foreign = sorted(made.values(), key=lambda path: path.read_bytes()[80:96] != own.read_bytes()[80:96])

    assert "it was made for" in deploy(foreign, COMPILATION_FAILED).err
    (directory / "plus.wat").write_text(WAT % 2)
    assert "it was made from another module" in deploy(fit, COMPILATION_FAILED).err
    (directory / "plus.wat").write_text(WAT % 1)
    deploy(fit)
    assert code_of(daemon.api)["source"] == "aot"
    assert code_of(daemon.api)["tier"] == "optimized"
    assert score_of(daemon.api) == 42
    daemon.stop()
    daemon.start()
    assert score_of(daemon.api) == 42
    assert code_of(daemon.api)["source"] == "aot"


def test_compile__unknown_target__names_those_that_there_are(tmp_path):
    wrong = run("", "udf", "compile", project(tmp_path), "--target", "sparc", status=11)
    assert "the target 'sparc' is unknown: expected x86_64 or aarch64" in wrong.err
