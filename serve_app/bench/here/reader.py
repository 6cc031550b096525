"""A client that costs next to nothing: reads streams and counts their events.

On a machine with two cores a client that parses every event would measure itself.
"""

import asyncio
import json
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

EVENT = b"data: {"
DONE = b"data: [DONE]"


@dataclass(frozen=True, slots=True)
class Reading:
    """What some streams that ran at once brought. `ttft_s` is the median over them."""

    frames: int
    whole: int  # streams that ended with [DONE]
    seconds: float
    ttft_s: float

    @property
    def frames_per_s(self) -> float:
        return self.frames / self.seconds


def chat(url: str, *, output_tokens: int, model: str = "simulated", key: str = "") -> bytes:
    """A raw streaming chat request to `url`."""
    body = json.dumps(
        {
            "model": model,
            "stream": True,
            "max_tokens": output_tokens,
            "ignore_eos": True,
            "messages": [{"role": "user", "content": "Say something, please. " * 40}],
        }
    ).encode()
    return _request("POST", urlsplit(url).netloc, "/v1/chat/completions", body, key)


def get(url: str) -> bytes:
    parts = urlsplit(url)
    return _request("GET", parts.netloc, f"{parts.path}?{parts.query}", b"")


async def read(url: str, request: bytes, *, streams: int) -> Reading:
    """Send `request` over `streams` connections at once and read all to their end."""
    started = time.perf_counter()
    results = await asyncio.gather(*(_read_one(url, request) for _ in range(streams)))
    seconds = time.perf_counter() - started
    first = sorted(result[2] for result in results)
    return Reading(
        frames=sum(result[0] for result in results),
        whole=sum(result[1] for result in results),
        seconds=seconds,
        ttft_s=first[len(first) // 2],
    )


async def _read_one(url: str, request: bytes) -> tuple[int, bool, float]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    started = time.perf_counter()
    writer.write(request)
    frames, ttft_s, seen = 0, float("inf"), b""
    while data := await reader.read(65536):
        # An event may be cut between two reads; what could begin one is looked at again.
        found = (seen[-len(EVENT) + 1 :] + data).count(EVENT)
        if found and not frames:
            ttft_s = time.perf_counter() - started
        frames += found
        seen = (seen + data)[-64:]
    writer.close()
    return frames, DONE in seen, ttft_s


def _request(method: str, host: str, target: str, body: bytes, key: str = "") -> bytes:
    credential = f"Authorization: Bearer {key}\r\n" if key else ""
    head = (
        f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
        f"{credential}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
