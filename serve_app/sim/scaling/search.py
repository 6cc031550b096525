"""The cheapest schedule that reaches the target when it is played as a whole.

For each load time, window and price there is a ladder of schedules, from the loosest to the
tightest: rung by rung fewer misses are allowed. The windows' misses are not quite those of the
whole, so the loosest rung that reaches the target is sought by playing: what a rung missed says
which to try next. It is taken for granted that a tighter rung of a ladder misses less. A ladder
is left when its next rung costs more than what has reached the target already.

How long a replica loads changes two things only: who is due again soon is kept, and loading is
paid for. So load times whose schedules are then the same share what was played.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from serve_app.sim.scaling.ahead import loading_s, ordered, ready, replica_s
from serve_app.sim.scaling.fleet import Schedule
from serve_app.sim.scaling.schedules import Table

PRICES_S = (30.0, 120.0, 300.0, 900.0)
SHARES = tuple(0.9**power for power in range(-4, 20))  # of the misses allowed: 1.5 to 0.14

Serving = tuple[tuple[float, int], ...]  # how many serve from when on


@dataclass(frozen=True, slots=True)
class Whole:
    """What came of a schedule that was played as a whole, with replicas that load in no time."""

    missed: int
    replica_s: float
    seconds: float


@dataclass(frozen=True)
class Candidate:
    """A schedule for one load time, and where it is from."""

    load_s: float
    window_s: float
    price_s: float
    share: float
    due: Schedule

    def __str__(self) -> str:
        return (
            f"windows of {self.window_s:g} s, {self.price_s:g} s for a replica that is added, "
            f"{self.share:.2f} of the misses allowed"
        )

    @cached_property
    def serving(self) -> Serving:
        return tuple(ready(self.due, self.load_s))

    def least_s(self, until_s: float) -> float:
        """Replica-seconds without those of draining."""
        return replica_s(ordered(self.due, self.load_s), until_s)

    def cost_s(self, whole: Whole) -> float:
        """All replica-seconds."""
        return whole.replica_s + loading_s(self.due, self.load_s, whole.seconds)


@dataclass
class Ladder:
    """Of one load time, window and price; a rung is a place in `SHARES`."""

    load_s: float
    window_s: float
    price_s: float
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
            due = self.table.schedule(self.price_s, SHARES[rung] * self.allowed)
            self._made[rung] = Candidate(
                self.load_s, self.window_s, self.price_s, SHARES[rung], due
            )
        return self._made[rung]

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
    """For one load time: play a `round`, `hear` what came of it, until there is none."""

    def __init__(
        self, load_s: float, tables: Mapping[float, Table], *, allowed: float, seconds: float
    ) -> None:
        self._load_s = load_s
        self._allowed = allowed
        self._seconds = seconds
        self._ladders = [
            Ladder(load_s, window_s, price_s, table, allowed)
            for window_s, table in tables.items()
            for price_s in sorted(PRICES_S, key=lambda price_s: abs(price_s - load_s))
        ]
        self._played: list[tuple[Candidate, Whole]] = []

    def round(self) -> Sequence[Candidate]:
        """Of each ladder what to play next, if it may be cheaper than the best so far. In the first
        round only of one, which tells the others where to begin."""
        return [candidate for _, candidate in self._open()]

    def hear(self, asked: Iterable[Candidate], known: Mapping[Serving, Whole]) -> None:
        """What came of the round. What others asked for may be good here too."""
        for ladder, candidate in list(self._open()):
            ladder.hear(candidate, known[candidate.serving].missed)
        if not self._played:
            for ladder in self._ladders:
                ladder.guess = self._ladders[0].guess
        for theirs in asked:
            candidate = replace(theirs, load_s=self._load_s, due=theirs.serving)
            if candidate.serving in known:
                self._played.append((candidate, known[candidate.serving]))

    def best(self) -> Candidate:
        """The cheapest that reaches the target; if none does, the one that misses least."""
        return min(self._played, key=self._rank)[0]

    def _rank(self, played: tuple[Candidate, Whole]) -> tuple[float, float]:
        candidate, whole = played
        return max(self._allowed, whole.missed), candidate.cost_s(whole)

    def _open(self) -> Iterator[tuple[Ladder, Candidate]]:
        most_s = min(
            (found.cost_s(w) for found, w in self._played if w.missed <= self._allowed),
            default=math.inf,
        )
        for ladder in self._ladders if self._played else self._ladders[:1]:
            candidate = ladder.next
            if candidate and candidate.least_s(self._seconds) < most_s:
                yield ladder, candidate
