"""requests, over urllib3."""
import requests

from common import LIMIT, Body, fields_of, threads


def one(ca, row, seen):
    seen["skip"] = row.cannot("follow", "cookies", "repeat")
    if seen["skip"]:
        return
    merged = {}
    for name, value in row.fields:
        merged[name] = merged[name] + b", " + value if name in merged else value
    with requests.Session() as session:
        session.trust_env = False
        session.verify = ca
        if row["close"]:
            merged["Connection"] = b"close"
        for _ in range(2 if row["cookies"] else row["repeat"] or 1):
            data = None
            if row["body"]:
                data = row.pieces() if row["body"] == "chunked" else row.body
            body = Body()
            res = session.request(row.method, row["url"], headers=merged, data=data, stream=True, timeout=LIMIT, allow_redirects=bool(row["follow"]))
            seen.update(status=res.status_code, reason=res.reason, headers=fields_of(res.raw.headers.iteritems()), ordered=True)
            seen.setdefault("statuses", []).append(res.status_code)
            if row["follow"]:
                seen["statuses"] = [r.status_code for r in res.history] + [res.status_code]
                seen["url"] = res.url
            try:
                while data := res.raw.read1(65536) if hasattr(res.raw, "read1") else res.raw.read(1 if "event-stream" in res.headers.get("content-type", "") else 65536):
                    body.feed(data)
            finally:
                seen.update(body.told())


threads(one)
