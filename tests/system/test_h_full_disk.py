# SPDX-License-Identifier: Apache-2.0
"""Files that cannot be written: an index refuses writes, goes on answering, and heals by itself when there is room."""
import os
import re
import resource
import subprocess
import threading
import time

import pytest

from support import SLOW_FACTOR

HEAL_S = 60 * SLOW_FACTOR
NO_LIMIT = resource.RLIM_INFINITY


class ByLimit:
    """No file may grow past some size: what is written beyond fails with EFBIG. Needs no rights."""

    def __init__(self, daemon):
        self.daemon = daemon

    def fill(self, bytes_left=4096):
        resource.prlimit(self.daemon.process.pid, resource.RLIMIT_FSIZE, (bytes_left, NO_LIMIT))

    def free(self):
        resource.prlimit(self.daemon.process.pid, resource.RLIMIT_FSIZE, (NO_LIMIT, NO_LIMIT))


class ByFileSystem:
    """A file system of 24 MiB, filled to its last byte by a file of ours."""

    def __init__(self, directory):
        self.ballast = directory / "ballast"

    def fill(self):
        with open(self.ballast, "wb", buffering=0) as f:
            for size in (1 << 20, 4096):
                try:
                    while f.write(bytes(size)) == size:
                        pass
                except OSError:
                    pass

    def free(self):
        self.ballast.unlink()


def until(condition, what):
    """Waits for what must come."""
    deadline = time.monotonic() + HEAL_S
    while not (value := condition()):
        assert time.monotonic() < deadline, "not in %d s: %s" % (HEAL_S, what)
        time.sleep(0.02)
    return value


def metric(daemon, name):
    return float(re.search(r"^%s (\S+)$" % name, daemon.api.get("/metrics").text, re.M)[1])


def health(daemon, index="i"):
    rows = {row["index"]: row["health"] for row in daemon.api.ok("GET", "/_cat/indices?format=json")}
    return rows[index]


def put(daemon, key, refresh=False):
    path = "/i/_doc/%s%s" % (key, "?refresh=true" if refresh else "")
    return daemon.api.put(path, {"n": 1, "text": "red " + key * 50})


def fill_and_fail(daemon, disk, acked):
    """Writes until a write is refused; adds the ids that were acknowledged. The answer that refused."""
    disk.fill()
    for i in range(100000):
        key = "full-%d-%d" % (len(acked), i)
        answer = put(daemon, key, refresh=i % 10 == 9)
        if answer.status == 503:
            return answer
        assert answer.status in (200, 201), answer
        acked.add(key)
    raise AssertionError("the disk was never full")


def heal_and_check(daemon, disk, acked):
    before = metric(daemon, "quidditch_indices_reopened_total")
    disk.free()
    until(lambda: health(daemon) == "green", "the index is green")
    assert metric(daemon, "quidditch_indices_failed") == 0
    assert metric(daemon, "quidditch_indices_reopened_total") >= before
    key = "after-%d" % len(acked)
    assert until(lambda: put(daemon, key, refresh=True).status in (200, 201), "writes are taken")
    acked.add(key)
    assert_exactly(daemon, acked)


def assert_exactly(daemon, acked):
    """Each acknowledged document is there once; what was refused may be there or not, but not twice."""
    daemon.api.refresh("i")
    found = daemon.api.search("i", {"match_all": {}}, size=10000)["hits"]["hits"]
    ids = [hit["_id"] for hit in found]
    assert len(ids) == len(set(ids))
    assert acked <= set(ids)
    for key in list(acked)[:20]:
        assert daemon.api.ok("GET", "/i/_doc/%s" % key)["found"] is True


def make_index(daemon):
    daemon.api.create("i", {"n": {"type": "long"}, "text": {"type": "text"}}, refresh_interval="-1")
    daemon.api.create("other", {"n": {"type": "long"}})
    acked = set()
    for i in range(20):
        assert put(daemon, "early-%d" % i).status == 201
        acked.add("early-%d" % i)
    daemon.api.refresh("i")
    return acked


def exercise(daemon, disk):
    acked = make_index(daemon)
    for _ in range(2):
        answer = fill_and_fail(daemon, disk, acked)
        assert answer.json["error"]["type"] == "unavailable_shards_exception"
        assert answer.json["error"]["reason"].startswith(
            "index 'i' takes no writes until it has been opened again, which is tried by itself: ")
        assert answer.headers["Retry-After"] == "1"
        # Reading goes on, on what was searchable before.
        assert daemon.api.ok("GET", "/i/_count")["count"] >= 20
        assert daemon.api.ok("GET", "/i/_doc/early-0")["found"] is True
        heal_and_check(daemon, disk, acked)
    daemon.kill()
    daemon.start()
    assert_exactly(daemon, acked)


def test_files_that_may_not_grow__heals_and_loses_nothing(restartable):
    exercise(restartable, ByLimit(restartable))


def test_full_file_system__heals_and_loses_nothing(make_daemon, tmp_path):
    directory = tmp_path / "0"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(directory)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("file systems cannot be mounted here")
    try:
        daemon = make_daemon({"index.writer_memory_bytes": "15mb"})
        exercise(daemon, ByFileSystem(directory))
        daemon.stop()
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def test_failed_index__is_red_until_it_is_healed(restartable):
    api, disk = restartable.api, ByLimit(restartable)
    acked = make_index(restartable)
    # More in the log than a file may hold: opening it again fails until there is room, however long that takes.
    assert api.put("/i/_doc/large", {"n": 1, "text": " ".join(os.urandom(8).hex() for _ in range(4000))}).status == 201
    acked.add("large")
    fill_and_fail(restartable, disk, acked)
    assert health(restartable) == "red" and health(restartable, "other") == "green"
    assert [row["index"] for row in api.ok("GET", "/_cat/indices?format=json&health=red")] == ["i"]
    cluster = api.ok("GET", "/_cluster/health")
    assert cluster["status"] == "red" and cluster["unassigned_shards"] == 1 and cluster["active_shards"] == 1
    assert cluster["active_shards_percent_as_number"] == 50.0 and cluster["timed_out"] is False
    assert api.ok("GET", "/_cluster/health/other?wait_for_status=green")["status"] == "green"
    waited = api.get("/_cluster/health?wait_for_status=green&timeout=1s")
    assert waited.status == 408 and waited.json["timed_out"] is True
    assert api.ok("GET", "/_cat/health?format=json")[0]["status"] == "red"
    assert metric(restartable, "quidditch_indices_failed") == 1
    # What is written in bulk is told item by item; other indices are not concerned.
    bulk = api.bulk(None, [({"index": {"_index": "i", "_id": "x"}}, {"n": 1})])
    assert bulk["errors"] is True and bulk["items"][0]["index"]["status"] == 503
    assert api.call("POST", "/i/_refresh").status == 503
    heal_and_check(restartable, disk, acked)
    assert api.ok("GET", "/_cluster/health?wait_for_status=green")["status"] == "green"


def test_searches__go_on_while_it_fails_and_heals(restartable):
    disk, acked = ByLimit(restartable), make_index(restartable)
    stop, failures, counts = threading.Event(), [], []

    def search():
        while not stop.is_set():
            answer = restartable.api.call("GET", "/i/_count")
            if answer.status != 200:
                failures.append(answer)
            else:
                counts.append(answer.json["count"])

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            fill_and_fail(restartable, disk, acked)
            heal_and_check(restartable, disk, acked)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures and counts and min(counts) >= 20


def test_index_that_could_not_be_opened__is_opened_later(restartable):
    acked = make_index(restartable)
    uuid = restartable.api.ok("GET", "/_cat/indices/i?format=json")[0]["uuid"]
    data = restartable.data / "indices" / uuid / "data"
    restartable.stop()
    data.rename(data.with_name("aside"))
    restartable.start()
    count = restartable.api.get("/i/_count")
    assert count.status == 503 and count.headers["Retry-After"] == "1"
    assert count.json["error"]["type"] == "unavailable_shards_exception"
    assert count.json["error"]["reason"].endswith("; opening it is tried again by itself")
    for which, status in (("", "red"), ("/_all", "red"), ("/*", "red"), ("/i", "red"), ("/other,i", "red"),
                          ("/o*,other", "green"), ("/other", "green")):
        assert restartable.api.ok("GET", "/_cluster/health" + which)["status"] == status, which
    assert restartable.api.ok("GET", "/_cluster/health/i,i,*")["unassigned_shards"] == 1
    data.with_name("aside").rename(data)
    until(lambda: restartable.api.ok("GET", "/_cluster/health")["status"] == "green", "the index is open")
    assert_exactly(restartable, acked)
    assert put(restartable, "later").status == 201
