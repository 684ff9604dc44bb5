"""A call with nothing but Python's own urllib: python3 with_urllib.py URL [METHOD]

HTTPError is an answer as well: its read() gives the body. A cut answer raises IncompleteRead.
"""

import http.client
import sys
import time
import uuid
from urllib.error import HTTPError, URLError
from urllib.parse import urljoin
from urllib.request import Request, urlopen

import causeway_failure as causeway

TIMEOUT = 65  # of each operation on the socket: to connect, and between two bytes; without it there is none


def call(url, method="GET", data=None, headers=None):
    """Status and body, or an exception with the attribute failure where the gateway told one."""
    headers = dict(headers or {})
    if method not in causeway.IDEMPOTENT:
        headers.setdefault("Idempotency-Key", str(uuid.uuid4()))
    attempt = 0
    while True:
        attempt += 1
        try:
            with urlopen(Request(url, data, headers, method=method), timeout=TIMEOUT) as answer:
                try:
                    return answer.status, answer.read()
                except http.client.IncompleteRead as e:  # cut
                    e.failure = ask(url, answer.headers.get("Causeway-Call-Id", ""))
                    raise
        except HTTPError as e:
            e.failure = causeway.read(e.code, e.headers, e.read())
            # urllib names the field Idempotency-key, which is the same to HTTP.
            pause = e.failure and e.failure.pause(method, attempt, key="Idempotency-Key" in headers)
            if pause is None:
                raise
            time.sleep(pause)


def ask(url, call_id):
    """What the gateway noted of a call whose answer was cut."""
    page = Request(urljoin(url, "/.causeway/calls/" + call_id), headers={"Accept": "application/json"})
    with urlopen(page, timeout=TIMEOUT) as answer:
        return causeway.read_page(answer.status, answer.read())


if __name__ == "__main__":
    try:
        status, body = call(*sys.argv[1:3])
        print(f"ok: {status}, {len(body)} bytes")
    except (URLError, http.client.HTTPException) as e:
        print("client:", e)
        if getattr(e, "failure", None):
            print(e.failure.lines(), end="")
        sys.exit(1)
