"""How many replicas traffic needs on average, by arithmetic: for a fleet that is fixed.

Of a replica that is sent P prompt and A answer tokens a second, the share p = P ÷ prefill rate
of its time goes into prefill. With n sequences a token then takes step(n) ÷ (1 - p), and by
Little's law n is A times that. So

    step(A × limit) ≤ limit × (1 - p)   keeps the SLO on TPOT
    A × step(slots) ÷ (1 - p) ≤ slots   has room for all that run

where P and A are those of the fleet ÷ its replicas. Bursts within a window, and what a prefix cache
saves, are left out.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from serve_app.sim.scaling.fleet import Rates, Slo
from serve_app.sim.traffic import Arrival

WINDOW_S = 600.0
WINDOWS = 6  # at least, of a short trace
ANSWER_COST = 4.0  # of an answer's token, in prompt tokens
_STEPS = 60  # of a bisection


@dataclass(slots=True)
class Window:
    """What arrives in `seconds`."""

    seconds: float
    requests: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0

    @property
    def mean_tokens(self) -> float:
        """Of one request."""
        return (self.prompt_tokens + self.answer_tokens) / max(1, self.requests)

    def replicas(self, rates: Rates, slo: Slo) -> float:
        """How many it needs, on average; infinite where one sequence alone is too slow."""
        limit_s = slo.tpot_s or slo.tpot_times * rates.alone_s
        if limit_s < rates.alone_s:
            return math.inf
        answer = self.answer_tokens / self.seconds
        prefill = self.prompt_tokens / self.seconds / rates.prefill_tokens_per_s
        slots = min(rates.max_num_seqs, rates.kv_tokens / max(1.0, self.mean_tokens))
        have_room = prefill + answer * rates.step_s(slots) / slots

        def are_in_time(replicas: float) -> bool:
            step_s = rates.step_s(answer * limit_s / replicas)
            return step_s <= limit_s * (1 - prefill / replicas)

        return _fewest(are_in_time, have_room) if have_room and limit_s else have_room


@dataclass(frozen=True, slots=True)
class Survey:
    """A trace at a glance; windows are of 10 minutes, or a sixth of what is shorter."""

    windows: Sequence[Window]

    @property
    def requests(self) -> int:
        return sum(window.requests for window in self.windows)

    @property
    def total(self) -> Window:
        return Window(
            sum(window.seconds for window in self.windows),
            self.requests,
            sum(window.prompt_tokens for window in self.windows),
            sum(window.answer_tokens for window in self.windows),
        )

    @property
    def busiest(self) -> int:
        """The place of the window with the most tokens; one of an answer costs more."""
        cost = [w.prompt_tokens + ANSWER_COST * w.answer_tokens for w in self.windows]
        return cost.index(max(cost))

    def span(self, number: int) -> tuple[float, float]:
        """From when to when a window is."""
        width_s = self.windows[number].seconds
        return number * width_s, (number + 1) * width_s

    def replica_hours(self, rates: Rates, slo: Slo) -> float:
        """Of a fleet that follows each window at once, and has fractions of replicas."""
        needed_s = sum(window.replicas(rates, slo) * window.seconds for window in self.windows)
        return needed_s / 3600

    def peak(self, rates: Rates, slo: Slo) -> float:
        """Replicas for the busiest window."""
        return max(window.replicas(rates, slo) for window in self.windows)


def _fewest(enough: Callable[[float], bool], least: float) -> float:
    """The fewest replicas, in fractions, that are enough and no fewer than `least`."""
    if enough(least):
        return least
    low, high = least, 2 * least
    while not enough(high):
        low, high = high, 2 * high
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def survey(arrivals: Iterable[Arrival], seconds: float) -> Survey:
    """Of `arrivals` within so many seconds."""
    width_s = min(WINDOW_S, seconds / WINDOWS) or WINDOW_S
    windows = [Window(width_s) for _ in range(max(1, math.ceil(seconds / width_s - 1e-9)))]
    for arrival in arrivals:
        window = windows[min(len(windows) - 1, int(arrival.at_s / width_s))]
        window.requests += 1
        window.prompt_tokens += arrival.prompt_tokens
        window.answer_tokens += arrival.output_tokens
    return Survey(windows)


def slower(rates: Rates, times: float) -> Rates:
    """A replica that takes so many times as long for everything."""
    return replace(
        rates,
        prefill_tokens_per_s=rates.prefill_tokens_per_s / times,
        decode_steps=tuple((number, step_s * times) for number, step_s in rates.decode_steps),
        overhead_s=rates.overhead_s * times,
        read_step_s=rates.read_step_s * times,
        reading=tuple((tokens, took_s * times) for tokens, took_s in rates.reading),
    )


def slowdown(found: Survey, rates: Rates, slo: Slo, replicas: float) -> float:
    """The times for which the busiest window needs about so many replicas.

    A trace was recorded on somebody else's fleet; this makes replicas of one's own fit it.
    """
    low, high = 1e-6, 1e6
    for _ in range(_STEPS):
        middle = math.sqrt(low * high)
        if found.peak(slower(rates, middle), slo) > replicas:
            high = middle
        else:
            low = middle
    return low
