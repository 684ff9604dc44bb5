"""A call with httpx: python3 with_httpx.py URL [METHOD]

httpx shows the reason phrase and hides the body; an answer that was cut raises RemoteProtocolError.
"""

import sys
import time
import uuid

import httpx

import causeway_failure as causeway

# read is the time between two bytes: it must outlast the gateway's own attempts. HTTPTransport's retries, 0 by
# default, are about connecting alone, and so safe.
client = httpx.Client(timeout=httpx.Timeout(65, connect=3), transport=httpx.HTTPTransport(retries=1))


def call(url, method="GET", **more):
    """The answer, or an exception with the attribute failure where the gateway told one."""
    headers = more.pop("headers", {})
    if method not in causeway.IDEMPOTENT:
        headers.setdefault("Idempotency-Key", str(uuid.uuid4()))
    attempt = 0
    while True:
        attempt += 1
        # Streaming first, because an exception on the way to the body would not carry the head.
        with client.stream(method, url, headers=headers, **more) as answer:
            try:
                answer.read()
            except httpx.RemoteProtocolError as e:  # cut
                e.failure = ask(answer)
                raise
        try:
            answer.raise_for_status()
            return answer
        except httpx.HTTPStatusError as e:
            e.failure = causeway.read(answer.status_code, answer.headers, answer.content)
            pause = e.failure and e.failure.pause(method, attempt, key="Idempotency-Key" in headers)
            if pause is None:
                raise
            time.sleep(pause)


def ask(answer):
    """What the gateway noted of a call whose answer was cut."""
    page = answer.url.join("/.causeway/calls/" + answer.headers.get("Causeway-Call-Id", ""))
    answer = client.get(page, headers={"Accept": "application/json"})
    return causeway.read_page(answer.status_code, answer.content)


if __name__ == "__main__":
    try:
        got = call(*sys.argv[1:3])
        print(f"ok: {got.status_code}, {len(got.content)} bytes")
    except httpx.HTTPError as e:
        print("client:", str(e).splitlines()[0])
        if getattr(e, "failure", None):
            print(e.failure.lines(), end="")
        sys.exit(1)
