"""How fast an engine is: the bound of each step, and what engines reach of it.

What they reach is measured, not derived. `DECODE_ACHIEVED` and `PREFILL_ACHIEVED` are chosen
beside published records of DeepSeek-V3 and R1, which the estimates here then meet within a
factor of 2 (tests/core/test_records.py). Nothing here knows kernels.
"""

from dataclasses import dataclass

from serve_app.core.curve import Steps
from serve_app.core.layout import Candidate
from serve_app.core.step import Step, decode_step, prefill_step

# SGLang 0.5.7 on 8×H200 takes 10.9 ms per token at 4 requests, where the bound is about 6;
# DeepSeek's own decoding reaches a third of the bandwidth.
DECODE_ACHIEVED = 0.5
# DeepSeek's own prefill (32.2 thousand uncached tokens per second and node of 8 H800) is 0.44 of
# the bound, SGLang's (52.3 thousand, H100) 0.45; both overlap it with communication, and vLLM
# does not by itself.
PREFILL_ACHIEVED = 0.35
# Of drafted tokens. DeepSeek-V3's report has 85 to 90 % for the second token, and 1.8 times the
# tokens per second; what a text makes of it differs.
DRAFT_ACCEPTED = 0.8


@dataclass(frozen=True, slots=True)
class Workload:
    """A typical request."""

    input_tokens: int
    output_tokens: int

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def context(self) -> float:
        """Tokens in the cache, on average, while it decodes."""
        return self.input_tokens + self.output_tokens / 2


@dataclass(frozen=True, slots=True)
class Speed:
    """Of one engine that runs `sequences` at once, estimated."""

    sequences: int
    ttft_s: float  # of a request that need not wait
    tpot_s: float  # with the prefill of others between its tokens
    output_tokens_per_s: float
    decode: Step
    prefill: Step


@dataclass(frozen=True, slots=True)
class Rates:
    """What a simulated replica needs to know of an engine, data ranks together."""

    prefill_tokens_per_s: float
    decode_steps: Steps
    kv_tokens: int
    max_num_seqs: int
    chunk_tokens: int


def prefill_tokens_per_s(candidate: Candidate, workload: Workload) -> float:
    """Estimated, with full chunks: prompts of others fill the one that a short prompt leaves."""
    chunk = candidate.settings.max_num_batched_tokens * candidate.layout.data
    step = prefill_step(candidate, chunk, workload.input_tokens / 2)
    return PREFILL_ACHIEVED * chunk / step.seconds


def token_s_of(candidate: Candidate, sequences: int, workload: Workload) -> float:
    """Seconds per token of each of `sequences`, estimated, without the prompts of others."""
    step_s = decode_step(candidate, sequences, workload.context).seconds / DECODE_ACHIEVED
    return step_s / (1 + DRAFT_ACCEPTED * (candidate.settings.drafted - 1))


def speed(candidate: Candidate, sequences: int, workload: Workload) -> Speed:
    """One engine at work, estimated. `sequences` requests take turns: while each of them makes
    its tokens, the prompts of as many others are read."""
    decode = decode_step(candidate, sequences, workload.context)
    chunk = candidate.settings.max_num_batched_tokens * candidate.layout.data
    prefill = prefill_step(candidate, chunk, workload.input_tokens / 2)
    read_s = workload.input_tokens / prefill_tokens_per_s(candidate, workload)
    token_s = token_s_of(candidate, sequences, workload)
    tpot_s = token_s + sequences * read_s / workload.output_tokens
    first_s = decode_step(candidate, 1, workload.context).seconds / DECODE_ACHIEVED
    return Speed(sequences, read_s + first_s, tpot_s, sequences / tpot_s, decode, prefill)


def largest_batch(candidate: Candidate, workload: Workload, *, tpot_s: float, most: int) -> int:
    """The most sequences, of `most`, whose time per token is at most `tpot_s`; 0 if none."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if speed(candidate, middle, workload).tpot_s <= tpot_s:
            low = middle
        else:
            high = middle - 1
    return low


def rates(candidate: Candidate, workload: Workload, *, kv_tokens: int) -> Rates:
    """The estimates above, as a straight line from one sequence to the most that run."""
    layout, settings = candidate.layout, candidate.settings
    most = settings.max_num_seqs * layout.data
    full = max(2, min(most, kv_tokens // workload.tokens))
    return Rates(
        prefill_tokens_per_s=prefill_tokens_per_s(candidate, workload),
        decode_steps=tuple((n, token_s_of(candidate, n, workload)) for n in (1, full)),
        kv_tokens=kv_tokens,
        max_num_seqs=most,
        chunk_tokens=settings.max_num_batched_tokens * layout.data,
    )
