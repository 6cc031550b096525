"""A trace of requests, played against a gateway in real time."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

PATH = "/v1/chat/completions"
MESSAGES = [{"role": "user", "content": "one two three"}]
PATIENCE_S = 180


@dataclass(frozen=True)
class Asked:
    """A request for a stream of so many tokens."""

    at_s: float
    max_tokens: int


@dataclass(frozen=True)
class Told:
    """How it was answered; `is_whole` when the last thing said was [DONE]."""

    status: int
    is_whole: bool
    heartbeats: int
    began_s: float
    ended_s: float


def steady(
    per_s: float, *, from_s: float, to_s: float, max_tokens: int = 40, long_every: int = 0
) -> list[Asked]:
    """So many a second; of `long_every` requests one is ten times as long."""
    number = int((to_s - from_s) * per_s)
    longer = [10 if long_every and k % long_every == 0 else 1 for k in range(number)]
    return [Asked(from_s + k / per_s, max_tokens * longer[k]) for k in range(number)]


def body(model: str, asked: Asked) -> dict[str, Any]:
    asks = {"model": model, "messages": MESSAGES, "stream": True}
    return asks | {"max_tokens": asked.max_tokens}


async def play(url: str, model: str, trace: Sequence[Asked], *, began: float) -> list[Told]:
    """What became of each request of the trace, whose time 0 is `began` on the monotonic clock."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)

    async def ask(http: httpx.AsyncClient, asked: Asked) -> Told:
        await asyncio.sleep(began + asked.at_s - time.monotonic())
        sent_s = time.monotonic() - began
        async with http.stream("POST", PATH, json=body(model, asked)) as answer:
            text = await answer.aread()
        is_whole = text.endswith(b"data: [DONE]\n\n")
        heartbeats = text.count(b": heartbeat\n\n")
        return Told(answer.status_code, is_whole, heartbeats, sent_s, time.monotonic() - began)

    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_S, limits=limits) as http:
        return await asyncio.gather(*(ask(http, asked) for asked in trace))
