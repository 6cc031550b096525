"""What happened to each request, and who was served how much in which second."""

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum

from serve_app.sim.traffic import Arrival


class Outcome(StrEnum):
    UNFINISHED = "unfinished"  # when the replay ended
    FINISHED = "finished"
    REJECTED = "rejected"
    EVICTED = "evicted"


@dataclass(slots=True)
class Record:
    """One request. Times are seconds of the virtual clock; None is not yet."""

    arrival: Arrival
    outcome: Outcome = Outcome.UNFINISHED
    started_at: float | None = None
    first_token_at: float | None = None
    ended_at: float | None = None
    cached_tokens: int = 0

    @property
    def ttft_s(self) -> float | None:
        """From its arrival, as its client sees it."""
        return None if self.first_token_at is None else self.first_token_at - self.arrival.at_s


class Service:
    """Cost that was served to each tenant, and whether it had something waiting, by second."""

    def __init__(self) -> None:
        self._served: defaultdict[str, defaultdict[int, float]] = defaultdict(
            lambda: defaultdict(float)
        )
        self._waiting: defaultdict[str, int] = defaultdict(int)
        self._idle: defaultdict[str, set[int]] = defaultdict(set)

    def serve(self, tenant: str, cost: float, *, now: float) -> None:
        self._served[tenant][int(now)] += cost

    def wait(self, tenant: str, requests: int, *, now: float) -> None:
        """`requests` more wait; fewer, if negative."""
        if not self._waiting[tenant]:
            self._idle[tenant].add(int(now))
        self._waiting[tenant] += requests
        if not self._waiting[tenant]:
            self._idle[tenant].add(int(now))

    def tick(self, *, now: float) -> None:
        """Called every second: a tenant that waits for nothing is idle in this one."""
        for tenant, waiting in self._waiting.items():
            if not waiting:
                self._idle[tenant].add(int(now))

    def between(self, tenant: str, from_s: int, to_s: int) -> float:
        served = self._served[tenant]
        return sum(served[second] for second in range(from_s, to_s))

    def was_backlogged(self, tenant: str, from_s: int, to_s: int) -> bool:
        """Whether it had something waiting all the time."""
        return self._idle[tenant].isdisjoint(range(from_s, to_s))
