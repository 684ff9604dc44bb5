"""Talks WebSocket with the addresses on standard input, one a line, and prints what it saw of each."""
import asyncio
import json
import sys

import aiohttp


async def talk(session, base):
    saw = []
    async with session.ws_connect(base + "/ws/echo", protocols=("none.v9", "chat.v1"), max_msg_size=0, compress=15) as ws:
        saw.append(f"protocol {ws.protocol}, compress {ws.compress}")
        for message in ("hello", "", "grüße " * 20000):
            await ws.send_str(message)
            got = await ws.receive()
            saw.append(f"{got.type.name} {len(got.data)} {got.data == message}")
        for size in (1, 125, 126, 65535, 65536, 2 << 20):
            await ws.send_bytes(b"\x01" * size)
            got = await ws.receive()
            saw.append(f"{got.type.name} {len(got.data)}")
        await ws.ping(b"are you there")
        await ws.send_str("after the ping")
        saw.append((await ws.receive()).data)
        await ws.close(code=4005, message=b"done")
        saw.append(f"closed {ws.close_code}")
    async with session.ws_connect(base + "/ws/close?code=4100&reason=because") as ws:
        got = await ws.receive()
        saw.append(f"{got.type.name} {got.data} {got.extra}")
    return saw


async def main():
    async with aiohttp.ClientSession() as session:
        out = [await talk(session, base) for base in sys.stdin.read().split()]
    print(json.dumps(out))


asyncio.run(main())
