# SPDX-License-Identifier: Apache-2.0
"""The two servers of the benchmark, started and stopped alike, and what is read of their processes."""
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "quidditch"
INDEX = "bench"
TICKS = os.sysconf("SC_CLK_TCK")


class Failure(Exception):
    """A sentence for the person who runs the benchmark."""


class Client:
    """One keep-alive connection, one request at a time."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, method, path, body=None, content_type="application/json"):
        """(status, bytes)"""
        self.connection.request(method, path, body, {"Content-Type": content_type} if body is not None else {})
        response = self.connection.getresponse()
        return response.status, response.read()

    def call(self, method, path, body=None, content_type="application/json"):
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        status, data = self.send(method, path, body, content_type)
        if status >= 300:
            raise Failure("%s %s answered %d: %s" % (method, path, status, data[:600].decode(errors="replace")))
        return json.loads(data) if data else None


class Server:
    """A server process with a data directory of its own, on a free port of the loopback interface."""
    name = ready_pattern = None

    def __init__(self, work):
        self.home = pathlib.Path(work) / self.name.lower()
        self.process = self.client = None
        self.log = pathlib.Path(work) / (self.name.lower() + ".log")

    def command(self):
        raise NotImplementedError

    def start(self):
        """Starts it; seconds until it answered GET /."""
        start = time.perf_counter()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=subprocess.STDOUT,
                                            start_new_session=True)
        while True:
            match = re.search(self.ready_pattern, self.log.read_text(errors="replace"))
            if match:
                break
            if self.process.poll() is not None:
                raise Failure("%s ended while starting; its output:\n%s" % (self.name, self.log.read_text()[-2000:]))
            if time.perf_counter() - start > 120:
                raise Failure("%s did not get ready within two minutes: see %s" % (self.name, self.log))
            time.sleep(0.001)
        if match.groups():
            self.port = int(match.group(1))
        self.client = Client(self.port)
        self.version = self.describe(self.client.call("GET", "/"))
        return time.perf_counter() - start

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def forget(self):
        shutil.rmtree(self.home, ignore_errors=True)

    def resident_kb(self):
        """(all of it, without pages of files)"""
        with open("/proc/%d/status" % self.process.pid, encoding="ascii") as f:
            fields = dict(line.split(":", 1) for line in f)
        return int(fields["VmRSS"].split()[0]), int(fields["RssAnon"].split()[0])

    def resident_mb(self):
        return self.resident_kb()[0] / 1024

    def cpu_s(self):
        fields = open("/proc/%d/stat" % self.process.pid, encoding="ascii").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


class Quidditch(Server):
    name, ready_pattern = "Quidditch", r"ready http://127\.0\.0\.1:(\d+)\n"

    def __init__(self, work, build):
        super().__init__(work)
        self.program = pathlib.Path(build) / "bin" / "quidditchd"
        if not self.program.exists():
            raise Failure("%s is missing: build it first (cmake --preset release && cmake --build --preset release)" %
                          self.program)

    def command(self):
        limits = ("register_per_minute", "delete_per_minute", "query_per_second", "stats_per_second")
        unlimited = [part for key in limits for part in ("--set", "rate_limit.%s=0" % key)]
        return [self.program, "--data", self.home, "--port", "0", *unlimited]

    @staticmethod
    def describe(root):
        return root.get("quidditch", {}).get("version") or root["version"]["number"]


class OpenSearch(Server):
    name, ready_pattern = "OpenSearch", r"PEER READY"

    def __init__(self, work, heap):
        super().__init__(work)
        self.heap = heap
        self.lib = CACHE / "bench-opensearch-3.1.0"
        if subprocess.run([HERE / "opensearch" / "build.sh", self.lib], check=False).returncode:
            raise Failure("building the peer failed: see bench/README.md, or run without it (--no-peer)")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]

    def command(self):
        return [HERE / "opensearch" / "run.sh", self.lib, self.home, str(self.port), self.heap]

    @staticmethod
    def describe(root):
        return root["version"]["number"]
