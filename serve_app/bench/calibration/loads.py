"""The requests of a calibration, equal for equal seeds but for their first words."""

import random

from serve_app.bench.ask import Ask, Message
from serve_app.bench.calibration.asked import LENGTHS, Asked
from serve_app.bench.words import dice_of
from serve_app.bench.workload import Random


def prompt(asked: Asked, tokens: int, *number: int) -> Ask:
    """One of so many tokens, for its first token only."""
    return _ask(asked.work, tokens, 1, dice_of(asked.plan.seed, "prompt", tokens, *number))


def decoding(asked: Asked, tokens: int, *number: int) -> Ask:
    """A short prompt with an answer of so many tokens, or of as many as a request may have."""
    shortest = asked.prompt_lengths[0]
    most = asked.longest.work.longest_tokens - shortest
    dice = dice_of(asked.plan.seed, "decoding", *number)
    return _ask(asked.work, shortest, min(most, tokens), dice)


def together(asked: Asked, sequences: int, number: int) -> list[Ask]:
    """So many equal in length: while all decode, every step has all of them."""
    dice = dice_of(asked.plan.seed, "together", sequences, number)
    return asked.work.asks(sequences, dice)


def mixed(asked: Asked, share: float, number: int) -> list[Ask]:
    """Lengths drawn evenly from the range that was measured, prompts and answers."""
    dice = dice_of(asked.plan.seed, "mixed", share, number)
    work = asked.work
    return [
        _ask(work, _drawn(work.input_tokens, dice), _drawn(work.output_tokens, dice), dice)
        for _ in range(asked.requests)
    ]


def arrivals_s(asked: Asked, share: float, per_s: float, number: int) -> list[float]:
    """Poisson at `per_s`; all at once where that is 0."""
    if not per_s:
        return [0.0] * asked.requests
    dice = dice_of(asked.plan.seed, "arrivals", share, number)
    return sorted(dice.uniform(0, asked.requests / per_s) for _ in range(asked.requests))


def _drawn(mean: int, dice: random.Random) -> int:
    return max(1, round(mean * dice.uniform(LENGTHS[0], LENGTHS[-1])))


def _ask(work: Random, tokens_in: int, tokens_out: int, dice: random.Random) -> Ask:
    return Ask((Message("user", work.words.text(tokens_in, dice)),), tokens_in, tokens_out)
