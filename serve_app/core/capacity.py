"""How much one replica carries, learned from what replicas report.

A decode step takes longer the more sequences share it, and longer again when prompts are read
meanwhile, of which there are more the more sequences there are. So the time per token of the
slower answers is taken as affine in the sequences, and its slope is learned:

    tpot = alone + slope × sequences
    in time = (slowdown − 1) × alone ÷ slope

That is a first guess, and `core.late` corrects it by how many answers were late in fact. A replica
is full at that number or at its slots, whichever is smaller; when it reads prompts all the
time; or when its KV cache is full.

How much of a full replica's work is done is not the share of its sequences: who shares a replica
with few others leaves it sooner, so that the same traffic is fewer sequences where there are more
replicas. What comes and goes in a second, by Little's law, is sequences ÷ the time that each takes:

    use = share × (1 + lost) ÷ (1 + lost × share)

where a token of a full replica takes 1 + lost times as long as one alone. Tokens per second follow:
sequences ÷ seconds in a slot per token, over the replicas that they kept busy.

Who ends now ran beside those of half a minute, and on a replica that fills up these are fewer than
run there now. So what is above full says nothing of the slope, and counts as full for `core.late`.
"""

import math
from collections.abc import Sequence

from serve_app.core.late import LateShare
from serve_app.core.report import ReplicaLoad

READING = 0.9  # share of the time with a prompt to read; above it prompts wait for each other
SLOPE_FORGETS_S = 60.0
RATE_FORGETS_S = 120.0
LONGEST_S = 5.0  # what one report may stand for
NOTHING = 1e-12  # a ratio below it is none: what is divided by it would be no number
LEAST_USAGE = 0.05  # of a replica; a fleet that idles tells nothing of what it could do


class _Ratio:
    """Of two sums that forget; 0 while the lower one is."""

    def __init__(self, forgets_s: float) -> None:
        self._forgets_s = forgets_s
        self._above = 0.0
        self._below = 0.0

    def add(self, above: float, below: float, *, seconds: float) -> None:
        keeps = math.exp(-seconds / self._forgets_s)
        self._above = keeps * self._above + above * seconds
        self._below = keeps * self._below + below * seconds

    @property
    def value(self) -> float:
        ratio = self._above / self._below if self._below > 0 else 0.0
        return ratio if ratio > NOTHING else 0.0


class Capacity:
    """Of the replicas of one deployment, which are taken to be alike."""

    def __init__(self, late: float) -> None:
        self._late = LateShare(late)
        self._slope = _Ratio(SLOPE_FORGETS_S)
        self._rate = _Ratio(RATE_FORGETS_S)
        self._answers = _Ratio(RATE_FORGETS_S)

    def __repr__(self) -> str:
        return f"<Capacity {self._slope.value:.6f} s/sequence, {self.tokens_per_s:.0f} tokens/s>"

    @property
    def tokens_per_s(self) -> float:
        """Of one replica that is full; 0 until it is known."""
        return self._rate.value

    @property
    def answers_per_s(self) -> float:
        """That end on one replica that is full; 0 until it is known."""
        return self._answers.value

    def sequences(self, replicas: Sequence[ReplicaLoad]) -> float:
        """That one replica carries."""
        slots = sum(replica.slots for replica in replicas) / len(replicas)
        guess = max(1.0, min(slots, self._in_time(replicas)))
        return max(1.0, min(slots, self._late.sequences(guess)))

    def usage(self, replicas: Sequence[ReplicaLoad]) -> float:
        """How many full replicas would do what these do."""
        sequences = self.sequences(replicas)
        lost = self._lost(sequences, replicas)
        return math.fsum(_use(replica, sequences, lost) for replica in replicas)

    def _lost(self, sequences: float, replicas: Sequence[ReplicaLoad]) -> float:
        """0 while nothing is known."""
        alone_s = max(replica.alone_tpot_s for replica in replicas)
        spare = max(replica.slowdown for replica in replicas) - 1
        return min(spare, self._slope.value * sequences / alone_s) if alone_s else 0.0

    def learn(self, replicas: Sequence[ReplicaLoad], *, seconds: float) -> None:
        """From reports that hold for so long, but no longer than `LONGEST_S`."""
        seconds = min(seconds, LONGEST_S)
        full = self.sequences(replicas)
        decoding = [r for r in replicas if r.alone_tpot_s and 0 < r.running <= full]
        if decoding:
            self._slope.add(
                math.fsum(_lost_s(r) * r.running for r in decoding),
                math.fsum(r.running**2 for r in decoding),
                seconds=seconds,
            )
        token_s = max(replica.token_s for replica in replicas)
        usage = self.usage(replicas)
        if token_s and usage > LEAST_USAGE:
            served = sum(replica.running for replica in replicas) / token_s
            answers = math.fsum(replica.answers_per_s for replica in replicas)
            self._rate.add(served, usage, seconds=seconds)
            self._answers.add(answers, usage, seconds=seconds)
        self._late.learn(replicas, full=full, seconds=seconds)

    def _in_time(self, replicas: Sequence[ReplicaLoad]) -> float:
        """Infinitely many while nothing is known."""
        spare_s = max((replica.slowdown - 1) * replica.alone_tpot_s for replica in replicas)
        slope_s = self._slope.value
        return spare_s / slope_s if slope_s and spare_s else math.inf


def _use(replica: ReplicaLoad, sequences: float, lost: float) -> float:
    """Of one that is full at so many."""
    share = max(replica.running / sequences, replica.kv_usage)
    return max(share * (1 + lost) / (1 + lost * share), replica.reading / READING)


def _lost_s(replica: ReplicaLoad) -> float:
    """Per token, to others; by the slower answers, and while none has ended, by all tokens."""
    return max(0.0, (replica.slow_tpot_s or replica.tpot_s) - replica.alone_tpot_s)
