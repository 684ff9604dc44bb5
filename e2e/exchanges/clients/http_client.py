"""Python's own http.client."""
import http.client
import ssl
from urllib.parse import urlsplit

from common import LIMIT, Body, fields_of, threads


def one(ca, row, seen):
    seen["skip"] = row.cannot("repeat", "http10")
    if seen["skip"]:
        return
    parts = urlsplit(row["url"])
    if row["column"] == "tls":
        conn = http.client.HTTPSConnection(parts.netloc, timeout=LIMIT, context=ssl.create_default_context(cafile=ca))
    else:
        conn = http.client.HTTPConnection(parts.netloc, timeout=LIMIT)
    if row["http10"]:
        conn._http_vsn, conn._http_vsn_str = 10, "HTTP/1.0"
    target = row["url"][row["url"].index(parts.netloc) + len(parts.netloc):]
    try:
        for _ in range(row["repeat"] or 1):
            conn.putrequest(row.method, target, skip_accept_encoding=True)
            for name, value in row.fields:
                conn.putheader(name, value)
            if row["close"]:
                conn.putheader("Connection", "close")
            if row["body"] == "chunked":
                conn.putheader("Transfer-Encoding", "chunked")
                conn.endheaders(row.pieces(), encode_chunked=True)
            elif row["body"]:
                conn.putheader("Content-Length", str(len(row.body)))
                conn.endheaders(row.body)
            else:
                conn.endheaders()
            body = Body()
            res = conn.getresponse()
            seen.update(status=res.status, reason=res.reason, headers=fields_of(res.headers.raw_items()), ordered=True,
                        version="HTTP/%.1f" % (res.version / 10))
            seen.setdefault("statuses", []).append(res.status)
            try:
                while data := res.read1(65536):
                    body.feed(data)
                res.read()
            finally:
                seen.update(body.told())
    finally:
        conn.close()


threads(one)
