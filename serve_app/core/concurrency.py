"""How much a replica should run: what its KV cache holds, and what its first tokens allow.

    slots = overcommit × min(max_num_seqs, kv_tokens / expected_tokens)

is how many typical sequences fit. Fewer waste the batch, more make vLLM preempt: it throws
away KV cache that it has computed, and computes it again. The numbers come from what the
engine reports, never from a constant.

`AdaptiveLimit` looks at the other side. While first tokens come late, it lowers the number
of sequences by `BACK_OFF`, and raises it by `GROWTH`, at least one, when they come in time and
it was in the way. A first token is late after

    target_s + 2 × prefill

where the prefill of a prompt alone is judged by the fastest that was computed lately; what
was in the prefix cache was not computed. It only says a number; the dispatcher enforces it.
"""

import math

FORGETS = 0.01  # what one more call weighs in the mean of those before it
WINDOW_S = 1.0
FEWEST_SAMPLES = 10
LATE_SHARE = 0.1
BACK_OFF = 0.85
GROWTH = 0.1
FEWEST = 2.0
PACE_FADES = 1.005  # per window
FEWEST_PROMPT_TOKENS = 64


def slots(
    *,
    kv_tokens: int,
    max_num_seqs: int,
    max_model_len: int,
    expected_tokens: float,
    overcommit: float,
) -> int:
    """Typical sequences that one replica runs; at least 1.

    >>> slots(kv_tokens=560_000, max_num_seqs=1024, max_model_len=65_536,
    ...       expected_tokens=4096, overcommit=1.1)
    150
    """
    fit = kv_tokens / min(expected_tokens, max_model_len)
    return max(1, int(overcommit * min(max_num_seqs, fit)))


def typical(tokens: float, seen_tokens: int, sequences: int) -> float:
    """The tokens of a typical sequence, after one more call; `seen_tokens` 0 says nothing."""
    return tokens + FORGETS * (seen_tokens / sequences - tokens) if seen_tokens else tokens


class AdaptiveLimit:
    """The sequences that one replica may run, from its times to first token."""

    def __init__(self, target_s: float) -> None:
        self.target_s = target_s
        self.limit = math.inf
        self._pace_s = 0.0  # seconds per prompt token, of the fastest prefill; 0 is unknown
        self._samples = 0
        self._late = 0
        self._most_running = 0
        self._window_ends_at = 0.0

    def __repr__(self) -> str:
        return f"<AdaptiveLimit {self.limit:.0f} sequences>"

    def prefilled(self, ttft_s: float, *, uncached_tokens: int) -> None:
        """A prompt of which so much was not in the prefix cache had its first token after that."""
        pace_s = ttft_s / max(FEWEST_PROMPT_TOKENS, uncached_tokens)
        self._pace_s = min(self._pace_s or pace_s, pace_s)

    def observe(self, ttft_s: float, *, prompt_tokens: int, running: int, now: float) -> None:
        """A first token came `ttft_s` after its request was sent; `running` are there now."""
        self._samples += 1
        self._late += ttft_s > self.target_s + 2 * self._pace_s * prompt_tokens
        self._most_running = max(self._most_running, running)
        if self._samples >= FEWEST_SAMPLES and now >= self._window_ends_at:
            self._decide()
            self._window_ends_at = now + WINDOW_S

    def _decide(self) -> None:
        if self._late > LATE_SHARE * self._samples:
            self.limit = max(FEWEST, BACK_OFF * min(self.limit, self._most_running))
        elif self._most_running >= self.limit - 1:  # otherwise it has shown nothing
            self.limit += max(1.0, GROWTH * self.limit)
        self._samples = self._late = self._most_running = 0
        self._pace_s *= PACE_FADES
