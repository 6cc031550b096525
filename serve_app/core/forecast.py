"""How long answers get: learned from the answers that there were.

    output = Σ share(length) × min(length, max_tokens)

over a histogram of past output lengths, in powers of √2, in which the past fades: an answer
counts half after `HALF_LIFE` more. Until it has seen some, it goes by what the operator
expects. Each tenant has a histogram of its own as well, for what one builds on a model gets
answers of much the same length; `DOUBT` of them weigh as much as everybody's. How much of its
prompts is in the prefix cache is a habit of a tenant, too.

The size of a prompt in tokens is estimated from bytes; how far off that is, is learned as well.
"""

import math
from collections import OrderedDict

HALF_LIFE = 500.0
PRIOR_ANSWERS = 20.0
DOUBT = 4.0
FORGETS = 0.1  # what one more prompt weighs in the share that is cached
MOST_TENANTS = 256
BINS_PER_OCTAVE = 2
BINS = 20 * BINS_PER_OCTAVE + 1  # up to 2^20 tokens
FEWEST_PROMPT_TOKENS = 16  # below it, a template is most of the prompt


class Lengths:
    """A histogram of output lengths, of which the latest weigh most."""

    def __init__(self) -> None:
        self._counts = [0.0] * BINS
        self._sums = [0.0] * BINS
        self._count = 0.0  # of all bins
        self._sum = 0.0
        self._weight = 1.0  # of the next answer: instead of fading the past, the new grow

    @property
    def answers(self) -> float:
        """How many there are, the faded ones counted for less."""
        return self._count / self._weight

    def mean(self, most: float) -> float:
        """Of the lengths, none counted for more than `most`."""
        if most == math.inf:
            return self._sum / self._count
        # Of a bin its mean is known, and lies at most a factor of √2 from each of its answers.
        summed = sum(
            count * min(total / count, most)
            for count, total in zip(self._counts, self._sums, strict=True)
            if count
        )
        return summed / self._count

    def add(self, tokens: int, answers: float = 1.0) -> None:
        self._weight *= 2 ** (answers / HALF_LIFE)
        bin_ = min(BINS - 1, round(math.log2(max(1, tokens)) * BINS_PER_OCTAVE))
        count = answers * self._weight
        self._counts[bin_] += count
        self._sums[bin_] += count * tokens
        self._count += count
        self._sum += count * tokens
        if self._weight > 1e12:  # long before floats run out
            self._rescale()

    def _rescale(self) -> None:
        self._counts = [count / self._weight for count in self._counts]
        self._sums = [total / self._weight for total in self._sums]
        self._count, self._sum = sum(self._counts), sum(self._sums)
        self._weight = 1.0


class Habits:
    """What the requests of one tenant are like."""

    def __init__(self) -> None:
        self.lengths = Lengths()
        self.prompt_ratio = 1.0
        self.prompts = 0
        self.cached_share = 0.0


class Forecast:
    """What requests of one model will need; `expected_output_tokens` is where it starts."""

    def __init__(self, expected_output_tokens: int) -> None:
        self._lengths = Lengths()
        self._lengths.add(expected_output_tokens, PRIOR_ANSWERS)
        self._habits: OrderedDict[str, Habits] = OrderedDict()  # the last heard of is last

    def __repr__(self) -> str:
        return f"<Forecast {self.output_tokens(None)} tokens, {len(self._habits)} tenants>"

    def prompt_tokens(self, estimated: int, tenant: str = "") -> int:
        """A better guess than `estimated`; how dense a tenant's text is, is its habit too."""
        habits = self._habits.get(tenant)
        return math.ceil(estimated * habits.prompt_ratio) if habits is not None else estimated

    def cached_tokens(self, prompt_tokens: int, tenant: str) -> int:
        """How much of a prompt is expected to be in the prefix cache."""
        habits = self._habits.get(tenant)
        return int(habits.cached_share * prompt_tokens) if habits is not None else 0

    def output_tokens(self, max_tokens: int | None, tenant: str = "") -> int:
        """Expected output of one sequence that may have `max_tokens`; None is any number."""
        most = math.inf if max_tokens is None else max_tokens
        expected = self._lengths.mean(most)
        habits = self._habits.get(tenant)
        if habits is not None and habits.lengths.answers:
            own = habits.lengths
            expected += (own.mean(most) - expected) * own.answers / (own.answers + DOUBT)
        return math.ceil(round(expected, 6))  # a mean of sevens is a little more than 7

    def observe_output(self, tokens: int, tenant: str = "") -> None:
        """An answer of one sequence is complete."""
        self._lengths.add(tokens)
        self._of(tenant).lengths.add(tokens)

    def observe_cached(self, cached_tokens: int, prompt_tokens: int, tenant: str) -> None:
        """So much of a prompt was in the prefix cache."""
        habits = self._of(tenant)
        habits.prompts += 1
        weight = max(FORGETS, 1 / habits.prompts)
        habits.cached_share += weight * (cached_tokens / prompt_tokens - habits.cached_share)

    def observe_prompt(self, estimated: int, actual: int, tenant: str = "") -> None:
        """What was estimated to be `estimated` tokens had `actual`, as the engine counted."""
        if min(estimated, actual) >= FEWEST_PROMPT_TOKENS:
            habits, ratio = self._of(tenant), min(8.0, max(1 / 8, actual / estimated))
            habits.prompt_ratio += 0.02 * (ratio - habits.prompt_ratio)

    def _of(self, tenant: str) -> Habits:
        habits = self._habits.get(tenant)
        if habits is None:
            habits = self._habits[tenant] = Habits()
            if len(self._habits) > MOST_TENANTS:
                self._habits.popitem(last=False)
        self._habits.move_to_end(tenant)
        return habits
