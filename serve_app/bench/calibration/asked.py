"""What a calibration measures, from the words of `serve-app bench --calibrate`."""

import argparse
import math
from dataclasses import dataclass, replace

from serve_app.bench.asked import plan_of
from serve_app.bench.errors import BenchError
from serve_app.bench.level import Level
from serve_app.bench.plan import Plan
from serve_app.bench.workload import Random
from serve_app.calibration.document import Sizes

# Of the mean length; loads draw from the whole range. The engine model is for what is used, so
# longer prompts, of which attention takes more per token, are not asked for.
LENGTHS = (0.25, 0.5, 1.0, 1.75)
SHARES = (0.5, 0.8)
REQUESTS = 48
MOST_SEQUENCES = 256
FULL_STEPS = 3

_MEANINGLESS = ("rate", "speed_up", "json", "report", "slo", "price")
_SIZES = ("kv_tokens", "max_num_seqs", "max_num_batched_tokens")


@dataclass(frozen=True)
class Given:
    """Sizes that the command line says; None is for the endpoint to say."""

    kv_tokens: int | None
    max_num_seqs: int | None
    max_num_batched_tokens: int | None
    steps_ahead: int | None


@dataclass(frozen=True)
class Asked:
    """A plan with one target and random prompts, and what it leaves open."""

    plan: Plan
    given: Given
    levels: tuple[Level, ...]  # of decode steps; none is powers of two

    @property
    def work(self) -> Random:
        work = self.plan.workload
        assert isinstance(work, Random)
        return work

    @property
    def requests(self) -> int:
        """Of one load."""
        return self.plan.requests or REQUESTS

    @property
    def prompt_lengths(self) -> list[int]:
        return sorted({max(1, int(part * self.work.input_tokens)) for part in LENGTHS})

    def in_a_step(self, holds: Sizes) -> list[int]:
        """Lengths that a step reads whole."""
        return [tokens for tokens in self.prompt_lengths if tokens <= holds.chunk_tokens]

    def in_full_steps(self, holds: Sizes) -> list[int]:
        """Prompts of the mean length, as many as some steps read."""
        mean = self.work.input_tokens
        return [mean] * max(2, math.ceil(FULL_STEPS * holds.chunk_tokens / mean))

    @property
    def longest(self) -> "Asked":
        """The same, with the work of its longest request: for a check of what a target takes."""
        most = LENGTHS[-1]
        tokens = (self.work.input_tokens, self.work.output_tokens)
        longest_in, longest_out = (max(1, int(most * each)) for each in tokens)
        work = replace(self.work, input_tokens=longest_in, output_tokens=longest_out)
        return replace(self, plan=replace(self.plan, workload=work))

    def concurrencies(self, holds: Sizes) -> list[int]:
        """Sequences to decode at once, within what the endpoint runs at once."""
        most = min(holds.max_num_seqs, holds.kv_tokens // self.work.longest_tokens)
        asked = [level.concurrency or 1 for level in self.levels]
        doubling = [1 << power for power in range(MOST_SEQUENCES.bit_length())]
        within = sorted(number for number in asked or doubling if number <= most)
        if len(within) < 2:
            raise BenchError(
                f"the endpoint runs {most} such requests at once: decode steps of two "
                "different numbers are needed; see --concurrency"
            )
        return within


def asked_of(chosen: argparse.Namespace) -> Asked:
    """The calibration for options as `bench.options.add_to` defines them."""
    if len(chosen.target) != 1:
        raise BenchError("--calibrate measures one endpoint: give exactly one --target")
    if chosen.workload != "random":
        raise BenchError("--calibrate makes its own requests: leave --workload out")
    for name in _MEANINGLESS:
        if getattr(chosen, name):
            raise BenchError(f"--{name.replace('_', '-')} means nothing with --calibrate")
    for name in _SIZES:
        number = getattr(chosen, name)
        if number is not None and number < 1:
            raise BenchError(f"--{name.replace('_', '-')} is {number}; it must be at least 1")
    plan = plan_of(chosen)
    given = Given(
        **{name: getattr(chosen, name) for name in _SIZES}, steps_ahead=chosen.steps_ahead
    )
    return Asked(plan, given, tuple(plan.levels) if chosen.concurrency else ())
