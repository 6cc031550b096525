"""A part of a trace, from its own second 0 on, and faster than it was."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

from serve_app.traces.errors import TraceError
from serve_app.traces.recorded import Recorded, Trace

HOUR_S = 3600.0


@dataclass(frozen=True)
class Part:
    """What `trace` has within `hours` from `from_hour` on, `speed_up` times as fast."""

    trace: Trace
    from_hour: float = 0.0
    hours: float = inf
    speed_up: float = 1.0

    def __post_init__(self) -> None:
        if self._from_s >= self.trace.seconds > 0:
            hours = self.trace.seconds / HOUR_S
            raise TraceError(
                f"{self.trace.name} has {hours:.2f} hours, and none from {self.from_hour:g} on"
            )

    @property
    def name(self) -> str:
        return self.trace.name

    @property
    def seconds(self) -> float:
        """As it is replayed."""
        return (min(self._until_s, self.trace.seconds) - self._from_s) / self.speed_up

    def __iter__(self) -> Iterator[Recorded]:
        return self.between(0.0, inf)

    def between(self, from_s: float, until_s: float) -> Iterator[Recorded]:
        """Seconds are those of the replay."""
        begin, end = self._from_s + from_s * self.speed_up, self._from_s + until_s * self.speed_up
        found = self.trace.between(begin, min(end, self._until_s))
        if self._from_s == 0 and self.speed_up == 1:
            return found
        return (
            Recorded((at - self._from_s) / self.speed_up, asked, told, blocks, tenant)
            for at, asked, told, blocks, tenant in found
        )

    @property
    def _from_s(self) -> float:
        return self.from_hour * HOUR_S

    @property
    def _until_s(self) -> float:
        return self._from_s + self.hours * HOUR_S
