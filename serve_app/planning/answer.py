"""The options in order, the best and why; or why there is none, and what would change that."""

from dataclasses import dataclass, replace

from serve_app.planning.changes import changes
from serve_app.planning.option import Option, option, options
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
        """What to run; None where nothing is possible."""
        return self.ranked[0] if self.ranked else None

    @property
    def own_is_possible(self) -> bool:
        return any(o.offer.is_own for o in self.ranked)

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
        return [_bound(best), *_against_second(self.ranked), *_with_mtp(self.question, best)]

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


def _with_mtp(question: Question, best: Option) -> list[str]:
    """What the model's own drafts would bring, where nobody asked for them."""
    if question.has_mtp or not question.model.shape.mtp_layers:
        return []
    asked = replace(question, has_mtp=True)
    dtype = best.candidate.settings.kv_cache_dtype
    drafted = option(asked, best.offer, best.candidate.layout, kv_cache_dtype=dtype)
    if drafted.obstacle:
        return [f"--mtp is not possible: {drafted.obstacle}"]
    ratio = drafted.output_tokens_per_s / best.output_tokens_per_s
    taken = drafted.memory.weights.mtp / 1e9
    more = f"--mtp would make {ratio:.2f} × as many tokens within the objectives"
    return [f"{more}, and take {taken:.1f} GB of each GPU"]
