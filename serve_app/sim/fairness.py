"""`python -m serve_app.sim.fairness`: how fair the queue is, beside what others do.

Prints the tables and writes them to docs/bench/fairness.md; takes some minutes.
"""

from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import TypeVar

from serve_app.sim import page, questions
from serve_app.sim.page import Row, Table
from serve_app.sim.questions import LEARNS_S, SLO_S, Even, Light
from serve_app.sim.scenarios import CAPACITY_PER_S, Order

SEEDS = (1, 2, 3)
LOADS = (0.05, 0.2, 0.35)
ABOUT = f"""
Replayed on a virtual clock by `python -m serve_app.sim.fairness`, with the dispatcher, queue
and forecast that run in the gateway. Two replicas, each with 128 sequences, a KV cache of
200,000 tokens, a prefill of 20,000 tokens/s and decode steps of 20 to 33 ms, finish about
{CAPACITY_PER_S:.0f} chats a second (median 800 prompt and 300 output tokens, with long tails;
nobody sends max_tokens). Ten minutes from a cold start, {len(SEEDS)} seeds: the median, the
smallest and the largest. All orders have the same slots, KV reservations and bounds.
""".strip()

Answer = TypeVar("Answer")


def main() -> None:
    tables = []
    for make in (_light, _even, _priorities, _memory):
        tables.append(make())
        print(f"{tables[-1]}\n", flush=True)
    page.write("fairness", "Fairness", ABOUT, tables)


def _light() -> Table:
    return Table(
        "A light tenant beside one that floods",
        "Equal weights; the other tenant asks for ten times the capacity. Up to 50 % is within the "
        "light tenant's share.",
        ("it asks for", "order", "TTFT p50, s", "TTFT p99, s", "p99 ÷ alone", "refused", "done/s"),
        [row for load in LOADS for row in _light_rows(load)],
    )


def _light_rows(load: float) -> Iterator[Row]:
    def play(order: Order, *, flooded: bool = True) -> list[Light]:
        return [
            questions.light(order, load=load, flooded=flooded, seed=seed, until_s=600)
            for seed in SEEDS
        ]

    alone = play(Order.OURS, flooded=False)
    for name, answers in [("alone", alone), *((order.value, play(order)) for order in Order)]:
        ratios = [b.ttft_p99_s / a.ttft_p99_s for b, a in zip(answers, alone, strict=True)]
        yield (
            f"{load:.0%}",
            name,
            _spread([a.ttft_p50_s for a in answers], 3),
            _spread([a.ttft_p99_s for a in answers], 3),
            _spread(ratios, 2),
            f"{median(a.refused for a in answers):.0%}",
            _spread([a.finished_per_s for a in answers], 1),
        )


def _even() -> Table:
    return Table(
        "Tenants that all ask for more than there is",
        "Service is weighted cost (1 per prompt token, 0.1 where it was cached, 4 per output "
        "token) that the engines delivered, divided by weight. *Shapes* are four tenants of equal "
        "weight: chats, writes (150 in, 1000 out), reads (4000 in, 50 out) and chats with 3,200 "
        "cached tokens. *Weights* are three tenants who chat, with weights 1, 2 and 4. Jain's "
        "index is the lowest of any minute in which all had something waiting. In the first "
        f"{LEARNS_S} s the forecast learns, and answers that take 40 s are on their way: with "
        "lengths known beforehand it is still 0.98.",
        ("tenants", "order", "Jain, worst minute", "while it learns", "furthest from its share"),
        [row for ask in (questions.shapes, questions.weights) for row in _even_rows(ask)],
    )


def _even_rows(ask: Callable[..., Even]) -> Iterator[Row]:
    for order in Order:
        answers = [ask(order, seed=seed, until_s=600) for seed in SEEDS]
        furthest = [max(abs(share - 1) for share in a.shares.values()) for a in answers]
        yield (
            ask.__name__,
            order.value,
            _spread([a.worst_minute for a in answers], 3),
            _spread([a.worst_minute_learning for a in answers], 3),
            f"{median(furthest):.1%} (at most {max(furthest):.1%})",
        )


def _priorities() -> Table:
    rows = []
    for load in (0.6, 0.8):
        for order in Order:
            answers = [questions.priorities(order, load=load, seed=seed) for seed in SEEDS]
            rows.append(
                (
                    f"{load:.0%}",
                    order.value,
                    f"{min(a.high_in_slo for a in answers):.2%}",
                    _spread([a.high_ttft_p99_s for a in answers], 2),
                    _spread([a.low_share for a in answers], 2),
                )
            )
    return Table(
        "Priorities",
        "`high` fits alone; `low` asks for ten times the capacity. The SLO is a TTFT of "
        f"{SLO_S:.0f} s; its column has the worst seed.",
        ("high asks for", "order", "high within SLO", "high TTFT p99, s", "share of low"),
        rows,
    )


def _memory() -> Table:
    rows = []
    for name, plain_slots in (("by forecast", False), ("max_num_seqs", True)):
        answers = [questions.memory(plain_slots=plain_slots, seed=seed) for seed in SEEDS]
        rows.append(
            (
                name,
                _spread([a.preempted for a in answers]),
                _spread([a.served_per_s for a in answers]),
                _spread([a.finished_per_s for a in answers], 2),
                _spread([a.prefill_p99_s for a in answers], 2),
            )
        )
    return Table(
        "Slots by forecast, or as many as `max_num_seqs`",
        "Answers of unknown length with a long tail (one in ten is more than five times the "
        "median), engines with room for 256 sequences. Preemptions are counted after the first "
        "minute. With plain slots it is the limit on late first tokens that keeps them in check.",
        ("slots", "preempted", "cost/s", "done/s", "dispatch to first token p99, s"),
        rows,
    )


def _spread(values: Sequence[float], digits: int = 0) -> str:
    low, high = min(values), max(values)
    return f"{median(values):,.{digits}f} ({low:,.{digits}f}–{high:,.{digits}f})".replace(
        "inf", "never"
    )


if __name__ == "__main__":
    main()
