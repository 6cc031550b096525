"""A start ends in time, or is made to, and says where it was."""

import asyncio
import subprocess
import sys
import threading

import pytest

from serve_app.engine.loading import within
from serve_app.errors import LoadTimeout


class Blocked:
    """An engine whose start blocks the event loop until it is aborted, as vLLM's does."""

    def __init__(self) -> None:
        self.phase = "it had not begun"
        self._aborted = threading.Event()

    async def start(self) -> None:
        self.phase = "weights were read"
        self._aborted.wait()
        raise RuntimeError("the engine process is gone")

    def abort(self) -> None:
        self._aborted.set()


class Polite(Blocked):
    """One that waits, and can be cancelled."""

    async def start(self) -> None:
        self.phase = "a file was fetched"
        await asyncio.Event().wait()


class Quick(Blocked):
    async def start(self) -> None:
        self.phase = "nothing"


class Broken(Blocked):
    async def start(self) -> None:
        raise ValueError("no such model")


def run(engine: Blocked, timeout_s: float) -> None:
    asyncio.run(within(timeout_s, engine.start(), source=engine, abort=engine.abort))


@pytest.mark.parametrize(
    ("engine", "phase"), [(Blocked(), "weights were read"), (Polite(), "a file was fetched")]
)
def test_a_start_that_takes_too_long_ends_with_the_phase_it_was_in(
    engine: Blocked, phase: str
) -> None:
    wanted = rf"not ready after 0\.05 s \(load_timeout_s\): time was up while {phase}"
    with pytest.raises(LoadTimeout, match=wanted):
        run(engine, 0.05)


def test_a_start_in_time_is_left_alone() -> None:
    run(Quick(), 60)


def test_an_error_in_time_is_the_error() -> None:
    with pytest.raises(ValueError, match="no such model"):
        run(Broken(), 60)


def test_a_start_that_is_cancelled_by_others_is_cancelled() -> None:
    async def cancel() -> None:
        engine = Polite()
        starting = asyncio.ensure_future(
            within(60, engine.start(), source=engine, abort=engine.abort)
        )
        await asyncio.sleep(0)
        starting.cancel()
        await starting

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel())


DEAF = """
import asyncio, threading
from serve_app.engine import loading
loading.GRACE_S = 0.1

class Deaf:
    phase = "it listened to nobody"
    async def start(self):
        threading.Event().wait()

deaf = Deaf()
asyncio.run(loading.within(0.05, deaf.start(), source=deaf, abort=lambda: None))
"""


def test_what_cannot_be_made_to_fail_is_ended_with_its_process() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", DEAF], capture_output=True, timeout=60, check=False
    )

    assert ended.returncode == 1
    assert b"it listened to nobody" in ended.stderr
    assert b"this process ends" in ended.stderr
