"""A relay, its script and its client on a clock that skips whatever nobody waits for."""

import asyncio
import selectors
from collections.abc import AsyncGenerator, Coroutine, Sequence
from typing import Any

from starlette.types import Message

from serve_app.engine.protocol import Frame, Head, Items
from serve_app.errors import RequestError
from serve_app.serving.relay import Relay

CHAT = "/v1/chat/completions"
Script = Sequence[float | Head | Frame | RequestError]  # seconds to wait, items, errors


class Skipping(selectors.SelectSelector):
    """Moves the clock to the next timer instead of waiting for it."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everybody waits for somebody else"
            self.now += timeout
        return ready


class VirtualTime(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.skipping = Skipping()
        super().__init__(self.skipping)

    def time(self) -> float:
        return self.skipping.now


def run(scenario: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=VirtualTime) as runner:
        return runner.run(scenario)


class Client:
    """Takes `takes[n]` seconds for message n, and no time for those after; notes what came when."""

    def __init__(self, *takes: float) -> None:
        self.takes = iter(takes)
        self.starts: list[Message] = []
        self.heard: list[tuple[float, str]] = []
        self.is_busy = False

    async def send(self, message: Message) -> None:
        assert not self.is_busy, "two messages at once"
        self.is_busy = True
        if seconds := next(self.takes, 0.0):
            await asyncio.sleep(seconds)
        self.is_busy = False
        now = round(asyncio.get_running_loop().time(), 3)
        if message["type"] == "http.response.start":
            self.starts.append(message)
        else:
            assert self.starts, "a body before its head"
            self.heard.append((now, message["body"].decode()))

    @property
    def times(self) -> list[float]:
        return [when for when, _ in self.heard]

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.heard)


async def play(script: Script) -> AsyncGenerator[Items, None]:
    for step in script:
        if isinstance(step, float):
            await asyncio.sleep(step)
        elif isinstance(step, RequestError):
            raise step
        else:
            yield [step]


def relay_to(client: Client, *, streams: bool = True, path: str = CHAT, **knobs: float) -> Relay:
    times = {"idle_write_timeout_s": 60.0, "heartbeat_s": 15.0} | knobs
    relay = Relay(client.send, path=path, **times)
    if streams:
        relay.expect_stream()
    return relay


def heard(*script: float | Head | Frame | RequestError, **knobs: Any) -> tuple[Client, Relay]:
    client = Client()
    relay = relay_to(client, **knobs)
    run(relay.pass_on(play(script)))
    return client, relay
