# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the system tests. QD_BUILD names the build directory whose programs are driven; build/release else."""
import re
import uuid

import pytest

from daemon import QUIDDITCHD, Daemon
from support import CANARY, deploy_boosted, deploy_cheaper, deploy_divisible


def pytest_sessionstart(session):
    if not QUIDDITCHD.exists():
        pytest.exit("%s is not there: build first, or set QD_BUILD" % QUIDDITCHD, returncode=2)


def run_daemon(directory, settings=None):
    d = Daemon(directory, settings)
    d.start()
    try:
        yield d
        assert d.process is None or d.is_alive(), "it ended; stderr:\n%s" % d.errors()
    finally:
        d.stop()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    """One daemon for the tests of a file."""
    yield from run_daemon(tmp_path_factory.mktemp("daemon"))


@pytest.fixture(scope="module")
def api(daemon):
    return daemon.api


@pytest.fixture
def restartable(tmp_path):
    """A daemon of the test's own, to be stopped, killed and started again."""
    yield from run_daemon(tmp_path)


@pytest.fixture
def make_daemon(tmp_path):
    """make_daemon({"http.threads": 1}): a running daemon of the test's own with these settings."""
    made = []

    def make(settings=None):
        d = Daemon(tmp_path / str(len(made)), settings)
        made.append(d)
        d.start()
        return d

    yield make
    for d in made:
        d.stop()


@pytest.fixture(scope="module")
def client(daemon):
    """The official Python client, connected."""
    opensearchpy = pytest.importorskip("opensearchpy")
    client = opensearchpy.OpenSearch("http://127.0.0.1:%d" % daemon.port, timeout=120)
    yield client
    client.close()


@pytest.fixture
def index(request):
    """A name for an index that no other test uses."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower())[:100].strip("-")
    return "%s-%s" % (name, uuid.uuid4().hex[:8])


@pytest.fixture(scope="module")
def canary(api):
    """Documents and functions for the tests of bad input; still_exact looks after them."""
    api.create("canary", {"number": {"type": "long"}, "price": {"type": "double"}, "title": {"type": "text"},
                          "tag": {"type": "keyword"}})
    api.load("canary", CANARY)
    deploy_cheaper(api)
    deploy_divisible(api)
    deploy_boosted(api)
    yield
    api.ok("DELETE", "/canary")


@pytest.fixture
def still_exact(api, daemon):
    """After the test the daemon lives, and the canary is what it was."""
    yield
    assert daemon.is_alive(), "the daemon has died; stderr:\n%s" % daemon.errors()
    for name in ("hostile", "greedy", "slow"):
        api.delete("/api/v1/udfs/" + name)
    api.refresh("canary")
    hits = api.search("canary", {"match_all": {}}, size=100, sort=["number"])["hits"]
    assert {h["_id"]: h["_source"] for h in hits["hits"]} == CANARY and hits["total"]["value"] == 30
    functions = {"bool": {"filter": [{"wasm_udf": {"name": "cheaper", "parameters": {"limit": 20}}},
                                     {"wasm_udf": {"name": "divisible"}}]}}
    assert sorted(api.ids("canary", functions), key=int) == ["2", "4", "6", "8", "10", "12"]
