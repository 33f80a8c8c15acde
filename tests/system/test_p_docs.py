# SPDX-License-Identifier: Apache-2.0
"""The documents' examples, run as they stand.

A document is run from top to bottom in an empty directory of its own, against a server of its own. A fenced block with
`file=NAME` behind its language is written to that file. In a block of `sh`, each line that begins with "$ " is a
command (a line that ends in a backslash goes on in the next one), and the lines below it are what it must print. In
these, `…` stands for anything; of JSON, blanks and line ends do not count. A command without any must succeed, whatever
it prints. Blocks without "$ " are only read."""
import os
import pathlib
import re
import subprocess

import pytest

from daemon import BUILD, VERSION, Daemon

ROOT = pathlib.Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.M | re.S)
LEAST = {"README.md": 5, "docs/writing-functions.md": 40, "docs/authoring-tools.md": 4, "docs/functions-api.md": 8,
         "docs/guest-abi.md": 3}


def steps(path):
    """[(line, "file", name, text) or (line, "run", command, expected)] of a document."""
    text = path.read_text(encoding="utf-8")
    found = []
    for block in FENCE.finditer(text):
        language, name, body = block.groups()
        line = text.count("\n", 0, block.start()) + 1
        if name:
            found.append((line, "file", name, body))
        elif language == "sh" and body.startswith("$ "):
            found += commands(body, line)
    return found


def commands(body, line):
    found = []
    lines = iter(enumerate(body.splitlines(), line + 1))
    for number, words in lines:
        if not words.startswith("$ "):
            found[-1][3].append(words)
            continue
        command = words[2:]
        while command.endswith("\\") or command.count("'") % 2:
            command += "\n" + next(lines)[1]
        found.append((number, "run", command, []))
    return [(number, what, command, "\n".join(expected)) for number, what, command, expected in found]


def is_as_shown(expected, printed):
    if expected.lstrip().startswith(("{", "[")):
        expected, printed = re.sub(r"\s+", "", expected), re.sub(r"\s+", "", printed)
    expected, printed = (re.sub(r" +$", "", text, flags=re.M) for text in (expected, printed))
    pattern = ".*?".join(re.escape(part) for part in expected.strip().split("…"))
    return re.fullmatch(pattern, printed.strip(), re.S) is not None


def documents():
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [str(path.relative_to(ROOT)) for path in found if any(step[1] == "run" for step in steps(path))]


@pytest.fixture
def shell(tmp_path):
    """run(command): (status, what it printed). The server is the one that documents call localhost:9200."""
    daemon = Daemon(tmp_path / "server")
    daemon.start()
    place = tmp_path / "here"
    place.mkdir()
    for name in ("sdk", "examples"):
        (place / name).symlink_to(ROOT / name)
    environment = {**os.environ, "PATH": "%s:%s" % ((BUILD / "bin").resolve(), os.environ["PATH"]),
                   "QCTL_URL": "http://127.0.0.1:%d" % daemon.port}

    def run(command):
        command = command.replace("localhost:9200", "127.0.0.1:%d" % daemon.port)
        done = subprocess.run(["bash", "-c", command], env=environment, cwd=place, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
        return done.returncode, done.stdout

    run.place = place
    yield run
    assert daemon.is_alive(), "the server has died; stderr:\n%s" % daemon.errors()
    daemon.stop()


@pytest.mark.parametrize("name", documents())
def test_examples__run_as_they_stand(shell, name):
    for line, what, subject, body in steps(ROOT / name):
        at = "%s:%d: %s" % (name, line, subject)
        if what == "file":
            path = shell.place / subject
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body, encoding="utf-8")
            continue
        status, printed = shell(subject)
        if body:
            assert is_as_shown(body, printed), "%s\n%s\n--- shown:\n%s" % (at, printed, body)
        else:
            assert status == 0, "%s: exit status %d\n%s" % (at, status, printed)


@pytest.mark.parametrize("name, pattern", [
    ("CHANGELOG.md", r"^## (\S+)"), ("sdk/rust/Cargo.toml", r'^version = "(.*)"'),
    ("sdk/assemblyscript/package.json", r'^  "version": "(.*)"'),
    ("sdk/assemblyscript/package-lock.json", r'^  "version": "(.*)"')])
def test_version__is_the_same_everywhere(name, pattern):
    assert re.search(pattern, (ROOT / name).read_text(encoding="utf-8"), re.M)[1] == VERSION


@pytest.mark.parametrize("name", LEAST)
def test_documents__that_are_to_be_run__have_commands(name):
    assert sum(step[1] == "run" for step in steps(ROOT / name)) >= LEAST[name]


@pytest.mark.parametrize("expected, printed, same", [
    ("a … c", "a b\nb c\n", True), ("a … c", "a b d", False), ("a", "a b", False), ("a.c", "abc", False),
    ('{"a": […], "b": 1}', '{"a":[1,2],\n "b":1}\n', True), ('{"a": 1}', '{"a":1,"b":2}', False)])
def test_comparing__what_is_shown(expected, printed, same):
    assert is_as_shown(expected, printed) is same
