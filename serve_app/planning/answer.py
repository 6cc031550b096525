"""The options in order, the best and why; or why there is none, and what would change that."""

from dataclasses import dataclass

from serve_app.planning.changes import changes
from serve_app.planning.option import Option, options
from serve_app.planning.question import Question
from serve_app.planning.ranking import nearest_miss, peers, ranked


@dataclass(frozen=True, slots=True)
class Answer:
    """`ranked` are possible, the best first; `refused` are not."""

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
        return nearest_miss(o for o in self.refused if o.offer.is_own)

    def other_misses(self) -> list[Option]:
        """The same of every other checkpoint that is not possible at all."""
        possible = [option.offer for option in self.ranked]
        others = [o for o in self.question.model.offers[1:] if o not in possible]
        return [nearest_miss(o for o in self.refused if o.offer is other) for other in others]

    def reasons(self) -> list[str]:
        """Why the best is the best, in sentences."""
        best = self.best
        if best is None:
            return []
        return [_bound(best), *_against_second(self.ranked), *_data_ranks(self.ranked)]

    def changes(self) -> list[str]:
        """What would make the checkpoint that was asked for possible; empty if it is."""
        return [] if self.own_is_possible else changes(self.question, self.nearest_miss)


def answer_to(question: Question) -> Answer:
    """Try every option."""
    found = list(options(question))
    return Answer(question, tuple(ranked(found)), tuple(o for o in found if o.obstacle))


def _bound(best: Option) -> str:
    decode, prefill = best.speed.decode.bound, best.speed.prefill.bound
    return f"decode is bound by {decode}, prefill by {prefill}"


def _against_second(found: tuple[Option, ...]) -> list[str]:
    best, *rest = found
    others = [o for o in peers(best, rest) if o.offer is best.offer]
    if not others:
        return ["no other layout of this checkpoint, with such a KV cache, is possible"]
    second = others[0]
    ratio = best.output_tokens_per_s / second.output_tokens_per_s
    other = f"{second.candidate.layout} × {second.replicas}"
    if ratio < 1:
        near = f"{other} would make {1 / ratio:.2f} × as many tokens"
        return [f"{near}, too near to tell, and it is plainer"]
    return [f"it makes {ratio:.2f} × the tokens of {other}, the next layout"]


def _data_ranks(found: tuple[Option, ...]) -> list[str]:
    """What data-parallel attention would bring, which this project does not place yet."""
    best, *rest = found
    others = [o for o in rest if not o.is_served_here and o.offer is best.offer]
    faster = [o for o in others if o.output_tokens_per_s > best.output_tokens_per_s]
    if not faster:
        return []
    first = max(faster, key=lambda o: o.output_tokens_per_s)
    ratio = first.output_tokens_per_s / best.output_tokens_per_s
    better = f"{first.candidate.layout} under `vllm serve` would make {ratio:.2f} × as many"
    return [f"{better}; replicas here hold one data rank"]
