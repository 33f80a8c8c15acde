# SPDX-License-Identifier: Apache-2.0
"""kill -9 in the middle of loads: what was acknowledged is there, exactly once, as it was acknowledged; what was not is
there whole or not at all."""
import http.client
import random
import threading

from support import SLOW_FACTOR, scaled

ROUNDS = 8
CLIENTS = 4
PER_BULK = 25
ABSENT = None


class Client:
    """Writes to ids of its own. `acked` is what the daemon confirmed; `pending` are writes without an answer, any of
    which may have happened: at most one per id, for a client sends one request at a time and an id once in each."""

    def __init__(self, number, seed):
        self.number, self.random = number, random.Random(seed * 100 + number)
        self.acked, self.pending, self.next_id, self.version = {}, {}, 0, 0

    def make_writes(self):
        writes = {}
        for _ in range(PER_BULK):
            known = list(self.acked)
            kind = self.random.random()
            if kind < 0.6 or not known:
                key = "c%d-%d" % (self.number, self.next_id)
                self.next_id += 1
            else:
                key = self.random.choice(known)
            self.version += 1
            is_delete = kind > 0.9 and key in self.acked
            writes[key] = ABSENT if is_delete else {"client": self.number, "version": self.version,
                                                    "text": "word%d " % self.version * 20}
        return writes

    def run(self, api, on_ack):
        """Until the daemon is gone."""
        while True:
            writes = self.make_writes()
            self.pending = writes
            pairs = [({"delete": {"_id": key}}, None) if source is ABSENT else ({"index": {"_id": key}}, source)
                     for key, source in writes.items()]
            try:
                answer = api.bulk("crash", pairs, refresh=self.random.random() < 0.05)
            except (OSError, http.client.HTTPException):
                return
            for (key, source), item in zip(writes.items(), answer["items"]):
                outcome = next(iter(item.values()))
                assert outcome["_id"] == key and outcome["status"] in (200, 201, 404), outcome
                self.acked[key] = source
            self.pending = {}
            on_ack()

    def settle(self, api):
        """After a restart: each id is in one of its allowed states, which is what it is from now on."""
        for key in set(self.acked) | set(self.pending):
            allowed = [states[key] for states in (self.acked, self.pending) if key in states]
            if key not in self.acked:
                allowed.append(ABSENT)
            answer = api.get("/crash/_doc/" + key)
            found = answer.json["_source"] if answer.status == 200 else ABSENT
            assert answer.status in (200, 404) and found in allowed, (key, found, allowed)
            self.acked[key] = found
        self.pending = {}

    def alive(self):
        return {key: source for key, source in self.acked.items() if source is not ABSENT}


def search_everything(api):
    """[(id, source)] of all documents, in windows of versions so that no search is cut."""
    found, start, window = [], 0, 2000
    highest = api.search("crash", {"match_all": {}}, size=1, sort=[{"version": "desc"}])["hits"]["hits"]
    last = highest[0]["_source"]["version"] if highest else -1
    while start <= last:
        hits = api.search("crash", {"range": {"version": {"gte": start, "lt": start + window}}}, size=10000)["hits"]
        assert hits["total"]["value"] == len(hits["hits"])
        found += [(h["_id"], h["_source"]) for h in hits["hits"]]
        start += window
    return found


def crash_once(restartable, clients, moment):
    """Loads from all clients, kills the daemon after a random number of answers, with requests under way."""
    acks, enough, api = [0], threading.Event(), restartable.api
    wanted = moment.randint(1, scaled(60, 10))
    lock = threading.Lock()

    def on_ack():
        with lock:
            acks[0] += 1
            if acks[0] >= wanted:
                enough.set()

    failures = []

    def run(client):
        try:
            client.run(api, on_ack)
        except BaseException as e:
            failures.append(e)
            enough.set()

    threads = [threading.Thread(target=run, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    assert enough.wait(300 * SLOW_FACTOR)
    threading.Event().wait(moment.random() * 0.05)  # so that the kill falls anywhere, not only just after an answer
    restartable.kill()
    for thread in threads:
        thread.join(300 * SLOW_FACTOR)
    assert not failures, failures


def check_all(api, clients):
    for client in clients:
        client.settle(api)
    api.refresh("crash")
    expected = {key: source for client in clients for key, source in client.alive().items()}
    found = search_everything(api)
    assert len(found) == len({key for key, _ in found}), "an id is shown twice"
    assert dict(found) == expected
    assert api.count("crash") == len(expected)


def test_kill_9__in_the_middle_of_loads__loses_nothing_and_shows_nothing_twice(restartable):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    clients = [Client(number, seed) for number in range(CLIENTS)]
    moment = random.Random(seed)
    restartable.api.create("crash", {"client": {"type": "integer"}, "version": {"type": "long"},
                                     "text": {"type": "text"}}, refresh_interval="200ms")
    for _ in range(ROUNDS):
        crash_once(restartable, clients, moment)
        check_all(restartable.start(), clients)
    restartable.stop()
    check_all(restartable.start(), clients)


def test_kill_9__while_mappings_grow_and_functions_register(restartable):
    """Acknowledged fields, indices and functions are there after the kill too."""
    moment = random.Random()
    wat = '(module (func (export "filter") (param i64) (result i32) (i32.const %d)))'
    known, lock = {"fields": set(), "indices": set(), "functions": set()}, threading.Lock()
    counter = [0]

    def work(kind, api, enough, wanted):
        while True:
            with lock:
                counter[0] += 1
                n = counter[0]
            try:
                if kind == "fields":
                    status = api.put("/growing/_doc/%d" % n, {"field%d" % n: n}).status
                elif kind == "indices":
                    status = api.put("/made-%d" % n).status
                else:
                    status = api.register_wat({"name": "made_%d" % n, "version": "1.0.0", "kind": "filter",
                                               "abi": "row"}, wat % n).status
            except (OSError, http.client.HTTPException):
                return
            assert status in (200, 201)
            with lock:
                known[kind].add(n)
                if sum(map(len, known.values())) >= wanted:
                    enough.set()

    for _ in range(3):
        enough, api = threading.Event(), restartable.api
        wanted = sum(map(len, known.values())) + moment.randint(6, scaled(40, 10))
        threads = [threading.Thread(target=work, args=(kind, api, enough, wanted)) for kind in known]
        for thread in threads:
            thread.start()
        assert enough.wait(300 * SLOW_FACTOR)
        restartable.kill()
        for thread in threads:
            thread.join(300 * SLOW_FACTOR)
        api = restartable.start()
        if known["fields"]:  # else the kill may have come before the index was there
            api.refresh("growing")
        for n in known["fields"]:
            assert api.ids("growing", {"term": {"field%d" % n: n}}) == [str(n)]
        for n in known["indices"]:
            assert api.call("HEAD", "/made-%d" % n).status == 200
        for n in known["functions"]:
            assert api.ok("POST", "/api/v1/udfs/made_%d/test" % n, {"document": {}})["result"] is True


def change_functions(number, api, on_ack):
    """Registers, rolls back and deletes versions of one function until the daemon is gone."""
    path, wat = "/api/v1/udfs/audited_%d" % number, '(module (func (export "filter") (result i32) (i32.const %d)))'
    try:
        assert api.call("DELETE", path).status in (200, 404)  # what the last life left
        while True:
            for version in (1, 2):
                assert api.register_wat({"name": "audited_%d" % number, "version": "%d.0.0" % version},
                                        wat % version).status in (200, 201)
            api.ok("POST", path + "/rollback", {})
            on_ack()
            api.ok("DELETE", path + "/2.0.0")
            api.ok("DELETE", path)
    except (OSError, http.client.HTTPException):
        return


def replay(entries):
    """{name: (versions, active)} after the changes that the audit log tells of."""
    functions = {}
    for entry in entries:
        versions, active = functions.pop(entry["name"], (set(), None))
        if entry["action"] == "register":
            versions, active = versions | {entry["version"]}, entry["version"]
        elif entry["action"] == "rollback":
            active = entry["version"]
        else:
            assert entry["action"] == "delete"
            versions = versions - {entry["version"]} if entry["version"] else set()
        if versions:
            functions[entry["name"]] = versions, active
    return functions


def test_kill_9__in_the_middle_of_changes__audit_log_and_registry_tell_the_same(restartable):
    moment = random.Random()
    for _ in range(5):
        enough, api, acks, wanted = threading.Event(), restartable.api, [], moment.randint(3, scaled(30, 6))

        def on_ack(acks=acks, wanted=wanted, enough=enough):
            acks.append(1)
            if len(acks) >= wanted:
                enough.set()

        threads = [threading.Thread(target=change_functions, args=(number, api, on_ack)) for number in range(3)]
        for thread in threads:
            thread.start()
        assert enough.wait(300 * SLOW_FACTOR)
        restartable.kill()
        for thread in threads:
            thread.join(300 * SLOW_FACTOR)
        api = restartable.start()
        assert api.ok("GET", "/api/v1/audit/_verify")["intact"] is True
        entries, page = [], 1
        while page == 1 or len(entries) < answer["total"]:
            answer = api.ok("GET", "/api/v1/audit?size=1000&page=%d" % page)
            entries += answer["entries"]
            page += 1
        there = {f["name"]: (set(f["versions"]), f["active_version"]) for f in api.ok("GET", "/api/v1/udfs")["udfs"]}
        assert replay(e for e in reversed(entries) if e["outcome"] == "ok") == there
