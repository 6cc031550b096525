"""Who asks for what, and when: arrivals that are recorded or drawn from a seed."""

import heapq
import math
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from serve_app.core.tenant import Priority

BLOCK_TOKENS = 16

Lengths = Callable[[random.Random], int]


class Arrival(NamedTuple):
    """A request. `output_tokens` is how long its answer gets, which nobody knows before."""

    at_s: float
    tenant: str
    prompt_tokens: int
    output_tokens: int
    max_tokens: int | None = None
    weight: float = 1.0
    priority: Priority = Priority.NORMAL
    blocks: tuple[int, ...] = ()  # of the prompt's beginning, as a prefix cache names them


@dataclass(frozen=True, slots=True)
class Shape:
    """What the requests of one tenant look like; `prefix_tokens` begin all its prompts."""

    prompt: Lengths
    output: Lengths
    prefix_tokens: int = 0
    has_max_tokens: bool = False  # and then it is exactly what the answer takes


@dataclass(frozen=True, slots=True)
class Source:
    """A tenant that asks `per_s` times a second, at random."""

    tenant: str
    shape: Shape
    per_s: float
    weight: float = 1.0
    priority: Priority = Priority.NORMAL
    from_s: float = 0.0

    def arrivals(self, seed: int, *, until_s: float) -> Iterator[Arrival]:
        """The same for the same seed, whatever other sources there are."""
        rng = random.Random(f"{seed} {self.tenant}")  # noqa: S311 - dice, not secrets
        blocks = tuple(
            hash((self.tenant, i)) for i in range(self.shape.prefix_tokens // BLOCK_TOKENS)
        )
        at_s = self.from_s
        while (at_s := at_s + rng.expovariate(self.per_s)) < until_s:
            prompt = self.shape.prefix_tokens + self.shape.prompt(rng)
            output = self.shape.output(rng)
            most = output if self.shape.has_max_tokens else None
            yield Arrival(
                at_s, self.tenant, prompt, output, most, self.weight, self.priority, blocks
            )


def merged(sources: Iterable[Source], seed: int, *, until_s: float) -> Iterator[Arrival]:
    """What all of them ask, in order."""
    streams = [source.arrivals(seed, until_s=until_s) for source in sources]
    return heapq.merge(*streams, key=lambda arrival: arrival.at_s)


def exactly(tokens: int) -> Lengths:
    return lambda _: tokens


def lognormal(*, median: int, sigma: float, most: int) -> Lengths:
    """Lengths as people and models make them: many short ones, a long tail."""
    mu = math.log(median)
    return lambda rng: min(most, max(1, round(rng.lognormvariate(mu, sigma))))
