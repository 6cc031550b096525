"""Options in order.

First comes what meets the objectives; among that the checkpoint as it was asked for, then another
that somebody has published, then the KV cache in the model's own precision, then tokens per
second. Where others are so near that the estimate cannot tell, the plainest layout is the best.
"""

from collections.abc import Iterable

from serve_app.planning.option import Option

SAME = 0.9  # of the most tokens per second: no difference that an estimate could see


def ranked(options: Iterable[Option]) -> list[Option]:
    """Those that are possible, the best first."""
    possible = sorted((o for o in options if not o.obstacle), key=_rank)
    if not possible:
        return []
    first = possible[0]
    enough = SAME * first.output_tokens_per_s
    equals = [o for o in peers(first, possible) if o.output_tokens_per_s >= enough]
    best = min(equals, key=lambda o: (o.candidate.layout.decode_context, o.candidate.layout.gpus))
    return [best, *(option for option in possible if option is not best)]


def peers(option: Option, options: Iterable[Option]) -> list[Option]:
    """Those that are compared with it by speed alone."""
    return [other for other in options if _class(other) == _class(option)]


def nearest_miss(options: Iterable[Option]) -> Option:
    """Of those that are not possible, the one that lacks the least."""
    return min(options, key=_miss)


def _rank(option: Option) -> tuple[float, ...]:
    return *_class(option), -round(option.output_tokens_per_s), option.candidate.layout.gpus


def _class(option: Option) -> tuple[bool, ...]:
    """The lower, the nearer to what was asked."""
    offer, dtype = option.offer, option.candidate.settings.kv_cache_dtype
    return not offer.is_own, not offer.source, dtype != "auto"


def _miss(option: Option) -> tuple[float, ...]:
    return not option.is_supported, option.memory.missing, option.speed.tpot_s
