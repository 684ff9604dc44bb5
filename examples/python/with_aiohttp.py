"""A call with aiohttp: python3 with_aiohttp.py URL [METHOD]

raise_for_status() closes the answer before its body was read: read first, then ask for the status.
An answer that was cut raises ClientPayloadError.
"""

import asyncio
import sys
import uuid

import aiohttp

import causeway_failure as causeway

# total is 5 minutes by default and includes the time in the pool's queue; sock_read is the time between two bytes.
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=3, sock_read=65)


async def call(session, url, method="GET", **more):
    """Status and body, or an exception with the attribute failure where the gateway told one."""
    headers = more.pop("headers", {})
    if method not in causeway.IDEMPOTENT:
        headers.setdefault("Idempotency-Key", str(uuid.uuid4()))
    attempt = 0
    while True:
        attempt += 1
        async with session.request(method, url, headers=headers, **more) as answer:
            try:
                body = await answer.read()
            except aiohttp.ClientPayloadError as e:  # cut
                e.failure = await ask(session, answer)
                raise
            try:
                answer.raise_for_status()
                return answer.status, body
            except aiohttp.ClientResponseError as e:
                e.failure = causeway.read(answer.status, answer.headers, body)
                pause = e.failure and e.failure.pause(method, attempt, key="Idempotency-Key" in headers)
                if pause is None:
                    raise
        await asyncio.sleep(pause)


async def ask(session, answer):
    """What the gateway noted of a call whose answer was cut."""
    page = answer.url.with_path("/.causeway/calls/" + answer.headers.get("Causeway-Call-Id", ""))
    async with session.get(page, headers={"Accept": "application/json"}) as answer:
        return causeway.read_page(answer.status, await answer.read())


async def main():
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        try:
            status, body = await call(session, *sys.argv[1:3])
            print(f"ok: {status}, {len(body)} bytes")
            return 0
        except aiohttp.ClientError as e:
            print("client:", e)
            if getattr(e, "failure", None):
                print(e.failure.lines(), end="")
            return 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
