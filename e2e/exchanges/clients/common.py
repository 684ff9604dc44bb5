"""What the Python drivers share: reading the job, making bodies, hashing, printing what was seen."""
import hashlib
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

LIMIT = 15.0  # seconds for one exchange


def pattern(n):
    return (bytes(range(251)) * (n // 251 + 1))[:n]


class Row(dict):
    """One exchange to make: column, url, and the request's fields."""

    @property
    def method(self):
        return self["method"] or "GET"

    @property
    def body(self):
        if not self["body"]:
            return None
        return pattern(self["size"]) if self["size"] else self["text"].encode("latin-1")

    def pieces(self):
        """The body of an upload whose length is not told before."""
        body = self.body
        for i in range(0, len(body), 65536):
            yield body[i:i + 65536]

    @property
    def fields(self):
        return [(name, value.encode("latin-1")) for name, value in self["headers"] or []]

    def cannot(self, *can):
        """Why a client that can do only these extras cannot make this exchange."""
        for key, what in (("trailers", "sends no trailers"), ("expect", "does not wait for 100 (Continue)"), ("http10", "sends HTTP/1.1 only"),
                          ("pipeline", "does not pipeline"), ("follow", "follows no redirects"), ("cookies", "keeps no cookies"),
                          ("repeat", "keeps no connection")):
            if self[key] and key not in can:
                return what
        return ""


class Body:
    """Hashes an answer's body as it comes."""

    def __init__(self):
        self.hash, self.length, self.begun, self.first, self.last = hashlib.sha256(), 0, time.monotonic(), None, None

    def feed(self, data):
        if data:
            self.last = time.monotonic()
            self.first = self.first or self.last
            self.length += len(data)
            self.hash.update(data)

    def told(self):
        first = self.first or self.begun
        return {"length": self.length, "sha": self.hash.hexdigest(), "wait": int((first - self.begun) * 1000),
                "spread": int(((self.last or first) - first) * 1000)}


def fields_of(pairs):
    def text(x):
        return x.decode("latin-1") if isinstance(x, bytes) else x
    return [[text(name), text(value)] for name, value in pairs]


def error(e):
    """The chain of classes that a user's except clause sees."""
    return type(e).__name__


def job():
    read = json.load(sys.stdin)
    return read["ca"], [Row(r) for r in read["rows"]]


def threads(one):
    """Makes the exchanges, six at a time; one(ca, row) returns what was seen."""
    ca, rows = job()

    def guarded(row):
        seen = {}
        try:
            one(ca, row, seen)
        except Exception as e:  # whatever a user would get
            seen["error"] = error(e)
        return seen
    with ThreadPoolExecutor(6) as pool:
        json.dump(list(pool.map(guarded, rows)), sys.stdout)
