"""Engines that answer by script, for what the gateway does around them."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from serve_app.channel.wire import Report
from serve_app.config import GatewayTunables
from serve_app.core.limiter import Limiter
from serve_app.engine.protocol import (
    Call,
    Capacity,
    EngineStats,
    Frame,
    Head,
    Items,
    Model,
    Usage,
)
from serve_app.errors import RequestError
from serve_app.serving.lane import Lane
from serve_app.serving.ledger import LedgerClient

STREAM = Head(200, ((b"content-type", b"text/event-stream; charset=utf-8"),))
WHOLE = Head(200, ((b"content-type", b"application/json"), (b"content-length", b"2")))
LAST = Frame(b"", finished=True, usage=Usage(3, 1, 2))
MODEL = Model(("m",), ("/v1/chat/completions", "/tokenize"), created=7)
CAPACITY = Capacity(kv_tokens=1000, max_num_seqs=4, max_model_len=100)

Script = Sequence[Head | Frame | RequestError | asyncio.Event]


class ScriptedEngines:
    """Replica id → what it does with every call: items to yield, errors to raise, events to
    wait for. Remembers who was called, and how many calls are open."""

    def __init__(self, **scripts: Script) -> None:
        self.scripts = scripts
        self.called: list[str] = []
        self.open = 0

    async def call(self, replica_id: str, call: Call) -> AsyncGenerator[Items, None]:
        self.called.append(replica_id)
        self.open += 1
        try:
            for item in self.scripts[replica_id]:
                if isinstance(item, RequestError):
                    raise item
                if isinstance(item, asyncio.Event):
                    await item.wait()
                else:
                    yield [item]
        finally:
            self.open -= 1


class ManualClock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def lane(
    engines: ScriptedEngines,
    *,
    slots: int = 1,
    clock: ManualClock | None = None,
    **tunables: object,
) -> Lane:
    """A lane whose replicas, those of the scripts, have all just reported."""
    checked = GatewayTunables.model_validate(tunables)
    made = Lane(
        "app",
        engines,
        checked,
        gateway="here",
        ledger=LedgerClient(None, Limiter("here")),
        clock=clock or ManualClock(),
    )
    reports = [report(name, slots=slots) for name in engines.scripts]
    made.hear(reports, in_service=set(engines.scripts))
    return made


def report(
    name: str, *, slots: int = 1, model: Model = MODEL, capacity: Capacity = CAPACITY
) -> Report:
    """What an idle, healthy replica says."""
    return Report(
        name,
        model,
        capacity,
        EngineStats(),
        slots=slots,
        max_sequences=slots,
        running={},
        is_healthy=True,
    )
