"""How fast tokens may be spent: a bucket that refills, and what an answer costs.

    level(now) = min(capacity - held, level(then) + per_s × (now - then))
    charge     = ⌈uncached prompt + cached_weight × cached prompt + output⌉

A bucket refills when somebody looks at it; there is no task behind it and no clock in it.
Who takes more than there is leaves a debt, which refill pays before anything else: `level`
then is below zero, while `remaining` never is. (Lazy refill as in aiolimiter.)
"""

from math import ceil


class Bucket:
    """At most `capacity` at once, `per_s` in the long run. A rate of 0 only gets back what is
    given back.

    `held` is what somebody has taken and may still give back: the bucket is full without it.
    """

    __slots__ = ("_at", "_level", "capacity", "held", "per_s")

    def __init__(
        self, capacity: float, per_s: float, *, now: float, level: float | None = None
    ) -> None:
        self.capacity = capacity
        self.per_s = per_s
        self.held = 0.0
        self._level = capacity if level is None else min(capacity, level)
        self._at = now

    def __repr__(self) -> str:
        return f"<Bucket {self._level:g} of {self.capacity:g}, {self.per_s:g} per s>"

    def level(self, now: float) -> float:
        """What is in it; below zero is a debt."""
        if now > self._at:
            self._level += self.per_s * (now - self._at)
            self._at = now
        self._level = min(self._level, self.capacity - self.held)
        return self._level

    def remaining(self, now: float) -> float:
        return max(0.0, self.level(now))

    def covers(self, tokens: float, now: float) -> bool:
        """Whether `tokens` may be taken. More than fits in the bucket needs a full one, and
        leaves a debt: it is not refused for ever."""
        return self.level(now) >= min(tokens, self.capacity)

    def wait_s(self, tokens: float, now: float) -> float:
        """Until `tokens` will be covered, if nobody takes anything; infinite without refill."""
        missing = min(tokens, self.capacity) - self.level(now)
        if missing <= 0:
            return 0.0
        return missing / self.per_s if self.per_s else float("inf")

    def take(self, tokens: float, now: float) -> None:
        self._level = self.level(now) - tokens

    def give(self, tokens: float, now: float) -> None:
        """Put back what was taken, as far as there is room."""
        self._level = self.level(now) + tokens
        self.level(now)

    def resize(self, capacity: float, per_s: float, now: float) -> None:
        """New limits; what is used stays used."""
        used = self.capacity - self.level(now)
        self.capacity, self.per_s = capacity, per_s
        self._level = capacity - used

    def check_invariants(self, now: float) -> None:
        assert 0 <= self.remaining(now) <= self.capacity
        assert self.level(now) + self.held <= self.capacity


def charge(
    *, prompt_tokens: int, cached_tokens: int, output_tokens: int, cached_weight: float
) -> int:
    """What an answer costs. `cached_tokens` of the prompt came from the prefix cache, which
    spares the engine most of their work.

    >>> charge(prompt_tokens=1000, cached_tokens=900, output_tokens=50, cached_weight=0.1)
    240
    """
    cached = min(cached_tokens, prompt_tokens)
    # Rounded first: 0.1 × 3 is a little more than 0.3, and must not cost a whole token.
    weighted = round(cached_weight * cached, 6)
    return prompt_tokens - cached + output_tokens + ceil(weighted)
