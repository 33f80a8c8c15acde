# SPDX-License-Identifier: Apache-2.0
"""Starting and stopping: configuration and its errors, readiness, signals."""
import os
import pathlib
import signal
import socket
import threading
import time

import pytest

from daemon import ROOT, SLOW_FACTOR, VERSION, Daemon, run_to_end

INVALID = 11  # exit status of QD_EINVAL


def test_version_and_help():
    status, out, errors = run_to_end("--version")
    assert (status, out, errors) == (0, "quidditchd %s\n" % VERSION, "")
    status, out, errors = run_to_end("--help")
    assert status == 0 and "usage: quidditchd" in out and errors == ""


def test_help_config__is_the_reference():
    status, out, _ = run_to_end("--help-config")
    assert status == 0
    assert out == (ROOT / "docs" / "reference" / "config.md").read_text(encoding="utf-8"), \
        "run: quidditchd --help-config > docs/reference/config.md"


@pytest.mark.parametrize("arguments, environment, message", [
    (["--prot", "1"], {}, "unknown argument '--prot'; `quidditchd --help` lists the flags"),
    (["--port"], {}, "--port: expected a value after it"),
    (["--port", "70000"], {}, "--port: http.port: expected 0 to 65535 (port number), got 70000"),
    (["--set", "http.prot=1"], {}, "--set: unknown key 'http.prot'; `quidditchd --help-config` lists the keys"),
    ([], {"QUIDDITCH_HTTP_PORT": "x"}, "environment: http.port: expected a number (port number), got 'x'"),
    ([], {"QUIDDITCH_HTTP_PROT": "1"},
     "environment: QUIDDITCH_HTTP_PROT is no key; `quidditchd --help-config` lists the keys"),
])
def test_bad_configuration__is_refused_in_one_sentence(arguments, environment, message):
    assert run_to_end(*arguments, **environment) == (INVALID, "", "quidditchd: %s\n" % message)


def test_bad_file__is_refused_with_its_line(tmp_path):
    file = tmp_path / "quidditch.yaml"
    file.write_text("http:\n  port: 0\n  threads: many\n")
    status, _, errors = run_to_end("--config", file)
    message = "quidditchd: %s, line 3: http.threads: expected a number (threads), got 'many'\n" % file
    assert (status, errors) == (INVALID, message)


def test_host_that_is_none__is_refused(tmp_path):
    status, _, errors = run_to_end("--data", tmp_path / "d", "--port", "0", "--host", "no such host")
    assert status == INVALID and "http.host: 'no such host' is no address to listen on" in errors


def test_port_in_use__is_told(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        status, _, errors = run_to_end("--data", tmp_path / "d", "--port", taken.getsockname()[1])
    assert status != 0 and "cannot listen on 127.0.0.1 port" in errors and "in use" in errors


def test_data_directory_that_cannot_be_made__is_told(tmp_path):
    (tmp_path / "file").write_text("")
    status, _, errors = run_to_end("--data", tmp_path / "file" / "data", "--port", "0")
    assert status != 0 and str(tmp_path / "file") in errors


def test_file_environment_and_flags__in_this_order(tmp_path, monkeypatch):
    file = tmp_path / "quidditch.yaml"
    file.write_text("node: {name: of-the-file}\ncluster.name: of-the-file\nhttp.port: 1\n")
    monkeypatch.setenv("QUIDDITCH_CONFIG", str(file))
    daemon = Daemon(tmp_path, {"cluster.name": "of-the-flag"})
    daemon.arguments_of_class = daemon.arguments
    daemon.arguments = lambda: ["--config", str(file), *daemon.arguments_of_class()]
    api = daemon.start()
    about = api.ok("GET", "/")
    daemon.stop()
    assert (about["name"], about["cluster_name"]) == ("of-the-file", "of-the-flag")


def test_ready__means_it_answers(make_daemon):
    daemon = make_daemon()
    assert daemon.api.get("/").status == 200


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_signal__ends_in_order(make_daemon, how):
    daemon = make_daemon()
    daemon.api.load("kept", {"1": {"a": 1}})
    daemon.stop(how)
    api = daemon.start()
    assert api.ok("GET", "/kept/_doc/1")["_source"] == {"a": 1}


def test_identity__stays_over_restarts(make_daemon):
    daemon = make_daemon()
    first = daemon.api.ok("GET", "/")
    daemon.stop()
    assert daemon.start().ok("GET", "/") == first
    assert make_daemon().api.ok("GET", "/")["cluster_uuid"] != first["cluster_uuid"]


def test_stop__while_writes_run__loses_no_answer(make_daemon):
    """Whoever sent a whole request before the end gets its answer; what was answered is kept."""
    daemon = make_daemon()
    daemon.api.create("w", {"n": {"type": "long"}})
    api, acked, lock, started = daemon.api, set(), threading.Lock(), threading.Barrier(5)

    def write(t):
        started.wait()
        for i in range(100000):
            key = "%d-%d" % (t, i)
            try:
                answer = api.call("PUT", "/w/_doc/" + key, {"n": i})
            except OSError:
                return
            except Exception:  # http.client: the connection ended before an answer
                return
            if answer.status == 503:
                return
            assert answer.status == 201, answer
            with lock:
                acked.add(key)

    threads = [threading.Thread(target=write, args=(t,)) for t in range(4)]
    for thread in threads:
        thread.start()
    started.wait()
    while len(acked) < 20:
        pass
    daemon.stop()
    for thread in threads:
        thread.join()
    api = daemon.start()
    api.refresh("w")
    assert api.count("w") >= len(acked)
    for key in acked:
        assert api.get("/w/_doc/" + key).status == 200


def test_host_beyond_loopback__is_warned_about(tmp_path):
    daemon = Daemon(tmp_path, {"http.host": "0.0.0.0"})
    try:
        daemon.start()
    except AssertionError as e:  # its line names 0.0.0.0, which is no address to call
        assert "ready http://0.0.0.0:" in str(e)
    assert "warning: listening beyond loopback" in daemon.errors()


def test_descriptors__are_closed_when_connections_end(make_daemon):
    daemon = make_daemon()
    directory = pathlib.Path("/proc/%d/fd" % daemon.process.pid)
    daemon.api.get("/")
    before = len(os.listdir(directory))
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", daemon.port)) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            while s.recv(65536):
                pass
    deadline = time.monotonic() + 30 * SLOW_FACTOR
    while len(os.listdir(directory)) > before + 5:  # a client sees the end before the descriptor is closed
        assert time.monotonic() < deadline
