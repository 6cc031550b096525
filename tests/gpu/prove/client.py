"""What a client of the gateway sees: answers, streams, their times."""

import asyncio
import json
import math
import random
import re
import statistics
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

COMPLETION = re.compile(r'"completion_tokens": ?(\d+)')
LOWEST_TOKEN, HIGHEST_TOKEN = 100, 40_000  # plain ones in every vocabulary here


@dataclass
class Stream:
    """One streamed answer. Seconds from its start."""

    status: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    is_done: bool = False
    error: str = ""
    marks: list[tuple[float, int]] = field(default_factory=list)  # when, and tokens until then

    @property
    def tokens(self) -> int:
        return self.marks[-1][1] if self.marks else 0

    @property
    def events(self) -> int:
        return len(self.marks)

    def token_s(self, since_s: float, until_s: float) -> float:
        """Seconds per token in this part of its time."""
        inside = [mark for mark in self.marks if since_s <= mark[0] <= until_s]
        if len(inside) < 2:
            return math.nan
        (begin_s, before), (end_s, after) = inside[0], inside[-1]
        return (end_s - begin_s) / max(1, after - before)

    @property
    def is_whole(self) -> bool:
        return self.status == 200 and self.is_done and not self.error


@dataclass(frozen=True)
class Burst:
    """Streams that began together."""

    streams: list[Stream]
    seconds: float

    @property
    def failed(self) -> list[str]:
        return [
            s.error or f"status {s.status}, done {s.is_done}"
            for s in self.streams
            if not s.is_whole
        ]

    def require_whole(self) -> "Burst":
        assert not self.failed, (
            f"{len(self.failed)} of {len(self.streams)} failed: {self.failed[:2]}"
        )
        return self

    @property
    def step_s(self) -> float:
        """The time of a decode step: the median of all streams' time per token, while all run."""
        since_s = max(stream.first_s for stream in self.streams)
        until_s = min(stream.last_s for stream in self.streams)
        return statistics.median(stream.token_s(since_s, until_s) for stream in self.streams)

    @property
    def ttft_s(self) -> float:
        return statistics.median(stream.first_s for stream in self.streams)

    @property
    def tokens_per_s(self) -> float:
        return sum(stream.tokens for stream in self.streams) / self.seconds


class Client:
    """Asks one model behind `url`."""

    def __init__(self, url: str, model: str) -> None:
        self.url = url
        self.model = model
        self._dice = random.Random(0)

    def chat(self, *, max_tokens: int = 16, timeout_s: float = 60) -> tuple[int, dict[str, Any]]:
        return asyncio.run(self._chat(max_tokens, timeout_s))

    async def _chat(self, max_tokens: int, timeout_s: float) -> tuple[int, dict[str, Any]]:
        body = {**self._body(max_tokens), "messages": [{"role": "user", "content": "Hello"}]}
        async with _session(timeout_s) as http:
            path = f"{self.url}/v1/chat/completions"
            async with http.post(path, json=body) as answer:
                return answer.status, await answer.json(content_type=None)

    def chat_stream(self, *, max_tokens: int) -> Stream:
        messages = [{"role": "user", "content": "Tell me of a river."}]
        return asyncio.run(self._burst(1, {"messages": messages}, max_tokens, 120)).streams[0]

    def burst(self, streams: int, prompt: int, output: int, *, timeout_s: float = 120) -> Burst:
        """`streams` at once, of random prompts of `prompt` tokens."""
        return asyncio.run(self._burst(streams, {"prompt": prompt}, output, timeout_s))

    async def _burst(
        self, count: int, what: dict[str, Any], output: int, timeout_s: float
    ) -> Burst:
        async with _session(timeout_s) as http:
            started = time.monotonic()
            streams = await asyncio.gather(*[self.stream(http, what, output) for _ in range(count)])
            return Burst(list(streams), time.monotonic() - started)

    async def stream(
        self, http: aiohttp.ClientSession, what: dict[str, Any], output: int
    ) -> Stream:
        """One answer, to its end or its error."""
        seen, started = Stream(), time.monotonic()
        body = {**self._body(output), **self._prompt(what), "stream": True}
        body["stream_options"] = {"include_usage": True, "continuous_usage_stats": True}
        path = "chat/completions" if "messages" in what else "completions"
        try:
            async with http.post(f"{self.url}/v1/{path}", json=body) as answer:
                seen.status = answer.status
                if answer.status != 200:
                    seen.error = (await answer.text())[:200]
                    return seen
                async for event in events(answer):
                    _note(seen, event, time.monotonic() - started)
        except (aiohttp.ClientError, TimeoutError) as error:
            seen.error = repr(error)
        return seen

    def crowd(self, count: int, prompt: int, output: int, *, stop: threading.Event) -> Burst:
        """`count` clients, each with one request after the other, until `stop` is set."""
        return asyncio.run(self._crowd(count, {"prompt": prompt}, output, stop))

    async def _crowd(
        self, count: int, what: dict[str, Any], output: int, stop: threading.Event
    ) -> Burst:
        ended: list[Stream] = []

        async def client(http: aiohttp.ClientSession) -> None:
            while not stop.is_set():
                ended.append(await self.stream(http, what, output))
                if not ended[-1].is_whole:
                    await asyncio.sleep(0.5)  # a refusal is counted, not hammered for more

        async with _session(200) as http:
            started = time.monotonic()
            await asyncio.gather(*[client(http) for _ in range(count)])
            return Burst(ended, time.monotonic() - started)

    def abort(self, *, after_events: int) -> float:
        """Leave in the middle of an answer; when that was, on the monotonic clock."""
        return asyncio.run(self._abort(after_events))

    async def _abort(self, after_events: int) -> float:
        body = {**self._body(4000), **self._prompt({"prompt": 64}), "stream": True}
        path = f"{self.url}/v1/completions"
        async with _session(60) as http, http.post(path, json=body) as answer:
            assert answer.status == 200, await answer.text()
            seen = 0
            async for _ in events(answer):
                seen += 1
                if seen == after_events:
                    break
        return time.monotonic()

    def _body(self, max_tokens: int) -> dict[str, Any]:
        return {
            "model": self.model,
            "max_tokens": max_tokens,
            "temperature": 0,
            "ignore_eos": True,
        }

    def _prompt(self, what: dict[str, Any]) -> dict[str, Any]:
        if "messages" in what:
            return what
        dice = self._dice
        return {
            "prompt": [dice.randint(LOWEST_TOKEN, HIGHEST_TOKEN) for _ in range(what["prompt"])]
        }


def _session(timeout_s: float) -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    return aiohttp.ClientSession(
        timeout=timeout, connector=aiohttp.TCPConnector(limit=0), read_bufsize=2**20
    )


async def events(answer: aiohttp.ClientResponse) -> AsyncIterator[str]:
    """The data of server-sent events."""
    async for line in answer.content:
        text = line.decode().strip()
        if text.startswith("data: "):
            yield text.removeprefix("data: ")


def _note(seen: Stream, event: str, at_s: float) -> None:
    """Without reading all of the JSON: this client shares the machine with what it measures."""
    if event == "[DONE]":
        seen.is_done = True
    elif '"error"' in event:
        seen.error = str(json.loads(event)["error"].get("code"))
        seen.last_s = at_s
    elif (said := COMPLETION.search(event)) and int(said[1]) > seen.tokens:
        seen.first_s = seen.first_s or at_s
        seen.last_s = at_s
        seen.marks.append((at_s, int(said[1])))
