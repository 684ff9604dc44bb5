"""httpx, over httpcore and h2."""
import asyncio
import json
import sys

import httpx

from common import LIMIT, Body, error, fields_of, job


async def upload(row):
    for piece in row.pieces():
        yield piece


async def one(ca, row, seen):
    seen["skip"] = row.cannot("follow", "cookies", "repeat")
    if seen["skip"]:
        return
    h2 = row["column"] in ("h2", "h2c")
    limit = 3 if h2 and row["name"] == "early-answer" else LIMIT  # see http2Rules
    async with httpx.AsyncClient(http1=not h2, http2=h2, verify=ca, trust_env=False, timeout=limit, follow_redirects=bool(row["follow"])) as client:
        headers = [(name.encode("latin-1"), value) for name, value in row.fields]
        if row["close"]:
            headers.append((b"Connection", b"close"))
        for _ in range(2 if row["cookies"] else row["repeat"] or 1):
            content = None
            if row["body"]:
                content = upload(row) if row["body"] == "chunked" else row.body
            body = Body()
            async with client.stream(row.method, row["url"], headers=headers, content=content) as res:
                seen.update(status=res.status_code, headers=fields_of(res.headers.raw), ordered=True, version=res.http_version)
                if not h2:
                    seen["reason"] = res.extensions["reason_phrase"].decode("latin-1")
                seen.setdefault("statuses", []).append(res.status_code)
                if row["follow"]:
                    seen["statuses"] = [r.status_code for r in res.history] + [res.status_code]
                    seen["url"] = str(res.url)
                try:
                    async for data in res.aiter_raw():
                        body.feed(data)
                finally:
                    seen.update(body.told())


async def main():
    ca, rows = job()
    turn = asyncio.Semaphore(6)

    async def guarded(row):
        seen = {}
        async with turn:
            try:
                await one(ca, row, seen)
            except Exception as e:  # whatever a user would get
                seen["error"] = error(e)
        return seen
    json.dump(await asyncio.gather(*map(guarded, rows)), sys.stdout)


asyncio.run(main())
