"""An answer for people: a ranked table, the memory of the winner, what is not possible."""

from collections.abc import Iterable, Sequence

from serve_app.core.memory import Footprint
from serve_app.planning.answer import Answer
from serve_app.planning.option import Option

SHOWN = 10
_HEADS = "|CHECKPOINT|KV|LAYOUT|WEIGHTS|FREE|KV TOKENS|FULL|SEQS|TTFT|TPOT|TOKENS/S|BOUND BY"
HEADS = tuple(_HEADS.split("|"))
RIGHT = range(4, 12)


def page(answer: Answer) -> str:
    """All of it, ready to print."""
    return "\n".join([*_head(answer), *_body(answer)])


def _head(answer: Answer) -> Iterable[str]:
    question = answer.question
    own, shape, hardware = question.model.own, question.model.shape, question.hardware
    how = "estimated" if own.is_estimated else "read from its files"
    yield (
        f"{question.model.name}: {shape.parameters.without_mtp / 1e9:.1f} B parameters, "
        f"{shape.used_per_token / 1e9:.1f} B per token; {own.format.name} "
        f"{own.weights.total / 1e9:.1f} GB ({how})"
    )
    nodes = f"{hardware.nodes} × " if hardware.nodes > 1 else ""
    load = question.workload
    yield (
        f"on {nodes}{hardware.gpus_per_node} × {hardware.gpu.name}, context {question.context}, "
        f"requests of {load.input_tokens} + {load.output_tokens} tokens, {question.objectives}"
        + (f", {question.concurrency} at once" if question.concurrency else "")
    )


def _body(answer: Answer) -> Iterable[str]:
    if answer.ranked:
        yield ""
        yield from _table([HEADS, *map(_row, range(1, SHOWN + 1), answer.ranked)])
        if len(answer.ranked) > SHOWN:
            yield f"and {len(answer.ranked) - SHOWN} more, which --json has"
    if not answer.own_is_possible:
        yield from _refusal(answer)
    yield from (_other(option) for option in answer.other_misses())
    if answer.best:
        yield from ("", *_winner(answer, answer.best))
    yield ""
    yield "Times and tokens per second are estimates, within a factor of 2: see docs/plan.md."


def _refusal(answer: Answer) -> Iterable[str]:
    miss = answer.nearest_miss
    yield ""
    name = answer.question.model.own.format.name
    yield f"The {name} checkpoint: no replica is possible. Nearest is {miss.candidate.layout}:"
    yield f"  {miss.obstacle}"
    if miss.memory.missing:
        yield from _memory(miss.memory)
    yield "Nearest changes:"
    yield from (f"  {change}" for change in answer.changes())


def _other(option: Option) -> str:
    form, layout = option.offer.checkpoint.format.name, option.candidate.layout
    return f"The {form} checkpoint: no replica is possible. Nearest is {layout}: {option.obstacle}"


def _winner(answer: Answer, best: Option) -> Iterable[str]:
    settings, layout = best.candidate.settings, best.candidate.layout
    yield f"Best: {best.offer.checkpoint.format.name}, {layout} × {best.replicas}, because"
    yield from (f"  {reason}" for reason in answer.reasons())
    yield from _memory(best.memory)
    yield (
        f"  max_num_seqs {settings.max_num_seqs}, "
        f"max_num_batched_tokens {settings.max_num_batched_tokens}, "
        f"max_model_len {settings.max_model_len}"
    )


def _memory(memory: Footprint) -> Iterable[str]:
    """GB of one GPU, by part; all but the weights is estimated."""
    parts = ", ".join(f"{name} {size / 1e9:.1f}" for name, size in memory.parts.items() if size)
    yield f"  GB per GPU, of {memory.usable / 1e9:.1f}: {parts}; left for KV {memory.kv / 1e9:.1f}"
    yield f"  a token takes {memory.kv_bytes_per_token:,.0f} bytes of KV cache on a GPU"


def _row(rank: int, option: Option) -> Sequence[str]:
    memory, settings, found = option.memory, option.candidate.settings, option.speed
    return (
        f"{rank}",
        option.offer.checkpoint.format.name,
        settings.kv_cache_dtype,
        f"{option.candidate.layout} × {option.replicas}",
        f"{memory.weights.total / 1e9:.1f} GB",
        f"{memory.kv / 1e9:.1f} GB",
        f"{memory.kv_tokens:,}",
        f"{memory.full_sequences}",
        f"{found.sequences}",
        f"{found.ttft_s * 1e3:.0f} ms",
        f"{found.tpot_s * 1e3:.0f} ms",
        f"{option.output_tokens_per_s:,.0f}",
        found.decode.bound,
    )


def _table(rows: list[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.rjust(width) if index in RIGHT else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()
