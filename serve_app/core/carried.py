"""How many sequences a replica carries in time, as a gateway learns it from reports."""

import math
from collections.abc import Sequence

from serve_app.core.capacity import Capacity
from serve_app.core.report import ReplicaLoad


class Carried:
    """Of the replicas of one deployment. `late` is the share of answers whose tokens may come too
    slowly; with 0 nobody is said to be late, and a replica carries any number."""

    def __init__(self, late: float) -> None:
        self.late = late
        self._capacity = Capacity(late)
        self._heard_at = math.inf

    def __repr__(self) -> str:
        return f"<Carried with {self.late:g} late, {self._capacity!r}>"

    def hear(self, replicas: Sequence[ReplicaLoad], *, now: float) -> float:
        """The newest reports of all in service; returns the sequences that one carries."""
        if not replicas or not self.late:
            return math.inf
        carried = self._capacity.sequences(replicas)
        self._capacity.learn(replicas, seconds=max(0.0, now - self._heard_at))
        self._heard_at = now
        return carried
