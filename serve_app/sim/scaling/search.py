"""The cheapest schedule that reaches the target when it is played as a whole.

How long a replica loads changes two things only: what is paid for, and that who is due again
before a new one would have loaded is kept. So a schedule in which all who are due again within
`keep_s` are kept is the same for every load time up to that, and is played once for them all.

For each window, price and `keep_s` there is a ladder of schedules, from the loosest to the
tightest: rung by rung fewer misses are allowed. The windows' misses are not quite those of the
whole, so the loosest rung that reaches the target is sought by playing: what a rung missed says
which to try next. It is taken for granted that a tighter rung of a ladder misses less. One ladder
goes ahead until it reaches the target, and tells the others where to begin. A ladder is left when
its next rung costs more, at each load time, than what reaches the target there.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from serve_app.sim.scaling.ahead import loading_s, ready, replica_s
from serve_app.sim.scaling.schedules import Table

PRICES_S = (120.0, 30.0, 300.0, 900.0)
KEEPS_S = (300.0, 120.0, 30.0)
SHARES = tuple(0.9**power for power in range(-4, 20))  # of the misses allowed: 1.5 to 0.14

Serving = tuple[tuple[float, int], ...]  # how many serve from when on


@dataclass(frozen=True, slots=True)
class Whole:
    """What came of a schedule that was played as a whole, with replicas that load in no time."""

    missed: int
    replica_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """A schedule, and where it is from."""

    window_s: float
    price_s: float
    keep_s: float
    share: float
    serving: Serving

    def __str__(self) -> str:
        return (
            f"windows of {self.window_s:g} s, {self.price_s:g} s for a replica that is added, kept "
            f"if due within {self.keep_s:g} s, {self.share:.2f} of the misses allowed"
        )

    def least_s(self, load_s: float, until_s: float) -> float:
        """Replica-seconds without those of draining."""
        return replica_s(self.serving, until_s) + loading_s(self.serving, load_s, until_s)

    def cost_s(self, load_s: float, whole: Whole) -> float:
        """All replica-seconds."""
        return whole.replica_s + loading_s(self.serving, load_s, whole.seconds)


@dataclass
class Ladder:
    """Of one window, price and `keep_s`; a rung is a place in `SHARES`."""

    window_s: float
    price_s: float
    keep_s: float
    table: Table
    allowed: float
    loose: int = -1  # the tightest rung that is known to miss too much
    tight: int = len(SHARES)  # and the loosest one that is known not to
    guess: int = SHARES.index(1.0)
    _made: dict[int, Candidate] = field(default_factory=dict)

    @property
    def next(self) -> Candidate | None:
        """What to play; None when the loosest rung that does is found, or none does."""
        if self.tight - self.loose <= 1:
            return None
        rung = min(self.tight - 1, max(self.loose + 1, self.guess))
        if rung not in self._made:
            self._made[rung] = self._candidate(SHARES[rung])
        return self._made[rung]

    def _candidate(self, share: float) -> Candidate:
        due = self.table.schedule(self.price_s, share * self.allowed)
        serving = tuple(ready(due, self.keep_s))
        return Candidate(self.window_s, self.price_s, self.keep_s, share, serving)

    def hear(self, candidate: Candidate, missed: int) -> None:
        """What came of one of its own."""
        rung = SHARES.index(candidate.share)
        if missed <= self.allowed:
            self.tight = rung
        else:
            self.loose = rung
        wanted = candidate.share * self.allowed / max(1, missed)
        self.guess = min(range(len(SHARES)), key=lambda rung: abs(SHARES[rung] - wanted))


class Search:
    """For several load times: play a `round`, `hear` what came of it, until there is none."""

    def __init__(
        self,
        load_times_s: Sequence[float],
        tables: Mapping[float, Table],
        *,
        allowed: float,
        seconds: float,
    ) -> None:
        self._load_times_s = load_times_s
        self._allowed = allowed
        self._seconds = seconds
        self._ladders = [
            Ladder(window_s, price_s, keep_s, table, allowed)
            for window_s, table in tables.items()
            for keep_s in _keeps(load_times_s)
            for price_s in PRICES_S
        ]
        self._played: dict[Candidate, Whole] = {}

    def round(self) -> list[Candidate]:
        """What to play next: of each ladder one, if it may be cheaper than the best so far."""
        return [candidate for _, candidate in self._open()]

    def hear(self, known: Mapping[Serving, Whole]) -> None:
        """What came of the round."""
        is_ahead = self._is_ahead
        for ladder, candidate in list(self._open()):
            whole = self._played[candidate] = known[candidate.serving]
            ladder.hear(candidate, whole.missed)
        if is_ahead:
            for ladder in self._ladders:
                ladder.guess = self._ladders[0].guess

    def best(self, load_s: float) -> Candidate:
        """The cheapest that reaches the target; if none does, the one that misses least."""
        return min(self._of(load_s), key=lambda candidate: self._rank(candidate, load_s))

    def _rank(self, candidate: Candidate, load_s: float) -> tuple[float, float]:
        whole = self._played[candidate]
        return max(self._allowed, whole.missed), candidate.cost_s(load_s, whole)

    def _of(self, load_s: float) -> list[Candidate]:
        return [candidate for candidate in self._played if candidate.keep_s >= load_s]

    def _most_s(self, load_s: float) -> float:
        ranks = (self._rank(candidate, load_s) for candidate in self._of(load_s))
        return min((cost for missed, cost in ranks if missed <= self._allowed), default=math.inf)

    @property
    def _is_ahead(self) -> bool:
        """Whether the first ladder still goes ahead."""
        reached = any(whole.missed <= self._allowed for whole in self._played.values())
        return not reached and self._ladders[0].next is not None

    def _open(self) -> Iterator[tuple[Ladder, Candidate]]:
        most_s = {load_s: self._most_s(load_s) for load_s in self._load_times_s}
        for ladder in self._ladders[:1] if self._is_ahead else self._ladders:
            candidate = ladder.next
            if candidate and self._may_gain(candidate, most_s):
                yield ladder, candidate

    def _may_gain(self, candidate: Candidate, most_s: Mapping[float, float]) -> bool:
        return any(
            candidate.least_s(load_s, self._seconds) < most
            for load_s, most in most_s.items()
            if load_s <= candidate.keep_s
        )


def _keeps(load_times_s: Sequence[float]) -> list[float]:
    """From the longest, which is good for all load times, to those that are good for the least."""
    longer = [] if max(load_times_s) <= max(KEEPS_S) else [max(load_times_s)]
    return [*longer, *(keep_s for keep_s in KEEPS_S if keep_s >= min(load_times_s))]
