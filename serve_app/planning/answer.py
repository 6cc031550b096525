"""The options in order, the best of them and why; or why there is none, and what would change it.

First comes what meets the objectives; among that what this project serves, then the checkpoint
as it was asked for, then another that somebody has published, then the KV cache in the model's
own precision, then tokens per second.
Where others are so near that the estimate cannot tell, the plainest layout is the best.
"""

from dataclasses import dataclass

from serve_app.planning.changes import changes
from serve_app.planning.option import Option, options
from serve_app.planning.question import Question

SAME = 0.9  # of the most tokens per second: no difference that an estimate could see


@dataclass(frozen=True, slots=True)
class Answer:
    """`ranked` are possible, `refused` are not; both begin with the best."""

    question: Question
    ranked: tuple[Option, ...]
    refused: tuple[Option, ...]

    @property
    def best(self) -> Option | None:
        """What to run; None where nothing that this project serves is possible."""
        first = self.ranked[0] if self.ranked else None
        return first if first and first.is_served_here else None

    @property
    def own_is_possible(self) -> bool:
        return any(o.offer.is_own and o.is_served_here for o in self.ranked)

    @property
    def nearest_miss(self) -> Option:
        """Of the checkpoint that was asked for, the one that lacks the least memory."""
        own = [option for option in self.refused if option.offer.is_own]
        return min(own, key=_miss)

    def reasons(self) -> list[str]:
        """Why the best is the best, in sentences."""
        best = self.best
        if best is None:
            return []
        return [_bound(best), *_against_second(self.ranked, best), *_data_ranks(self.ranked, best)]

    def changes(self) -> list[str]:
        """What would make the checkpoint that was asked for possible; empty if it is."""
        return [] if self.own_is_possible else changes(self.question, self.nearest_miss)


def _miss(option: Option) -> tuple[float, ...]:
    fails = not option.is_supported, not option.is_served_here
    return *fails, option.memory.missing, option.speed.tpot_s


def answer_to(question: Question) -> Answer:
    """Try every option."""
    found = sorted(options(question), key=_rank)
    possible = [option for option in found if not option.obstacle]
    refused = [option for option in found if option.obstacle]
    return Answer(question, tuple(_plainest_first(possible)), tuple(refused))


def _plainest_first(ranked: list[Option]) -> list[Option]:
    if not ranked:
        return []
    first = ranked[0]
    enough = SAME * first.output_tokens_per_s
    equals = [o for o in ranked if _class(o) == _class(first) and o.output_tokens_per_s >= enough]
    best = min(equals, key=lambda o: (o.candidate.layout.decode_context, o.candidate.layout.gpus))
    return [best, *(option for option in ranked if option is not best)]


def _rank(option: Option) -> tuple[object, ...]:
    speed = -round(option.output_tokens_per_s)
    layout = option.candidate.layout
    return bool(option.obstacle), *_class(option), speed, option.memory.missing, layout.gpus


def _class(option: Option) -> tuple[bool, ...]:
    """What is compared with each other by speed; the lower, the nearer to what was asked."""
    offer = option.offer
    checkpoint = not offer.is_own, not offer.source
    return not option.is_served_here, *checkpoint, _dtype(option) != "auto"


def _bound(best: Option) -> str:
    decode, prefill = best.speed.decode.bound, best.speed.prefill.bound
    return f"decode is bound by {decode}, prefill by {prefill}"


def _against_second(ranked: tuple[Option, ...], best: Option) -> list[str]:
    peers = [o for o in ranked if o.offer is best.offer and _class(o) == _class(best)][1:]
    if not peers:
        return ["no other layout of this checkpoint, with such a KV cache, is possible"]
    second = peers[0]
    ratio = best.output_tokens_per_s / second.output_tokens_per_s
    other = f"{second.candidate.layout} × {second.replicas}"
    if ratio < 1:
        near = f"{other} would make {1 / ratio:.2f} × as many tokens"
        return [f"{near}, too near to tell, and it is plainer"]
    return [f"it makes {ratio:.2f} × the tokens of {other}, the next layout"]


def _data_ranks(ranked: tuple[Option, ...], best: Option) -> list[str]:
    """What data-parallel attention would bring, which this project does not place yet."""
    others = [o for o in ranked if not o.is_served_here and o.offer is best.offer]
    faster = [o for o in others if o.output_tokens_per_s > best.output_tokens_per_s]
    if not faster:
        return []
    first = max(faster, key=lambda o: o.output_tokens_per_s)
    ratio = first.output_tokens_per_s / best.output_tokens_per_s
    better = f"{first.candidate.layout} under `vllm serve` would make {ratio:.2f} × as many"
    return [f"{better}; replicas here hold one data rank"]


def _dtype(option: Option) -> str:
    return option.candidate.settings.kv_cache_dtype
