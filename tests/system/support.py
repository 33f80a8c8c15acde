# SPDX-License-Identifier: Apache-2.0
"""What the tests of the API share: a caller that checks statuses, bulk bodies, functions in WAT, and the formulas that
answers are compared with."""
import http.client
import json
import math
import os
import threading
import uuid

# Sanitizer builds are slower; tests scale their sizes and bounds by it, never their assertions.
SLOW_FACTOR = {"asan": 4, "tsan": 8}.get(os.path.basename(os.environ.get("QD_BUILD", "").rstrip("/")), 1)


def scaled(size, least=1):
    """A size that takes about as long in a sanitizer build."""
    return max(least, size // SLOW_FACTOR)


def run_threads(target, n):
    """target(0) … target(n - 1), each in a thread of its own; the first exception of any is raised here."""
    failures = []

    def run(t):
        try:
            target(t)
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=run, args=(t,)) for t in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


class Answer:
    def __init__(self, status, headers, raw):
        self.status, self.headers, self.raw = status, headers, raw

    @property
    def text(self):
        return self.raw.decode()

    @property
    def json(self):
        return json.loads(self.raw)

    @property
    def error(self):
        return self.json["error"]

    def __repr__(self):
        return "<%d %s>" % (self.status, self.raw[:600].decode(errors="replace"))


class Api:
    """Calls one daemon. A connection per thread, kept alive and made anew when the daemon closed it."""

    def __init__(self, host, port, timeout=120 * SLOW_FACTOR):
        self.host, self.port, self.timeout = host, port, timeout
        self.local = threading.local()

    def connection(self):
        connection = getattr(self.local, "connection", None)
        if connection is None:
            connection = self.local.connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        return connection

    def close(self):
        connection = getattr(self.local, "connection", None)
        if connection is not None:
            connection.close()
            self.local.connection = None

    def call(self, method, path, body=None, headers=None):
        """`body`: bytes and str go as they are, anything else as JSON."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        connection = self.connection()
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        except BaseException:
            self.close()
            raise

    def get(self, path, body=None):
        return self.call("GET", path, body)

    def post(self, path, body=None):
        return self.call("POST", path, body)

    def put(self, path, body=None):
        return self.call("PUT", path, body)

    def delete(self, path):
        return self.call("DELETE", path)

    def ok(self, method, path, body=None, status=(200, 201)):
        """The answer's JSON; anything but the expected status fails the test with the whole answer."""
        answer = self.call(method, path, body)
        statuses = (status,) if isinstance(status, int) else status
        assert answer.status in statuses, "%s %s: %r" % (method, path, answer)
        return answer.json

    # ---- documents ----

    def create(self, index, properties=None, **settings):
        body = {"mappings": {"properties": properties}} if properties is not None else {}
        if settings:
            body["settings"] = settings
        return self.ok("PUT", "/" + index, body)

    def bulk(self, index, lines, refresh=False):
        """`lines`: what bulk_lines makes, or (action, source) pairs."""
        body = lines if isinstance(lines, (bytes, str)) else bulk_lines(lines)
        path = "/%s/_bulk" % index if index else "/_bulk"
        answer = self.call("POST", path + ("?refresh=true" if refresh else ""), body,
                           {"Content-Type": "application/x-ndjson"})
        assert answer.status == 200, answer
        return answer.json

    def load(self, index, documents):
        """Indexes {id: source} and makes it searchable."""
        answer = self.bulk(index, [({"index": {"_id": key}}, source) for key, source in documents.items()],
                           refresh=True)
        assert not answer["errors"], answer
        return answer

    def refresh(self, index):
        return self.ok("POST", "/%s/_refresh" % index)

    # ---- searching ----

    def search(self, index, query=None, **body):
        if query is not None:
            body["query"] = query
        return self.ok("POST", "/%s/_search" % index, body)

    def ids(self, index, query=None, **body):
        body.setdefault("size", 1000)
        return [hit["_id"] for hit in self.search(index, query, **body)["hits"]["hits"]]

    def scores(self, index, query, **body):
        body.setdefault("size", 1000)
        return {hit["_id"]: hit["_score"] for hit in self.search(index, query, **body)["hits"]["hits"]}

    def count(self, index, query=None):
        return self.ok("POST", "/%s/_count" % index, {"query": query} if query else None)["count"]

    # ---- functions ----

    def register_wat(self, manifest, wat):
        return self.post("/api/v1/udfs", {**manifest, "language": "wat", "source": wat})

    def deploy(self, name, wat, version="1.0.0", **manifest):
        answer = self.register_wat({"name": name, "version": version, **manifest}, wat)
        assert answer.status in (200, 201), answer
        return answer.json


def bulk_lines(pairs):
    """[(action, source or None), …] -> the body of a bulk request."""
    out = []
    for action, source in pairs:
        out.append(json.dumps(action))
        if source is not None:
            out.append(source if isinstance(source, str) else json.dumps(source))
    return "\n".join(out) + "\n"


def multipart(fields):
    """[(name, value)] or (name, value, file name) -> (body, content type)."""
    boundary = "quidditch-" + uuid.uuid4().hex
    body = b""
    for name, value, *file_name in fields:
        disposition = 'form-data; name="%s"' % name
        if file_name:
            disposition += '; filename="%s"' % file_name[0]
        value = value if isinstance(value, bytes) else value.encode()
        body += b"--%s\r\nContent-Disposition: %s\r\n\r\n%s\r\n" % (boundary.encode(), disposition.encode(), value)
    return body + b"--%s--\r\n" % boundary.encode(), "multipart/form-data; boundary=" + boundary


# ---- functions of the tests, as WebAssembly text ---------------------------------------------------------------------

PRICE_PARAMETERS = [{"name": "price", "type": "f64", "from": "_source.price"},
                    {"name": "limit", "type": "f64", "required": True}]
CHEAPER_WAT = """(module (func (export "filter") (param $price f64) (param $limit f64) (result i32)
  (f64.lt (local.get $price) (local.get $limit))))"""


def deploy_cheaper(api, name="cheaper", **manifest):
    """filter: price < limit."""
    return api.deploy(name, CHEAPER_WAT, kind="filter", abi="typed", parameters=PRICE_PARAMETERS, **manifest)


DIVISIBLE_WAT = """(module (func (export "filter") (param $number i64) (param $by i64) (result i32)
  (i64.eqz (i64.rem_s (local.get $number) (local.get $by)))))"""


def deploy_divisible(api, name="divisible", **manifest):
    """filter: number % by == 0, typed; traps when `by` is 0."""
    parameters = [{"name": "number", "type": "i64", "from": "_source.number"},
                  {"name": "by", "type": "i64", "default": 2}]
    return api.deploy(name, DIVISIBLE_WAT, kind="filter", abi="typed", parameters=parameters, **manifest)


BOOSTED_WAT = """(module
  (func (export "score") (param $relevance f64) (param $weight f64) (param $tier i32) (result f64)
    (f64.add (f64.mul (local.get $relevance) (local.get $weight)) (f64.convert_i32_s (local.get $tier)))))"""


def deploy_boosted(api, name="boosted", **manifest):
    """score: relevance * weight + tier, typed; weight from the document, tier from the request's context."""
    parameters = [{"name": "relevance", "type": "f64", "from": "_score"},
                  {"name": "weight", "type": "f64", "from": "_source.weight", "default": 1},
                  {"name": "tier", "type": "i32", "from": "_context.user.tier", "default": 0}]
    return api.deploy(name, BOOSTED_WAT, kind="score", abi="typed", function_name="score", parameters=parameters,
                      **manifest)


ENDLESS = "(loop $l (br $l)) (i32.const 1)"


def deploy_hostile(api, body, name="hostile", kind="filter", header="", **manifest):
    """One whose body is WebAssembly text, in the row shape."""
    result = "i32" if kind == "filter" else "f64"
    wat = '(module %s (func $f (export "f") (param i64) (result %s) %s))' % (header, result, body)
    return api.deploy(name, wat, kind=kind, abi="row", function_name="f", **manifest)


# ---- the documents that must stay as they are, whatever comes in -----------------------------------------------------

CANARY = {str(i): {"number": i, "price": i * 1.5, "title": "canary number %d" % i, "tag": "abc"[i % 3]}
          for i in range(1, 31)}


# ---- formulas --------------------------------------------------------------------------------------------------------

def tokens(text):
    """The standard analyzer, for the plain words that tests use."""
    return "".join(c.lower() if c.isalnum() else " " for c in text).split()


class Bm25:
    """BM25 as Lucene 10 computes it: k1 1.2, b 0.75, no factor k1 + 1. Lengths below 40 are exact in its norms."""

    def __init__(self, texts, k1=1.2, b=0.75):
        self.k1, self.b = k1, b
        self.documents = {key: tokens(text) for key, text in texts.items()}
        self.average = sum(map(len, self.documents.values())) / len(self.documents)

    def idf(self, term):
        n = sum(term in words for words in self.documents.values())
        return math.log(1 + (len(self.documents) - n + 0.5) / (n + 0.5))

    def term(self, key, term):
        words = self.documents.get(key, [])
        assert len(words) < 40, "longer texts have quantised lengths"
        frequency = words.count(term)
        norm = self.k1 * (1 - self.b + self.b * len(words) / self.average)
        return self.idf(term) * frequency / (frequency + norm)

    def match(self, text):
        """{id: score} of everything that has a word of the text."""
        scores = {key: sum(self.term(key, term) for term in tokens(text)) for key in self.documents}
        return {key: score for key, score in scores.items() if score > 0}


def levenshtein(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


def haversine_km(lat1, lon1, lat2, lon2):
    lat1, lon1, lat2, lon2 = map(math.radians, (lat1, lon1, lat2, lon2))
    h = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * 6371.0088 * math.asin(math.sqrt(min(h, 1)))
