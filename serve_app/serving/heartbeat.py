"""Both silences of a response: ours is filled with heartbeats, a client's ends it.

A heartbeat is an SSE comment, which every client skips, sent so that nobody between here
and there hangs up on a stream that waits. One timer looks after a response, however many
frames that has: a frame only leaves the time at which it was sent.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from starlette.types import Message, Scope, Send

from serve_app.errors import ClientStalled
from serve_app.serving.cpu import Metered

HEARTBEAT = b": heartbeat\n\n"
HEARTBEAT_HEADER = b"x-heartbeat"


def wants_heartbeats(scope: Scope) -> bool:
    """Whether the client left it at that; `x-heartbeat: none` opts out."""
    values = [value for name, value in scope["headers"] if name == HEARTBEAT_HEADER]
    return all(value.strip().lower() != b"none" for value in values)


class Watch:
    """The only way to the client while `async with` lasts: one message at a time, ours or a
    heartbeat's.

    A client that stalls, or a heartbeat that fails, interrupts the block's task wherever it
    is; `async with` then raises why, as `asyncio.timeout` does.
    """

    def __init__(
        self,
        client: Send,
        heartbeat: Callable[[], Sequence[Message]],
        *,
        stalled_after_s: float,
        spend: Callable[[float], None],
    ) -> None:
        """`heartbeat` says what to send into a silence now; nothing, when now is no time."""
        self.beat_after_s = math.inf  # no heartbeats
        self._client = client
        self._heartbeat = heartbeat
        self._stalled_after_s = stalled_after_s
        self._spend = spend
        self._beating: asyncio.Future[None] | None = None
        self._failure: Exception | None = None

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None  # a coroutine always runs in one
        self._task, self._cancels = task, task.cancelling()
        self._loop = asyncio.get_running_loop()
        self._sent_at, self._is_sending, self._failure = self._loop.time(), False, None
        self._look_at(math.inf)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._beating is not None:
            self._beating.cancel()
            with suppress(asyncio.CancelledError):
                await self._beating
        if self._failure is None:
            return
        is_only_ours = self._task.uncancel() <= self._cancels
        if is_only_ours and kind is asyncio.CancelledError:
            raise self._failure from error

    def stop_beating(self) -> None:
        """What is sent next is the end."""
        self.beat_after_s = math.inf

    async def send(self, message: Message) -> None:
        while self._beating is not None:
            await self._beating
        await self._send(message)

    async def _send(self, message: Message) -> None:
        self._sent_at = self._loop.time()
        self._is_sending = True
        await self._client(message)
        self._is_sending = False

    def _look(self) -> None:
        now = self._loop.time()
        patience_s = self._stalled_after_s if self._is_sending else self.beat_after_s
        due = self._sent_at + patience_s
        if now < due:
            self._look_at(due)
        elif self._is_sending:
            stalled = f"the client took nothing for {self._stalled_after_s:g} s"
            self._interrupt(ClientStalled(stalled))
        else:
            if self._beating is None and (messages := self._heartbeat()):
                self._beating = self._loop.create_task(self._beat(messages))
            self._look_at(now + self.beat_after_s)

    def _look_at(self, when: float) -> None:
        """Or sooner: no silence, of either side, may begin and last unseen."""
        soon = self._loop.time() + min(self.beat_after_s, self._stalled_after_s)
        self._timer = self._loop.call_at(min(when, soon), self._look)

    async def _beat(self, messages: Sequence[Message]) -> None:
        try:
            await Metered(self._send_all(messages), self._spend)
        except Exception as failure:  # noqa: BLE001 - `async with` raises it
            self._interrupt(failure)
        finally:
            self._beating = None

    async def _send_all(self, messages: Sequence[Message]) -> None:
        for message in messages:
            await self._send(message)

    def _interrupt(self, failure: Exception) -> None:
        if self._timer.cancelled():
            return  # interrupted before, or left
        self._timer.cancel()
        self._failure = failure
        self._task.cancel()
