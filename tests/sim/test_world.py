"""A replay keeps its books, and the same seed gives the same numbers."""

from collections import Counter

import pytest

from serve_app.core.dispatch import Dispatcher
from serve_app.core.forecast import Forecast
from serve_app.core.queue import Bounds, Rules, WaitingQueue
from serve_app.core.routing import Routing
from serve_app.sim.engine import EngineShape
from serve_app.sim.record import Outcome
from serve_app.sim.scenarios import CHAT, Order, played, world
from serve_app.sim.traffic import Arrival, Shape, Source, exactly, merged
from serve_app.sim.world import World


def small(*, slots: int = 1, waiting: int = 5, deadline_s: float = 300.0) -> World:
    shape = EngineShape(
        max_num_seqs=slots,
        kv_tokens=10_000,
        prefill_tokens_per_s=1000.0,
        decode_step_s=0.1,
        decode_step_per_seq_s=0.0,
    )
    queue = WaitingQueue(Rules(Bounds(waiting, 100_000)))
    dispatcher = Dispatcher(queue, Routing(), ttft_target_s=2.0)
    return World(dispatcher, [shape], Forecast(10), deadline_s=deadline_s)


def test_a_request_alone_takes_its_prefill_and_its_steps() -> None:
    it = small()
    it.play([Arrival(1.0, "a", prompt_tokens=100, output_tokens=11)], until_s=10.0)

    [record] = it.records
    assert record.outcome is Outcome.FINISHED
    assert record.started_at == 1.0
    assert record.ttft_s == pytest.approx(0.1)
    assert record.ended_at == pytest.approx(1.0 + 0.1 + 10 * 0.1)
    assert it.service.between("a", 0, 10) == 100 + 11 * 4


def test_the_second_waits_for_the_first() -> None:
    it = small()
    it.play([Arrival(0.0, "a", 100, 11), Arrival(0.5, "a", 100, 1)], until_s=10.0)

    assert it.records[1].started_at == it.records[0].ended_at == pytest.approx(1.1)
    assert it.service.was_backlogged("a", 0, 1) is False


def test_every_outcome_is_recorded() -> None:
    it = small(waiting=2, deadline_s=1.0)
    it.play([Arrival(i / 10, "a", 100, 31) for i in range(6)], until_s=4.5)

    assert Counter(record.outcome.value for record in it.records) == {
        "finished": 1,
        "rejected": 3,
        "evicted": 2,
    }
    assert repr(it) == "<World at 4.5 s, <Dispatcher 0 waiting, 0 running on 1>>"


def test_what_is_under_way_at_the_end_is_unfinished() -> None:
    it = small()
    it.play([Arrival(0.0, "a", 100, 1000)], until_s=5.0)

    assert it.records[0].outcome is Outcome.UNFINISHED
    assert repr(it.engines["r0"]).startswith("<Engine r0 <Batch 1 running")


def test_a_shared_prefix_is_found_again_and_costs_less() -> None:
    it = small()
    shape = Shape(exactly(100), exactly(2), prefix_tokens=800, has_max_tokens=True)
    it.play(Source("a", shape, per_s=0.2).arrivals(1, until_s=60.0), until_s=70.0)

    assert it.records[0].cached_tokens == 0
    assert {record.cached_tokens for record in it.records[1:]} == {800}
    assert it.forecast.cached_tokens(900, "a") > 600


def test_arrivals_of_a_source_do_not_depend_on_the_others() -> None:
    one, other = Source("a", CHAT, 2.0), Source("b", CHAT, 5.0)
    together = list(merged([one, other], 7, until_s=50.0))

    assert [arrival for arrival in together if arrival.tenant == "a"] == list(
        one.arrivals(7, until_s=50.0)
    )
    assert together == sorted(together, key=lambda arrival: arrival.at_s)


@pytest.mark.parametrize("order", Order)
def test_the_same_seed_gives_the_same_records(order: Order) -> None:
    sources = [Source("a", CHAT, 10.0), Source("b", CHAT, 10.0)]
    first, second = (played(world(order), sources, seed=3, until_s=40.0) for _ in range(2))

    assert first.records == second.records
    first.dispatcher.check_invariants()
