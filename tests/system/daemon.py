# SPDX-License-Identifier: Apache-2.0
"""A quidditchd of our own: its data directory, its process, its end."""
import os
import pathlib
import re
import selectors
import signal
import subprocess
import time

from support import SLOW_FACTOR, Api

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("QD_BUILD", ROOT / "build" / "release"))
QUIDDITCHD = BUILD / "bin" / "quidditchd"
VERSION = re.search(r'QD_VERSION_STRING "([^"]+)"', (ROOT / "include/quidditch/version.h").read_text())[1]
READY = re.compile(rb"ready http://(127\.0\.0\.1|\[::1\]):([0-9]+)\n")
START_S = 30 * SLOW_FACTOR
STOP_S = 30 * SLOW_FACTOR


def clean_environment(**more):
    """Ours, without what configures the daemon."""
    return {**{k: v for k, v in os.environ.items() if not k.startswith("QUIDDITCH_")}, **more}


def run_to_end(*arguments, **environment):
    """A quidditchd that is expected to end by itself: (exit status, stdout, stderr)."""
    done = subprocess.run([QUIDDITCHD, *map(str, arguments)], env=clean_environment(**environment), capture_output=True,
                          timeout=START_S, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


# Tests register and ask as fast as they can; those of the limits themselves set them.
UNLIMITED = {"rate_limit." + key: 0
             for key in ("register_per_minute", "delete_per_minute", "query_per_second", "stats_per_second")}


class Daemon:
    """Made stopped. `settings` are configuration keys; they stay over restarts."""

    def __init__(self, directory, settings=None):
        self.directory = pathlib.Path(directory)
        self.data = self.directory / "data"
        self.log = self.directory / "stderr.log"
        self.settings = {**UNLIMITED, **(settings or {})}
        self.process = self.api = self.port = None

    def arguments(self):
        settings = [part for key, value in self.settings.items() for part in ("--set", "%s=%s" % (key, value))]
        return ["--data", str(self.data), "--port", "0", *settings]

    def start(self):
        assert self.process is None, "it runs already"
        self.directory.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([QUIDDITCHD, *self.arguments()], env=clean_environment(),
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        line = self.read_line(START_S)
        ready = READY.fullmatch(line)
        if not ready:
            self.process.kill()
            self.process.wait()
            raise AssertionError("no line of readiness but %r; stderr:\n%s" % (line, self.errors()))
        self.port = int(ready[2])
        self.api = Api("127.0.0.1", self.port)
        return self.api

    def read_line(self, seconds):
        line, deadline, stdout = b"", time.monotonic() + seconds, self.process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n") and selector.select(max(0, deadline - time.monotonic())):
                byte = os.read(stdout.fileno(), 1)
                if not byte:
                    break
                line += byte
        return line

    def errors(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def ended(self):
        self.api.close()
        self.process.stdout.close()
        self.process = self.api = None

    def stop(self, how=signal.SIGTERM):
        """Asks it to end, and expects that it does so in order."""
        if self.process is None:
            return
        process = self.process
        process.send_signal(how)
        try:
            status = process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            self.ended()
            raise AssertionError("it did not end within %d s; stderr:\n%s" % (STOP_S, self.errors())) from None
        rest = process.stdout.read()
        self.ended()
        assert status == 0, "exit status %d; stderr:\n%s" % (status, self.errors())
        assert rest == b"", "more than the line of readiness on stdout: %r" % rest

    def kill(self):
        """As a power cut, as far as the process sees."""
        self.process.kill()
        self.process.wait()
        self.ended()

    def start_another(self):
        """A second daemon on the same directory, which must end by itself: (exit status, stderr)."""
        status, _, errors = run_to_end(*self.arguments())
        return status, errors

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def resident_bytes(self):
        with open("/proc/%d/statm" % self.process.pid, encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
