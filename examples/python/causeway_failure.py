"""What Causeway says of a failed call, read from an answer of any HTTP client.

Copy this file beside your own program: it needs nothing but Python 3.8. The other examples of this
folder use it with requests, httpx, aiohttp, urllib and openai.
"""

import json
import random
from dataclasses import dataclass, field
from typing import List, Mapping, Optional

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})


class CutAnswer(Exception):
    """The answer ended before its announced end, and the client did not say so."""


@dataclass
class Failure:
    """One failed call. ``kind`` is the word to write code against; it never changes its meaning."""

    status: int
    kind: str
    cause: str = ""
    detail: str = ""
    call_id: str = ""
    retry: str = ""  # safe, may_repeat or no; "" for an upstream's own answer that was passed on
    retry_after: Optional[float] = None  # seconds to wait, where somebody knows
    should_retry: Optional[bool] = None  # x-should-retry, which the official SDKs obey
    advice: List[str] = field(default_factory=list)

    def lines(self) -> str:
        """The failure for a person to read."""
        text = f"kind: {self.kind}\n"
        for name, value in (("cause", self.cause), ("what", self.detail), ("call", self.call_id), ("retry", self.retry)):
            if value:
                text += f"{name}: {value}\n"
        return text + "".join(f"do: {line}\n" for line in self.advice[:2])

    def pause(self, method: str, attempt: int, *, key: bool = False, most: int = 2) -> Optional[float]:
        """Seconds to wait before the next attempt, or None when there must be none.

        attempt counts from 1; key says that the call carries an Idempotency-Key; most is how many
        attempts may be made in all. The gateway has tried again by itself before, so two are enough.
        """
        if attempt >= most or self.should_retry is False:
            return None
        once = method.upper() not in IDEMPOTENT and not key
        if self.retry == "no" or (self.retry == "may_repeat" and once):
            return None
        if not self.retry and (self.retry_after is None or (once and self.status != 429)):
            return None  # the upstream's own answer: it must have asked for another attempt
        wait = self.retry_after if self.retry_after is not None else 0.2 * 2**attempt
        if wait > 30:
            return None
        return wait + random.uniform(0, 0.1 + wait / 4)  # callers that failed together must not return together


def read(status: int, headers: Mapping[str, str], body: bytes = b"") -> Optional[Failure]:
    """The failure that an answer tells of, or None when Causeway saw none.

    It is in the body where the gateway made the answer (application/problem+json, or the member
    error.causeway in the dialect of a model provider), and in the field Causeway-Finding where the
    upstream's own answer was passed on.
    """
    fields = {name.lower(): value for name, value in headers.items()}
    told = _told(body)
    kind = told.get("kind") or fields.get("causeway-finding", "")
    if not kind:
        return None
    wait = told.get("retry_after_ms")
    return Failure(
        status=status,
        kind=kind,
        cause=told.get("cause", ""),
        detail=told.get("detail", ""),
        call_id=told.get("call_id") or fields.get("causeway-call-id", ""),
        retry=told.get("retry", ""),
        retry_after=wait / 1000 if isinstance(wait, (int, float)) else _seconds(fields.get("retry-after", "")),
        should_retry={"true": True, "false": False}.get(fields.get("x-should-retry", "")),
        advice=list(told.get("advice") or []),
    )


def read_page(status: int, page: bytes) -> Optional[Failure]:
    """The failure that a call's own page tells of: GET /.causeway/calls/ID, with Accept: application/json.

    It is how to learn why an answer was cut, and what is behind an upstream's error that was passed on.
    """
    try:
        finding = json.loads(page).get("finding")
    except (ValueError, AttributeError):
        return None
    return read(status, {}, json.dumps(finding).encode()) if finding else None


def whole(method: str, status: int, headers: Mapping[str, str], received: int) -> bool:
    """Whether an answer has all the bytes that Content-Length announced; received counts them as sent, before unzipping."""
    length = next((value for name, value in headers.items() if name.lower() == "content-length"), "")
    if method.upper() == "HEAD" or status in (204, 304) or not length.isdigit():
        return True
    return received == int(length)


def _told(body: bytes) -> dict:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    if not isinstance(document, dict):
        return {}
    error = document.get("error")
    inner = error.get("causeway") if isinstance(error, dict) else None
    told = inner if isinstance(inner, dict) else document
    return told if isinstance(told.get("kind"), str) and "call_id" in told else {}


def _seconds(value: str) -> Optional[float]:
    """Retry-After in seconds; a date, which the gateway never sends by itself, counts as not known."""
    return float(value) if value.isdigit() else None
