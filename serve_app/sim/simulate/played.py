"""What is kept of one run: its numbers, and what its plots are drawn from."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from serve_app.sim.scaling.fleet import Order, Sample, Story
from serve_app.sim.scaling.measures import Measures, measures, percentiles
from serve_app.sim.simulate.policies import Policy

POINTS = 720  # of a line: every two minutes of a day


@dataclass(frozen=True, slots=True)
class Late:
    """TTFT of what arrived within a while from `at_s` on, by percentile; NaN for none."""

    at_s: float
    arrivals_per_s: float
    ttft_s: dict[str, float]


@dataclass(frozen=True, slots=True)
class Played:
    """One policy at one load time."""

    policy: Policy
    load_s: float
    initial: int
    measures: Measures
    orders: tuple[Order, ...]
    samples: tuple[Sample, ...]
    lateness: tuple[Late, ...]
    how: str = ""  # an oracle's schedule was found


def played(policy: Policy, load_s: float, initial: int, story: Story, *, how: str = "") -> Played:
    return Played(
        policy,
        load_s,
        initial,
        measures(story),
        tuple(story.orders),
        tuple(thinned(story.samples)),
        tuple(lateness(story)),
        how,
    )


def thinned(samples: Sequence[Sample]) -> Iterator[Sample]:
    """Of each stretch the sample with the largest backlog, so that no peak is lost."""
    stretch = max(1, math.ceil(len(samples) / POINTS))
    for start in range(0, len(samples), stretch):
        yield max(samples[start : start + stretch], key=lambda sample: sample.depth)


def lateness(story: Story) -> Iterator[Late]:
    """By a minute, or by what makes `POINTS` of a longer story."""
    width_s = max(60.0, story.seconds / POINTS)
    numbered = range(len(story.at_s))
    for place, group in groupby(numbered, key=lambda index: int(story.at_s[index] // width_s)):
        times = sorted(story.ttft_s[index] for index in group)
        yield Late(place * width_s, len(times) / width_s, percentiles(times))
