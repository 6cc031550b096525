"""How far the start of an engine has come, and what each of its phases took.

A start is a list of marks, each the beginning of a phase; the last one that began goes on. A
phase may begin more than once, and its times are added up.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

PHASES: Mapping[str, str] = {
    "process": "vLLM was imported and its ranks were started",
    "weights": "ranks read the weights",
    "compile": "torch.compile compiled the model",
    "memory": "a trial step showed what memory is left for the KV cache",
    "graphs": "kernels were warmed up and CUDA graphs captured",
    "warm_up": "vLLM's HTTP app was built and first requests were answered",
}
"""In the order of a start, each in words that go after "while"."""


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A phase began. `at` is of a clock that all processes of a machine share."""

    at: float
    phase: str


def seconds(marks: Iterable[Mark], *, until: float) -> dict[str, float]:
    """What each phase has taken by `until`, in the order of PHASES; those that did not begin are
    left out."""
    taken: dict[str, float] = {}
    for mark, end in pairwise([*sorted(marks), Mark(until, "")]):
        taken[mark.phase] = taken.get(mark.phase, 0.0) + end.at - mark.at
    return {phase: taken[phase] for phase in PHASES if phase in taken}


def words(taken: Mapping[str, float]) -> str:
    """For a log line.

    >>> words({"process": 12.04, "weights": 41.0})
    'process 12.0 s, weights 41.0 s'
    """
    return ", ".join(f"{phase} {taken[phase]:.1f} s" for phase in taken)
