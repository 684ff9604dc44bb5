"""Makes the calls that it is told, "CLIENT URL" a line, and prints what a Python caller sees, one JSON a line."""

import json
import sys

import httpx
import requests


def text(body):
    """What of a body may be read by a person."""
    return body[:4096].decode("utf-8", "replace")


def with_requests(url):
    try:
        answer = requests.get(url, timeout=8)
    except requests.RequestException as e:
        return 0, f"{type(e).__name__}: {e}", ""
    try:
        answer.raise_for_status()
        said = f"no exception: {answer.status_code}, {len(answer.content)} bytes"
    except requests.HTTPError as e:
        said = f"HTTPError: {e}"
    return answer.status_code, said, text(answer.content)


def with_httpx(url):
    try:
        answer = httpx.get(url, timeout=8)
    except httpx.HTTPError as e:
        return 0, f"{type(e).__name__}: {e}", ""
    try:
        answer.raise_for_status()
        said = f"no exception: {answer.status_code}, {len(answer.content)} bytes"
    except httpx.HTTPStatusError as e:
        said = f"HTTPStatusError: {str(e).splitlines()[0]}"
    return answer.status_code, said, text(answer.content)


print(json.dumps({"requests": requests.__version__, "httpx": httpx.__version__, "python": sys.version.split()[0]}), flush=True)
for line in sys.stdin:
    client, url = line.split()
    status, said, body = (with_requests if client == "requests" else with_httpx)(url)
    print(json.dumps({"status": status, "said": said, "body": body}), flush=True)
