"""Wait for a gateway that was just started, then show a first request to paste.

Runs beside `serve run` in `make serve`; ends when its parent does, so that Ctrl-C on the
one stops both.
"""

import json
import os
import sys
import time
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

POLL_S = 0.25
NO_ENTRY = "it wants an API key"
ANSWER_TIMEOUT_S = 5.0

_EXAMPLE = """
Ready after {waited_s:.0f} s at {url}. A first request, from another terminal:

  curl -sN {url}/v1/chat/completions -H 'content-type: application/json' -d '{body}'
"""


KEY = "SERVE_APP_KEY"
"""The environment variable with the API key to ask with, where the gateway wants one."""


def wait(url: str = "http://127.0.0.1:8000", timeout_s: float = 600.0) -> int:
    """Poll `/ready` until it answers 200; returns the exit status, 1 after `timeout_s`, or at
    once when the gateway wants another key."""
    parent, started = os.getppid(), time.monotonic()
    while os.getppid() == parent:
        waited_s = time.monotonic() - started
        reason = _not_ready(url)
        if reason is None:
            print(_EXAMPLE.format(url=url, waited_s=waited_s, body=_first_request(url)), flush=True)
            return 0
        if waited_s >= timeout_s or reason.startswith(NO_ENTRY):
            print(f"serve-app: {url} not ready after {waited_s:.0f} s: {reason}", file=sys.stderr)
            return 1
        time.sleep(POLL_S)
    return 1


def _not_ready(url: str) -> str | None:
    try:
        _get(f"{url}/ready")
    except HTTPError as error:
        said = error.read().decode(errors="replace")
        return f"{NO_ENTRY}; set {KEY} to one of its keys" if error.code == 401 else said
    except (URLError, OSError) as error:
        return str(error)
    return None


def _first_request(url: str) -> str:
    model = json.loads(_get(f"{url}/v1/models"))["data"][0]["id"]
    question: dict[str, Any] = {"role": "user", "content": "What is the capital of France?"}
    # Streamed and short: a small model that is left to itself talks for minutes.
    bounds = {"stream": True, "max_tokens": 64, "temperature": 0}
    return json.dumps({"model": model, "messages": [question], **bounds})


def _get(url: str) -> bytes:
    # A proxy that the environment names would be asked for 127.0.0.1.
    opener = build_opener(ProxyHandler({}))
    key = os.environ.get(KEY)
    headers = {"authorization": f"Bearer {key}"} if key else {}
    with opener.open(Request(url, headers=headers), timeout=ANSWER_TIMEOUT_S) as answer:  # noqa: S310
        read: bytes = answer.read()
    return read
