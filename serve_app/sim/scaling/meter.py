"""What one simulated engine did lately, as `core.pace` tells it of a real one."""

from collections import deque

from serve_app.core.pace import WINDOW_S, Timings
from serve_app.sim.scaling.engine import Replica


class Meter:
    """From an engine's counters, over a sliding window."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int, float, float]] = deque()

    def timings(self, engine: Replica, *, slowdown: float, now: float) -> Timings:
        alone_s, answers = engine.rates.alone_s, engine.answers
        tpot_s, reading = self._read(engine, now)
        return Timings(
            tpot_s=tpot_s,
            alone_tpot_s=alone_s,
            reading=reading,
            slow_tpot_s=answers.slow_s(now=now),
            answers_per_s=answers.per_s(now=now),
            late=answers.late(slowdown * alone_s, now=now),
        )

    def _read(self, engine: Replica, now: float) -> tuple[float, float]:
        """TPOT, 0 where nothing decoded, and the share of the time in which it read prompts."""
        self._marks.append((now, engine.decoded, engine.decoding_s, engine.reading_s))
        while self._marks[0][0] < now - WINDOW_S:
            self._marks.popleft()
        at, decoded, decoding_s, reading_s = self._marks[0]
        decoded, decoding_s = engine.decoded - decoded, engine.decoding_s - decoding_s
        reading = min(1.0, (engine.reading_s - reading_s) / (now - at)) if now > at else 0.0
        return decoding_s / decoded if decoded else 0.0, reading
