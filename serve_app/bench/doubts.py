"""Why a number may not mean what it seems to mean: errors, a busy client, unequal answers."""

from collections import Counter
from collections.abc import Iterator, Sequence

from serve_app.bench.answer import Answer, Measurement
from serve_app.bench.results import Results

# A client that is busy for longer is late for some of the tokens it times.
BUSY_CORE = 0.9
_TOLERANCE = 0.01
_PACKED = 1.05


def warnings(results: Results) -> list[str]:
    """What a reader must know before believing the numbers."""
    return [*results.notes, *_all(results)]


def _all(results: Results) -> Iterator[str]:
    """One line for each doubt about a target at a level."""
    for level in results.plan.levels:
        for target in results.plan.targets:
            rounds = results.of(target, level)
            for doubt in _doubts(rounds):
                yield f"{target.name}, {level}: {doubt}"


def _doubts(rounds: Sequence[Measurement]) -> Iterator[str]:
    completed = [answer for measurement in rounds for answer in measurement.completed]
    yield from _errors(answer for measurement in rounds for answer in measurement.answers)
    yield from _busy(max(measurement.cpu_share for measurement in rounds))
    if completed:
        yield from _lengths(completed)
        yield from _packs(completed)


def _errors(answers: Iterator[Answer]) -> Iterator[str]:
    """Each kind with its number and its first message."""
    failed = [answer for answer in answers if answer.error]
    first = {answer.error_kind: answer.error for answer in reversed(failed)}
    for kind, count in Counter(answer.error_kind for answer in failed).most_common():
        yield f"{count} × {first[kind]}"


def _busy(cpu_share: float) -> Iterator[str]:
    if cpu_share >= BUSY_CORE:
        yield (
            f"this client used {cpu_share:.2f} of a core, so part of the times is its own; ask for "
            "less at once, or measure from several machines"
        )


def _lengths(completed: Sequence[Answer]) -> Iterator[str]:
    got = sum(answer.output_tokens for answer in completed) / len(completed)
    asked = sum(answer.asked_tokens for answer in completed) / len(completed)
    if abs(got - asked) > _TOLERANCE * asked:
        yield (
            f"answers have {got:.1f} tokens where {asked:.1f} were asked for; compare TPOT, not "
            "E2E or requests/s"
        )


def _packs(completed: Sequence[Answer]) -> Iterator[str]:
    tokens = sum(answer.output_tokens for answer in completed)
    per_chunk = tokens / sum(len(answer.itls_s) + 1 for answer in completed)
    if per_chunk > _PACKED:
        yield f"a chunk has {per_chunk:.1f} tokens, and ITL is between chunks; compare TPOT"
