# SPDX-License-Identifier: Apache-2.0
"""The official Python client: what a user's program does first."""
import pytest
from opensearchpy import ConflictError, NotFoundError, RequestError, helpers

from support import deploy_boosted, scaled

BOOKS = [{"title": "Quidditch through the ages", "year": 1952, "genre": "sport"},
         {"title": "Fantastic beasts", "year": 1927, "genre": "animals"},
         {"title": "The tales of Beedle the bard", "year": 2008, "genre": "tales"}, {"title": "Flying with the cannons",
             "year": 1990, "genre": "sport"}]
MAPPINGS = {"properties": {"title": {"type": "text"}, "year": {"type": "integer"}, "genre": {"type": "keyword"}}}


@pytest.fixture
def books(client, index):
    client.indices.create(index=index,
                          body={"mappings": MAPPINGS,
                                "settings": {"index": {"number_of_shards": 1, "number_of_replicas": 0}}})
    actions = ({"_index": index, "_id": str(i), "_source": book} for i, book in enumerate(BOOKS))
    assert helpers.bulk(client, actions, refresh=True) == (len(BOOKS), [])
    return index


def test_info_and_ping(client):
    assert client.ping() is True
    assert client.info()["version"]["distribution"] == "opensearch"
    assert client.cluster.health()["status"] in ("green", "yellow")


def test_indices__life(client, index):
    assert client.indices.exists(index=index) is False
    assert client.indices.create(index=index, body={"mappings": MAPPINGS})["acknowledged"] is True
    assert client.indices.exists(index=index) is True
    assert client.indices.get_mapping(index=index)[index]["mappings"]["properties"]["genre"]["type"] == "keyword"
    assert index in client.indices.get(index=index)
    client.indices.put_mapping(index=index, body={"properties": {"pages": {"type": "long"}}})
    assert "pages" in client.indices.get_mapping(index=index)[index]["mappings"]["properties"]
    assert client.indices.stats(index=index)["_all"]["primaries"]["docs"]["count"] == 0
    with pytest.raises(RequestError) as e:
        client.indices.create(index=index)
    assert e.value.status_code == 400 and e.value.error == "resource_already_exists_exception"
    assert client.indices.delete(index=index)["acknowledged"] is True
    with pytest.raises(NotFoundError):
        client.indices.get(index=index)


def test_search__get__count(client, books):
    found = client.search(index=books, body={"query": {"match": {"title": "the"}}, "sort": [{"year": "asc"}]})
    assert [hit["_source"]["year"] for hit in found["hits"]["hits"]] == [1952, 1990, 2008]
    assert found["hits"]["total"] == {"value": 3, "relation": "eq"}
    assert client.get(index=books, id="1")["_source"] == BOOKS[1]
    assert client.get_source(index=books, id="1") == BOOKS[1]
    assert client.exists(index=books, id="1") is True and client.exists(index=books, id="9") is False
    assert client.count(index=books, body={"query": {"term": {"genre": "sport"}}})["count"] == 2
    assert client.search(index=books, params={"size": 1})["hits"]["total"]["value"] == 4
    rows = client.cat.indices(index=books, format="json")
    assert [(row["index"], row["docs.count"]) for row in rows] == [(books, "4")]
    assert books in client.cat.indices()


def test_documents__life(client, books):
    assert client.index(index=books, id="new", body={"title": "new", "year": 2026}, refresh=True)["result"] == "created"
    assert client.index(index=books, id="new", body={"title": "newer", "year": 2026})["result"] == "updated"
    assert client.create(index=books, id="made", body={"year": 1})["result"] == "created"
    with pytest.raises(ConflictError) as e:
        client.create(index=books, id="made", body={"year": 2})
    assert e.value.status_code == 409 and e.value.error == "version_conflict_engine_exception"
    with pytest.raises(ConflictError):
        client.index(index=books, id="made", body={"year": 2}, if_seq_no=0, if_primary_term=1)
    assert client.delete(index=books, id="new")["result"] == "deleted"
    with pytest.raises(NotFoundError) as e:
        client.get(index=books, id="new")
    assert e.value.info["found"] is False
    with pytest.raises(NotFoundError):
        client.delete(index=books, id="new")
    client.indices.refresh(index=books)
    assert client.count(index=books)["count"] == 5


@pytest.mark.parametrize("body, named", [
    ({"query": {"mtach": {}}}, "mtach"), ({"query": {"range": {"year": {"gte": "x"}}}}, "year"), ({"size": -1}, "size"),
])
def test_errors__are_the_clients(client, books, body, named):
    with pytest.raises(RequestError) as e:
        client.search(index=books, body=body)
    assert e.value.status_code == 400 and named in e.value.info["error"]["reason"]
    with pytest.raises(NotFoundError) as e:
        client.search(index="absent-index", body={})
    assert e.value.error == "index_not_found_exception"
    with pytest.raises(RequestError) as e:
        client.index(index=books, body={"year": "not a year"})
    assert e.value.error == "mapper_parsing_exception"


def test_helpers_bulk__reports_the_bad_ones(client, books):
    actions = [{"_index": books, "_id": "a", "_source": {"year": 1}},
               {"_index": books, "_id": "b", "_source": {"year": "x"}},
               {"_op_type": "delete", "_index": books, "_id": "0"}, {"_op_type": "create", "_index": books, "_id": "1",
                   "_source": {}}]
    done, errors = helpers.bulk(client, actions, raise_on_error=False, refresh=True)
    assert done == 2
    assert [(next(iter(e)), next(iter(e.values()))["status"]) for e in errors] == [("index", 400), ("create", 409)]
    with pytest.raises(helpers.BulkIndexError):
        helpers.bulk(client, actions[1:2])


def test_helpers__streaming_and_parallel__load_everything(client, index):
    n = scaled(5000, 200)
    actions = ({"_index": index, "_id": str(i), "n": i, "text": "document %d" % i} for i in range(n))
    assert all(ok for ok, _ in helpers.streaming_bulk(client, actions, chunk_size=500))
    more = ({"_index": index, "_id": str(i), "n": i, "text": "document %d" % i} for i in range(n, 2 * n))
    assert all(ok for ok, _ in helpers.parallel_bulk(client, more, thread_count=3, chunk_size=300))
    client.indices.refresh(index=index)
    assert client.count(index=index)["count"] == 2 * n
    assert client.search(index=index, body={"query": {"range": {"n": {"gte": 2 * n - 3}}},
                                            "sort": ["n"]})["hits"]["hits"][0]["_id"] == str(2 * n - 3)


def test_search__with_a_function(client, api, books):
    deploy_boosted(api)
    body = {"query": {"script_score": {"query": {"match": {"title": "the"}},
                                       "script": {"lang": "wasm", "source": "boosted",
                                                  "params": {"weight": "_source.year"}}}}}
    years = [hit["_source"]["year"] for hit in client.search(index=books, body=body)["hits"]["hits"]]
    assert sorted(years) == [1952, 1990, 2008]
    with pytest.raises(NotFoundError) as e:
        client.search(index=books, body={"query": {"wasm_udf": {"name": "nobody"}}})
    assert "nobody" in e.value.info["error"]["reason"]
