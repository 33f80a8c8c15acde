# SPDX-License-Identifier: Apache-2.0
"""Packed bodies: gzip and deflate in, gzip out, as OpenSearch's clients send and take them."""
import gzip
import http.client
import json
import zlib

import pytest

from support import multipart

QUERY = {"query": {"match": {"t": "red"}}, "sort": ["n"], "size": 100}


def raw_deflate(data):
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def call(daemon, method, path, body=None, **headers):
    """(status, headers, bytes as they came)."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=120)
    try:
        headers = {key.replace("_", "-"): value for key, value in headers.items()}
        connection.request(method, path, body, headers, encode_chunked="Transfer-Encoding" in headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def post(daemon, path, body, coding, content_type="application/json", **more):
    return call(daemon, "POST", path, body, Content_Type=content_type, Content_Encoding=coding, **more)


def reason(answer):
    return json.loads(answer[2])["error"]["reason"]


@pytest.fixture(scope="module", autouse=True)
def index(api):
    api.create("packed", {"n": {"type": "long"}, "t": {"type": "text"}})
    api.load("packed", {str(i): {"n": i, "t": "red broom number %d" % i} for i in range(100)})


@pytest.mark.parametrize("coding, pack", [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("GZIP", gzip.compress),
                                          ("deflate", zlib.compress), ("deflate", raw_deflate),
                                          ("identity", lambda data: data)])
def test_request__packed__is_read(daemon, coding, pack):
    status, _, body = post(daemon, "/packed/_search", pack(json.dumps(QUERY).encode()), coding)
    assert status == 200
    assert [hit["_id"] for hit in json.loads(body)["hits"]["hits"]] == [str(i) for i in range(100)]


def test_bulk__packed_in_chunks__is_read(daemon, api):
    lines = b"".join(b'{"index":{"_id":"b%d"}}\n{"n":%d}\n' % (i, i) for i in range(5000))
    packed = gzip.compress(lines)
    parts = (packed[at:at + 1000] for at in range(0, len(packed), 1000))
    status, _, body = call(daemon, "POST", "/packed-bulk/_bulk?refresh", parts, Content_Type="application/x-ndjson",
                           Content_Encoding="gzip", Transfer_Encoding="chunked")
    assert status == 200 and json.loads(body)["errors"] is False
    assert api.ok("GET", "/packed-bulk/_count")["count"] == 5000


def test_registration__packed_upload__is_read(daemon, api):
    # (module (func (export "filter") (param i64) (result i32) (i32.const 1)))
    wasm = (b"\0asm\1\0\0\0" b"\1\6\1\x60\1\x7e\1\x7f" b"\3\2\1\0" b"\7\x0a\1\6filter\0\0" b"\x0a\6\1\4\0\x41\1\x0b")
    body, content_type = multipart([("name", "packed_upload"), ("version", "1.0.0"), ("wasm", wasm, "f.wasm")])
    assert post(daemon, "/api/v1/udfs", gzip.compress(body), "gzip", content_type)[0] == 201
    assert api.ok("GET", "/api/v1/udfs/packed_upload")["version"] == "1.0.0"


def test_unknown_coding__415_says_what_is_known(daemon):
    for coding in ("br", "zstd", "gzip, gzip", "compress"):
        answer = post(daemon, "/packed/_search", b"xyz", coding)
        assert answer[0] == 415 and answer[1]["Accept-Encoding"] == "gzip, deflate"
        expected = "Content-Encoding header [%s] is not supported: send [gzip], [deflate] or the body as it is"
        assert reason(answer) == expected % coding
    status, _, body = post(daemon, "/api/v1/udfs/_validate", b"xyz", "br")
    assert status == 415 and json.loads(body)["error"]["code"] == "INVALID_PARAMETERS"


def test_corrupt_and_cut__400_with_a_sentence(daemon):
    packed = gzip.compress(json.dumps(QUERY).encode())
    answer = post(daemon, "/packed/_search", packed[:-4], "gzip")
    assert answer[0] == 400
    assert reason(answer) == "the request body ends before its gzip data does: %d bytes came" % (len(packed) - 4)
    answer = post(daemon, "/packed/_search", json.dumps(QUERY), "gzip")
    assert answer[0] == 400
    assert reason(answer) == "the request body is not valid gzip (Content-Encoding), at byte 2: incorrect header check"
    answer = post(daemon, "/packed/_search", packed[:-8] + bytes(8), "gzip")
    assert answer[0] == 400 and "incorrect data check" in reason(answer)
    answer = post(daemon, "/packed/_search", packed + b"more", "gzip")
    assert answer[0] == 400 and "is not valid gzip" in reason(answer)


def resident_bytes(daemon):
    status = (line.split() for line in open("/proc/%d/status" % daemon.process.pid, encoding="ascii"))
    return next(int(words[1]) << 10 for words in status if words[0] == "VmHWM:")


def test_bomb__413_within_the_bound(make_daemon):
    daemon = make_daemon({"http.max_body_bytes": "8mb", "http.max_search_body_bytes": "1mb"})
    daemon.api.create("packed")
    before = resident_bytes(daemon)
    bomb = gzip.compress(bytes(1 << 30), 1)
    assert len(bomb) < 5 << 20
    answer = post(daemon, "/packed/_bulk", bomb, "gzip", "application/x-ndjson")
    assert answer[0] == 413
    assert reason(answer) == ("the request body has more than 8388608 bytes when it is unpacked, the limit "
                              "(http.max_body_bytes)")
    answer = post(daemon, "/packed/_search", bomb[:1 << 19], "gzip")
    assert answer[0] == 413 and reason(answer).endswith("the limit (http.max_search_body_bytes)")
    # Where the build keeps what is freed (sanitizers), the high-water mark says less; a gigabyte would show anywhere.
    assert resident_bytes(daemon) - before < 256 << 20
    assert daemon.api.ok("GET", "/packed/_count")["count"] == 0


def test_all_bodies__unpacked_bytes_count(make_daemon):
    daemon = make_daemon({"http.max_body_bytes": "64mb", "http.max_inflight_bytes": "1mb"})
    daemon.api.create("packed")
    answer = post(daemon, "/packed/_bulk", gzip.compress(bytes(16 << 20)), "gzip", "application/x-ndjson")
    assert answer[0] == 429 and "http.max_inflight_bytes" in reason(answer)
    assert daemon.api.ok("GET", "/packed/_count")["count"] == 0


def test_answer__is_packed_for_who_takes_it(daemon):
    plain = post(daemon, "/packed/_search", json.dumps(QUERY), "identity")
    assert plain[0] == 200 and plain[1]["Content-Encoding"] is None and plain[1]["Vary"] == "Accept-Encoding"
    for accept in ("gzip", "deflate, gzip;q=0.5", "*"):
        packed = post(daemon, "/packed/_search", json.dumps(QUERY), "identity", Accept_Encoding=accept)
        assert packed[0] == 200 and packed[1]["Content-Encoding"] == "gzip" and packed[1]["Vary"] == "Accept-Encoding"
        assert int(packed[1]["Content-Length"]) == len(packed[2]) < len(plain[2]) // 3
        assert json.loads(gzip.decompress(packed[2]))["hits"] == json.loads(plain[2])["hits"]
    for accept in ("identity", "gzip;q=0", "br"):
        answer = post(daemon, "/packed/_search", json.dumps(QUERY), "identity", Accept_Encoding=accept)
        assert answer[1]["Content-Encoding"] is None and json.loads(answer[2])["hits"] == json.loads(plain[2])["hits"]


def test_answer__short__is_left_as_it_is(daemon):
    status, headers, body = call(daemon, "GET", "/packed/_count", Accept_Encoding="gzip")
    assert status == 200 and headers["Content-Encoding"] is None and headers["Vary"] is None
    assert json.loads(body)["count"] == 100


def test_answer__module__is_left_as_it_is(daemon, api):
    api.deploy("long", '(module (memory 1) (data (i32.const 0) "%s") (func (export "filter") (param i64) (result i32)'
                       " (i32.const 1)))" % ("x" * 5000))
    status, headers, body = call(daemon, "GET", "/api/v1/udfs/long/1.0.0/wasm", Accept_Encoding="gzip")
    assert status == 200 and headers["Content-Encoding"] is None
    assert body.startswith(b"\0asm") and b"x" * 5000 in body


def test_compression_level_0__packs_nothing(make_daemon):
    daemon = make_daemon({"http.compression_level": 0})
    daemon.api.create("packed", {"t": {"type": "text"}})
    daemon.api.load("packed", {str(i): {"t": "x" * 100} for i in range(100)})
    packed = gzip.compress(b'{"size": 100}')
    status, headers, body = post(daemon, "/packed/_search", packed, "gzip", Accept_Encoding="gzip")
    assert status == 200 and headers["Content-Encoding"] is None and headers["Vary"] is None
    assert len(json.loads(body)["hits"]["hits"]) == 100


def test_official_client__http_compress(daemon, index):
    opensearchpy = pytest.importorskip("opensearchpy")
    client = opensearchpy.OpenSearch("http://127.0.0.1:%d" % daemon.port, timeout=120, http_compress=True)
    try:
        actions = ({"_index": "compressed", "_id": str(i), "_source": {"t": "red %d" % i}} for i in range(1000))
        assert opensearchpy.helpers.bulk(client, actions, refresh=True) == (1000, [])
        found = client.search(index="compressed", body={"query": {"match": {"t": "red"}}, "size": 1000})
        assert {hit["_id"] for hit in found["hits"]["hits"]} == {str(i) for i in range(1000)}
    finally:
        client.close()
