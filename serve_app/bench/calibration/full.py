"""How long full steps took, from many prompts that were sent together."""

from collections.abc import Sequence
from itertools import pairwise

from serve_app.bench.calibration.beside import Timed
from serve_app.calibration.points import Reading

PAUSE = 1 / 3  # of the longest time between two first tokens: what is longer is between two steps
FULL = 0.5  # of what a step reads


def full_steps(prompts: Sequence[Timed], *, chunk_tokens: int) -> list[Reading]:
    """The steps that read at least half of `chunk_tokens`, as one that reads all of it; none where
    less was seen. When the first one began is not known, so it does not count. The first tokens of
    one step come together. A prompt may begin in one step and end in the next, so tokens and times
    are of all steps together."""
    ended = sorted(prompts, key=lambda prompt: prompt.first_at_s)
    steps = [
        (sum(prompt.answer.input_tokens for prompt in step), step[-1].first_at_s)
        for step in _steps(ended)
    ]
    full = [
        (tokens, until_s - since_s)
        for (_, since_s), (tokens, until_s) in pairwise(steps)
        if tokens >= FULL * chunk_tokens
    ]
    tokens, seconds = (sum(column) for column in zip(*full, strict=True)) if full else (0, 0.0)
    return [Reading(chunk_tokens, seconds * chunk_tokens / tokens, 0)] if tokens else []


def _steps(ended: Sequence[Timed]) -> list[list[Timed]]:
    pauses_s = [after.first_at_s - before.first_at_s for before, after in pairwise(ended)]
    longest_s = max(pauses_s, default=0.0)
    steps = [list(ended[:1])]
    for pause_s, prompt in zip(pauses_s, ended[1:], strict=True):
        if pause_s > PAUSE * longest_s:
            steps.append([])
        steps[-1].append(prompt)
    return steps
