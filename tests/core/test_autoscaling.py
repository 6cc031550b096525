"""The policy's answers, for loads and for histories of them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.autoscaling import QueueDepthPolicy
from serve_app.core.report import Load, ReplicaLoad
from tests.core.scaled import KEPT_S, SLOTS, TARGETS, Fleet, report


def test_what_runs_needs_its_replicas_and_a_margin_of_the_root_of_them() -> None:
    assert Fleet(2).holds(busy=2.0, seconds=90) == 3  # 2 + 0.55 × √2 × 1.01
    assert Fleet(5).holds(busy=5.0, seconds=90) == 7  # 5 + 0.55 × √5 × 1.01


@pytest.mark.parametrize(("busy", "wanted"), [(6, 8), (24, 30), (54, 67)])
def test_the_margin_of_more_than_six_is_a_share_of_them(busy: int, wanted: int) -> None:
    """1 + 0.55 ÷ √6 times as many; the root alone would want 27 of 24 and 59 of 54."""
    assert Fleet(busy).holds(busy=float(busy), seconds=90) == wanted


@pytest.mark.parametrize(("load_s", "wanted"), [(34.0, 6), (340.0, 7), (1360.0, 14)])
def test_the_margin_doubles_with_a_load_time_of_340_s_and_is_nine_times_at_four_of_them(
    load_s: float, wanted: int
) -> None:
    """4 + 0.55 × √4 × 1.03, 2 and 9."""
    policy = QueueDepthPolicy(replace(TARGETS, load_s=load_s))
    for second in range(30):
        now = 1000.0 + second
        busy = [report(SLOTS)._replace(load_s=0.0, reported_at=now)] * 4
        decision = policy.decide(Load(busy, 4), now=now)
    assert decision.replicas == wanted


@pytest.mark.parametrize(
    ("slots", "load_s", "wanted", "why"),
    [
        (10, 20.0, 7, "5 + √5 × 0.55 × 1.01: of ten they are no farther off than the load is"),
        (2, 20.0, 8, "5 + √5 × 0.55 × √(6.5 ÷ 2)"),
        (1, 20.0, 9, "5 + √5 × 0.55 × √6.5"),
        (1, 1360.0, 17, "5 + √5 × 0.55 × 9: the margin of a long load holds those, too"),
    ],
)
def test_where_a_replica_has_few_sequences_they_need_a_larger_margin(
    slots: int, load_s: float, wanted: int, why: str
) -> None:
    fleet = Fleet(target=5, targets=replace(TARGETS, load_s=load_s))
    full = report(slots)._replace(slots=slots, load_s=load_s)
    for _ in range(30):
        fleet.sees([full] * 5)
    assert fleet.target == wanted, why


def test_what_waits_is_needed_too() -> None:
    fleet = Fleet()
    before = fleet.holds(busy=0.5, seconds=90)
    fleet.sees([report(10, depth=40, depth_tokens=60_000)])

    assert (before, fleet.target) == (1, pytest.approx(5, abs=2))


def test_what_piles_up_in_replicas_is_ordered_for_before_it_waits_in_gateways() -> None:
    """Each carries five sequences in time, and ends one a second while it has so many."""

    def after_a_jump(piles_up: int) -> int:
        fleet = Fleet(2)
        slots = {"slots": 100, "tpot_s": 0.02, "slow_tpot_s": 0.02, "alone_tpot_s": 0.01}
        calm = report(5, answers_per_s=1.0)._replace(**slots)  # type: ignore[arg-type]
        for _ in range(90):
            fleet.sees([calm, calm])
        for second in range(1, 6):
            fleet.sees([calm._replace(running=5 + piles_up * second), calm])
        return fleet.target

    assert after_a_jump(piles_up=0) < after_a_jump(piles_up=4) < after_a_jump(piles_up=8)


def test_every_replica_hears_the_same_depth_and_it_counts_once() -> None:
    one, two = Fleet(2), Fleet(2)
    waits = report(5, depth=30)
    one.sees([waits, report(5)])
    two.sees([waits, waits])

    assert one.target == two.target


def test_replicas_that_load_are_not_ordered_twice() -> None:
    fleet = Fleet()
    fleet.holds(busy=4.0, seconds=2)
    ordered = fleet.holds(busy=1.0, seconds=15)

    assert ordered == max(fleet.wanted) <= 12


def test_the_backlog_of_a_tenfold_step_is_gone_a_minute_after_the_load_time() -> None:
    fleet = Fleet()
    fleet.holds(busy=0.5, seconds=90)
    fleet.holds(busy=5.0, seconds=20 + 60)

    assert fleet.backlog == 0


def test_without_traffic_it_goes_to_the_least_and_stays() -> None:
    fleet = Fleet(target=5, least=1)
    fleet.holds(busy=0.0, seconds=200)

    assert fleet.target == 1
    assert sum(a != b for a, b in zip(fleet.wanted, fleet.wanted[1:], strict=False)) == 1


@pytest.mark.parametrize("low", [0.6, 0.8])
@pytest.mark.parametrize("half_s", [5, 30, 70])
def test_a_square_wave_takes_one_up_and_one_down_in_a_stabilization_window(
    low: float, half_s: int
) -> None:
    fleet = Fleet()
    for _ in range(8):
        fleet.holds(busy=low, seconds=half_s)
        fleet.holds(busy=0.9, seconds=half_s)
    steps = [after - before for before, after in pairwise(fleet.wanted)]

    window = KEPT_S
    for at in range(max(1, len(steps) - window)):
        assert sum(step > 0 for step in steps[at : at + window]) <= 1
        assert sum(step < 0 for step in steps[at : at + window]) <= 1


def test_it_is_kept_what_was_needed_lately_and_what_was_there_at_birth() -> None:
    fleet = Fleet(target=6)
    assert fleet.holds(busy=0.1, seconds=KEPT_S) == 6
    assert fleet.holds(busy=0.1, seconds=30) == 1


def test_a_replica_is_kept_for_some_of_the_times_that_it_takes_to_load() -> None:
    slow = Fleet(3, targets=replace(TARGETS, keep=10.0))
    assert slow.holds(busy=2.0, seconds=60) == 3
    assert slow.holds(busy=0.1, seconds=220) == 3
    assert slow.holds(busy=0.1, seconds=90) == 1


def test_old_numbers_and_none_hold() -> None:
    fleet = Fleet(target=3)
    assert fleet.sees([report(10)] * 3, age_s=60.0) == 3
    assert fleet.sees([]) == 3


def test_a_silent_replica_keeps_the_fleet_from_shrinking() -> None:
    fleet = Fleet(target=4)
    fleet.holds(busy=0.0, seconds=KEPT_S)
    for _ in range(30):
        fleet.now += 1.0
        silent, speaks = report()._replace(reported_at=0.0), report()
        seen = [silent, *[speaks._replace(reported_at=fleet.now)] * 3]
        assert fleet.policy.decide(Load(seen, 4), now=fleet.now).replicas == 4


def test_a_reason_says_what_waits_what_it_needs_and_by_when() -> None:
    policy = QueueDepthPolicy(TARGETS)
    seen = [report(10, depth=41, depth_tokens=180_000)._replace(reported_at=50_000.0)]

    reason = policy.decide(Load(seen, 2), now=50_000.0).reason
    assert reason.startswith("2 → ")
    assert "41 waiting (180000 tokens), 10 running need" in reason
    assert "by 13:53:40 UTC, 1 loading" in reason


def test_serve_asks_ten_times_a_second_and_hears_the_same() -> None:
    policy = QueueDepthPolicy(TARGETS)
    load = Load([report(10)._replace(reported_at=100.0)], 1)
    answers = {policy.decide(load, now=100.0 + k / 10).replicas for k in range(10)}

    assert answers == {2}
    assert repr(policy).startswith("<QueueDepthPolicy <Capacity")


REPORTS = st.builds(
    report,
    running=st.integers(0, 12),
    depth=st.integers(0, 50),
    depth_tokens=st.integers(0, 50_000),
    arriving_tokens_per_s=st.floats(0, 9000),
    kv_usage=st.floats(0, 1),
    tpot_s=st.floats(0, 0.1),
    slow_tpot_s=st.floats(0, 0.1),
    answers_per_s=st.floats(0, 100),
    late=st.floats(0, 1),
    alone_tpot_s=st.floats(0, 0.02),
    reading=st.floats(0, 1),
)
LOOKS = st.lists(REPORTS, min_size=1, max_size=5)
HISTORIES = st.lists(LOOKS, max_size=30)


def after(history: Iterable[Sequence[ReplicaLoad]], last: Sequence[ReplicaLoad]) -> int:
    fleet = Fleet(target=3)
    for look in history:
        fleet.sees(look)
        fleet.target = 3
    return fleet.sees(last)


@given(HISTORIES, LOOKS, st.integers(1, 20), st.integers(1, 9000))
def test_more_load_never_wants_fewer(
    history: list[list[ReplicaLoad]], last: list[ReplicaLoad], more: int, tokens: int
) -> None:
    base = after(history, last)
    fuller = [
        r._replace(
            running=r.running + more,
            depth=r.depth + more,
            depth_tokens=r.depth_tokens + tokens,
            arriving_tokens_per_s=r.arriving_tokens_per_s + tokens,
        )
        for r in last
    ]
    assert after(history, fuller) >= base


def test_answers_that_hardly_ever_end_are_as_if_none_had() -> None:
    seldom = report(1, alone_tpot_s=0.02, slow_tpot_s=0.05, answers_per_s=1e-310)
    never = seldom._replace(answers_per_s=0.0)
    more = seldom._replace(running=30)
    assert after([[seldom]], [more]) == after([[never]], [more])


@given(HISTORIES, LOOKS)
def test_the_order_of_replicas_does_not_matter(
    history: list[list[ReplicaLoad]], last: list[ReplicaLoad]
) -> None:
    assert after(history, last) == after([look[::-1] for look in history], last[::-1])


@given(HISTORIES, st.integers(0, 3), st.integers(3, 6))
def test_bounds_hold(history: list[list[ReplicaLoad]], least: int, most: int) -> None:
    fleet = Fleet(target=3, least=least, most=most)
    for look in history:
        assert least <= fleet.sees(look) <= most
