"""aiohttp."""
import asyncio
import json
import ssl
import sys

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from common import LIMIT, Body, error, fields_of, job


async def upload(row):
    for piece in row.pieces():
        yield piece


async def one(ca, row, seen):
    seen["skip"] = row.cannot("follow", "cookies", "repeat", "expect", "http10")
    if seen["skip"]:
        return
    jar = aiohttp.CookieJar(unsafe=True) if row["cookies"] else aiohttp.DummyCookieJar()
    context = ssl.create_default_context(cafile=ca)
    more = {"version": aiohttp.HttpVersion10} if row["http10"] else {}
    async with aiohttp.ClientSession(cookie_jar=jar, auto_decompress=False, connector=aiohttp.TCPConnector(ssl=context), read_bufsize=65536,
                                     timeout=aiohttp.ClientTimeout(total=LIMIT), **more) as session:
        headers = CIMultiDict()
        for name, value in row.fields:
            headers.add(name, value.decode("utf-8", "surrogateescape"))
        if row["close"]:
            headers.add("Connection", "close")
        for _ in range(2 if row["cookies"] else row["repeat"] or 1):
            data = None
            if row["body"]:
                data = upload(row) if row["body"] == "chunked" else row.body
            body = Body()
            async with session.request(row.method, URL(row["url"], encoded=True), headers=headers, data=data, allow_redirects=bool(row["follow"]),
                                       expect100=bool(row["expect"])) as res:
                seen.update(status=res.status, reason=res.reason, headers=fields_of(res.raw_headers), ordered=True, version="HTTP/%d.%d" % res.version)
                seen.setdefault("statuses", []).append(res.status)
                if row["follow"]:
                    seen["statuses"] = [r.status for r in res.history] + [res.status]
                    seen["url"] = str(res.url)
                try:
                    async for data in res.content.iter_any():
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
