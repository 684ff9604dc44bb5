"""A call with requests: python3 with_requests.py URL [METHOD]

requests shows the reason phrase and hides the body, and version 2.28 takes an answer that was cut
short of its Content-Length for whole: the example looks at both.
"""

import sys
import time
import uuid

import requests

import causeway_failure as causeway

# (to connect, between two bytes of the answer). The second must outlast what the gateway may need for all its
# attempts, else the caller leaves just before it is told: see docs/python.md.
TIMEOUT = (3.05, 65)

session = requests.Session()  # keeps connections; its own retries are off, as the gateway makes them


def call(url, method="GET", **more):
    """The answer, or an exception with the attribute failure where the gateway told one."""
    headers = more.pop("headers", {})
    if method not in causeway.IDEMPOTENT:
        headers.setdefault("Idempotency-Key", str(uuid.uuid4()))  # one key for all attempts of one call
    attempt = 0
    while True:
        attempt += 1
        try:
            # stream, so that the head is at hand when the body breaks.
            answer = session.request(method, url, headers=headers, timeout=TIMEOUT, stream=True, **more)
            answer.content  # reads all of it
            # raw.tell() is what came over the wire; Content-Length says what should have.
            if not causeway.whole(method, answer.status_code, answer.headers, answer.raw.tell()):
                raise causeway.CutAnswer(f"got {answer.raw.tell()} of {answer.headers['Content-Length']} bytes")
            answer.raise_for_status()
            return answer
        except requests.HTTPError as e:
            e.failure = causeway.read(answer.status_code, answer.headers, answer.content)
            pause = e.failure and e.failure.pause(method, attempt, key="Idempotency-Key" in headers)
            if pause is None:
                raise
            time.sleep(pause)
        except (requests.exceptions.ChunkedEncodingError, causeway.CutAnswer) as e:
            e.failure = ask(answer)
            raise


def ask(answer):
    """What the gateway noted of a call whose answer was cut."""
    page = requests.compat.urljoin(answer.url, "/.causeway/calls/" + answer.headers.get("Causeway-Call-Id", ""))
    answer = session.get(page, headers={"Accept": "application/json"}, timeout=TIMEOUT)
    return causeway.read_page(answer.status_code, answer.content)


if __name__ == "__main__":
    try:
        got = call(*sys.argv[1:3])
        print(f"ok: {got.status_code}, {len(got.content)} bytes")
    except (requests.RequestException, causeway.CutAnswer) as e:
        print("client:", e)
        if getattr(e, "failure", None):
            print(e.failure.lines(), end="")
        sys.exit(1)
