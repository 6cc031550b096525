"""How many sequences may share a replica before too many answers are late.

What makes an answer late is a prompt that is read beside it, and another, and another: the share
of late ones grows faster than the sequences. It is taken as

    late = a × sequences³

and `a` is learned from who ended and who of them was late, over ten minutes, beside a prior of
`PRIOR_ANSWERS` answers: a guess is needed while few have ended, and while none is late. A replica
of whose answers more than `OVERLOADED` are late is not learned from: it is above any number that
is wanted, and how far above tells nothing of where that number is.
"""

import math
from collections.abc import Sequence

from serve_app.core.report import ReplicaLoad

GROWS = 3
FORGETS_S = 600.0
PRIOR_ANSWERS = 300.0
OVERLOADED = 0.1


class LateShare:
    """Of the answers of one deployment; `allowed` is the share of late ones that is aimed at."""

    def __init__(self, allowed: float) -> None:
        self._allowed = allowed
        self._late = 0.0
        self._ended = 0.0  # each times its sequences³

    def __repr__(self) -> str:
        return f"<LateShare of {self._allowed:g}, {self._late:.1f} were late>"

    def sequences(self, guess: float) -> float:
        """With which `allowed` is reached; `guess` is believed while little is known."""
        late = self._late + self._allowed * PRIOR_ANSWERS
        ended = self._ended + PRIOR_ANSWERS * guess**GROWS
        return float((self._allowed * ended / late) ** (1 / GROWS))

    def learn(self, replicas: Sequence[ReplicaLoad], *, full: float, seconds: float) -> None:
        """From reports that hold for so long; what is above `full` counts as that many."""
        keeps = math.exp(-seconds / FORGETS_S)
        told = [r for r in replicas if r.late <= OVERLOADED]
        late = math.fsum(r.late * r.answers_per_s for r in told)
        ended = math.fsum(r.answers_per_s * min(full, max(1, r.running)) ** GROWS for r in told)
        self._late = keeps * self._late + late * seconds
        self._ended = keeps * self._ended + ended * seconds
