# SPDX-License-Identifier: Apache-2.0
"""Rolling a function out under load: clients query without pause while versions are deployed and taken back. No query
fails, and none is answered by two versions. QD_ROLLOUTS sets how many deploys and rollbacks there are."""
import os
import threading

from support import SLOW_FACTOR, Api, scaled

ROLLOUTS = int(os.environ.get("QD_ROLLOUTS", scaled(200, 40)))
CLIENTS = 8
SEGMENTS = 5
DOCUMENTS = 40  # in each

# Its score is its version's number, whatever the document holds.
WAT = """(module (func (export "score") (param $number f64) (result f64)
  (f64.add (f64.const %d) (f64.mul (f64.const 0) (local.get $number)))))"""
QUERY = {"size": SEGMENTS * DOCUMENTS,
         "query": {"script_score": {"query": {"match_all": {}}, "script": {"source": "rolling"}}}}


def deploy(api, number):
    answer = api.register_wat({"name": "rolling", "version": "1.0.%d" % number, "kind": "score", "abi": "typed",
                               "function_name": "score",
                               "parameters": [{"name": "number", "type": "f64", "from": "_source.number"}]},
                              WAT % number)
    assert answer.status == 201, answer


def query_until(done, port, seen, failures):
    api = Api("127.0.0.1", port)
    try:
        while not done.is_set():
            answer = api.post("/rollout/_search", QUERY)
            if answer.status != 200:
                failures.append(repr(answer))
                return
            hits = answer.json["hits"]["hits"]
            scores = {hit["_score"] for hit in hits}
            if len(hits) != SEGMENTS * DOCUMENTS or len(scores) != 1:
                failures.append("%d hits with the scores %s" % (len(hits), sorted(scores)))
                return
            seen.append(scores.pop())
    except Exception as e:  # a connection that broke is a failed query too
        failures.append(repr(e))
    finally:
        api.close()


def test_rollout_under_load__no_query_fails_or_mixes_versions(make_daemon):
    daemon = make_daemon({"rate_limit.register_per_minute": 0, "rate_limit.query_per_second": 0})
    api = daemon.api
    api.create("rollout", {"number": {"type": "long"}}, refresh_interval="-1")
    for segment in range(SEGMENTS):
        api.load("rollout", {"%d-%d" % (segment, i): {"number": i} for i in range(DOCUMENTS)})
    deploy(api, 1)
    done, failures, seen = threading.Event(), [], [[] for _ in range(CLIENTS)]
    clients = [threading.Thread(target=query_until, args=(done, daemon.port, seen[c], failures))
               for c in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        active, number = 1, 1
        for step in range(ROLLOUTS):
            if failures:
                break
            if step % 2 == 0:
                number += 1
                deploy(api, number)
                previous, active = active, number
            else:
                answer = api.ok("POST", "/api/v1/udfs/rolling/rollback", {})
                assert answer["active_version"] == "1.0.%d" % previous, answer
                active = previous
            # What is asked for after a change is answered by what the change made active.
            hits = api.ok("POST", "/rollout/_search", QUERY)["hits"]["hits"]
            assert {hit["_score"] for hit in hits} == {active}, (step, active, hits[:3])
    finally:
        done.set()
        for client in clients:
            client.join(60 * SLOW_FACTOR)
    assert failures == []
    answered = [score for scores in seen for score in scores]
    assert len(answered) >= CLIENTS and all(1 <= score <= number for score in answered)
    assert not any(client.is_alive() for client in clients)
    print("\nrollouts: %d deploys and rollbacks, %d queries by %d clients meanwhile, 0 failed, 0 mixed versions" % (
        ROLLOUTS, len(answered), CLIENTS))
