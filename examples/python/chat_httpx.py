"""OpenAI's dialect without an SDK: python3 chat_httpx.py BASE_URL KEY MODEL [stream]

For programs that speak it themselves. The same rules as the SDK's: x-should-retry and Retry-After
decide, an error event ends a stream with an exception, and a stream without an end is no answer.
"""

import json
import sys
import time

import httpx

import causeway_failure as causeway


class ChatFailed(Exception):
    """A model's call that failed, with the attribute failure (None where nothing was told)."""

    def __init__(self, message, failure):
        super().__init__(message)
        self.failure = failure


def chat(client, model, text, stream):
    """Yields the pieces of the answer. Raises ChatFailed, also in its middle."""
    request = {"model": model, "messages": [{"role": "user", "content": text}], "stream": stream}
    attempt = 0
    while True:
        attempt += 1
        with client.stream("POST", "chat/completions", json=request) as answer:
            if answer.status_code == 200:
                yield from (events(answer) if stream else [message(answer)])
                return
            body = answer.read()
        failure = causeway.read(answer.status_code, answer.headers, body)
        # A chat costs money each time: only what never reached a provider, or what it refused at once, is repeated.
        pause = failure.pause("POST", attempt) if failure and failure.should_retry else None
        if pause is None:
            raise ChatFailed(words(body) or f"status {answer.status_code}", failure)
        time.sleep(pause)


def message(answer):
    return json.loads(answer.read())["choices"][0]["message"]["content"]


def events(answer):
    ended = False
    for line in answer.iter_lines():
        if not line.startswith("data:"):
            continue
        data = line[5:].strip()
        if data == "[DONE]":
            return
        event = json.loads(data)
        if "error" in event:
            raise ChatFailed(event["error"]["message"], causeway.read(200, answer.headers, data.encode()))
        for choice in event["choices"]:
            ended = ended or bool(choice.get("finish_reason"))
            yield choice["delta"].get("content") or ""
    if not ended:
        raise ChatFailed("the stream ended without its end", None)


def words(body):
    try:
        return json.loads(body)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        return ""


if __name__ == "__main__":
    base, key, model = sys.argv[1:4]
    headers = {"Authorization": "Bearer " + key}
    with httpx.Client(base_url=base, headers=headers, timeout=httpx.Timeout(120, connect=3)) as client:
        try:
            for piece in chat(client, model, "Say hello.", sys.argv[4:] == ["stream"]):
                print(piece, end="", flush=True)
            print()
        except ChatFailed as e:
            print("\nclient:", e)
            if e.failure:
                print(e.failure.lines(), end="")
            sys.exit(1)
