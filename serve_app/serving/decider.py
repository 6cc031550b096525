"""A policy behind glass: whatever it does inside, whoever asks it hears an answer at once.

Each question is thought about in a thread of its own, one at a time; what is heard is the
answer to the question before, a tick ago. A policy that raises or hangs holds the replicas
that were ordered, and a thread that hangs is left alone until it comes back.
"""

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from serve_app.core.autoscaling import Decision, Load

Decide = Callable[[Load], Decision]

PATIENCE_S = 5.0
UNDECIDED = "undecided"
TROUBLES = frozenset({"failed", "hung"})


@dataclass(frozen=True, slots=True)
class _Answer:
    target: int
    asked_at: float
    decision: Decision


class Decider:
    """Asks `decide`, and holds where it has no answer."""

    def __init__(
        self,
        decide: Decide,
        *,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._decide = decide
        self._patience_s = patience_s
        self._clock = clock
        self._asked_at = clock()
        self._thread = threading.Thread(target=lambda: None)
        self._answer: _Answer | None = None

    def ask(self, load: Load) -> Decision:
        """The latest answer; it was meant for this target, or it is a hold."""
        now, answer = self._clock(), self._answer
        if not self._thread.is_alive():
            self._think_about(load, now)
        elif now - self._asked_at > self._patience_s:
            return Decision(load.target, "hung", f"hold: {self._trouble()}")
        if (
            answer is None
            or answer.target != load.target
            or now - answer.asked_at > self._patience_s
        ):
            return Decision(load.target, UNDECIDED, "hold: this was not decided on yet")
        return answer.decision

    def _think_about(self, load: Load, now: float) -> None:
        self._asked_at = now
        self._thread = threading.Thread(target=self._think, args=(load, now), daemon=True)
        self._thread.start()

    def _think(self, load: Load, asked_at: float) -> None:
        try:
            decision = self._decide(load)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the replicas stay
            decision = Decision(load.target, "failed", f"hold: the policy failed with {error!r}")
        self._answer = _Answer(load.target, asked_at, decision)

    def _trouble(self) -> str:
        frame = sys._current_frames().get(self._thread.ident or 0)  # noqa: SLF001
        at = f", and is in {frame.f_code.co_filename}:{frame.f_lineno}" if frame else ""
        return f"the policy has not answered for {self._patience_s:g} s{at}"
