"""A chat with the official openai package: python3 with_openai.py MODEL [stream]

OPENAI_BASE_URL is the gateway's address with /v1, OPENAI_API_KEY a key of yours at the gateway. The
package obeys x-should-retry, Retry-After and retry-after-ms: the gateway says "false" where it has
tried everything itself, so that its attempts and the package's are not multiplied.
"""

import sys

import openai

import causeway_failure as causeway

# The time between two bytes; 600 s and two retries are the package's defaults. timeouts.total of the provider (or
# first_byte, per attempt) must fit in it.
client = openai.OpenAI(timeout=120, max_retries=1)


def failure_of(e):
    """What the gateway told with an exception of the package, or None."""
    if isinstance(e, openai.APIStatusError):
        return causeway.read(e.response.status_code, e.response.headers, e.response.content)
    inner = e.body.get("causeway") if isinstance(e.body, dict) else None  # the error event of a stream that broke
    if inner:
        return causeway.Failure(
            status=200, kind=inner["kind"], cause=inner["cause"], detail=inner["detail"], call_id=inner["call_id"],
            retry=inner["retry"], advice=inner.get("advice", []),
        )
    return None


if __name__ == "__main__":
    stream = sys.argv[2:] == ["stream"]
    try:
        got = client.chat.completions.create(
            model=sys.argv[1], messages=[{"role": "user", "content": "Say hello."}], stream=stream
        )
        if stream:
            for event in got:  # raises APIError on the gateway's error event: a break never looks like an end
                if event.choices:
                    print(event.choices[0].delta.content or "", end="", flush=True)
            print()
        else:
            print(got.choices[0].message.content)
    except openai.APIError as e:  # APIConnectionError and APITimeoutError hide their cause in __cause__
        print("client:", e, e.__cause__ or "")
        failure = failure_of(e)
        if failure:
            print(failure.lines(), end="")
        sys.exit(1)
