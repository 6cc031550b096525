"""Tenants get service by weight, whatever they ask for, and time away earns little."""

import pytest

from serve_app.core.fairness import CREDIT, MOST_IDLE
from serve_app.core.request import Request
from tests.core.line import Line


def test_equal_tenants_take_turns_by_cost_and_not_by_request() -> None:
    line = Line()
    for _ in range(9):
        line.push("a", 10.0)
        line.push("b", 20.0)

    line.tenants(9)
    assert line.served == {"a": 60.0, "b": 60.0}


def test_service_follows_weights() -> None:
    line = Line()
    for tenant in "acd" * 40:
        line.push(tenant)

    line.tenants(70)
    assert line.served == {"a": 100.0, "c": 200.0, "d": 400.0}


def test_within_a_tenant_the_earliest_deadline_goes_first() -> None:
    line = Line()
    line.push("a", by=3.0)
    soon = line.push("a", by=1.0)

    assert line.serve() is soon


def test_a_correction_moves_the_tenant_in_line() -> None:
    line = Line()
    first = line.push("a")
    for tenant in "abab":
        line.push(tenant)
    line.serve()

    line.it.charge(first, 25.0)
    assert line.tenants(4) == "bbaa"


def test_a_refund_while_nothing_waits_counts_when_the_tenant_comes_back() -> None:
    line = Line()
    first = line.push("a", 100.0)
    line.push("b", 30.0)
    line.push("b", 30.0)
    line.tenants(2)
    line.it.charge(first, -90.0)
    line.push("a")

    assert line.tenants(2) == "ab"


def test_time_away_earns_no_more_than_a_credit() -> None:
    line = Line()
    for _ in range(200):
        line.push("a")
    line.push("b")
    line.tenants(100)
    for _ in range(100):
        line.push("b")

    turns = line.tenants(60)
    assert turns.index("a") <= CREDIT + 2, "then it is the turn of the one that was there"
    assert turns[-20:].count("a") == 10


def test_the_credit_is_shared_by_those_who_wait_so_that_many_together_do_not_starve_one() -> None:
    line = Line()
    for _ in range(100):
        line.push("a")
    line.tenants(50)
    newcomers = [f"n{i}" for i in range(50)]
    for _ in range(20):
        for tenant in newcomers:
            line.push(tenant)

    before_a = next(turn for turn in range(2000) if line.serve().tenant == "a")
    # One request of each, and CREDIT × (1 + 1/2 + 1/3 + …) of credit.
    assert before_a <= 50 + 4.5 * CREDIT + 50


@pytest.mark.parametrize(
    ("cost", "is_behind", "why"),
    [
        (10.0, True, "after ten it is still below the level"),
        (200.0, False, "this one is more than it was short of"),
    ],
)
def test_whoever_has_had_less_than_the_others_is_behind(
    cost: float, is_behind: bool, why: str
) -> None:
    line = Line()
    for _ in range(20):
        line.push("a")
    line.tenants(19)
    request = line.push("b", cost)

    assert line.it.is_behind(request, cost) is is_behind, why
    assert not line.it.is_behind(line.push("a"), 10.0), "who has had it all is not"


def test_who_is_ahead_follows_from_the_weights() -> None:
    line = Line()
    for tenant in "aaadddd":
        last = line.push(tenant)
    last_of_a = line.push("a")

    assert line.it.ahead_of(last) == 4, "of d's four three, and one of a in that time"
    assert line.it.ahead_of(last_of_a) == 7, "all the others: d has four turns for each of a"


def test_idle_tenants_are_forgotten_once_the_level_has_left_them_behind() -> None:
    line = Line()
    for i in range(3 * MOST_IDLE):
        line.push(f"t{i}")
        line.serve()
    debtor = line.push("debtor")
    line.serve()
    line.it.charge(debtor, 10_000.0)
    for _ in range(100):
        line.push("a")
        line.serve()
    for i in range(6 * MOST_IDLE):
        line.push(f"u{i}")
        line.serve()

    known = {flow.tenant for flow in line.it.flows}
    assert not any(f"t{i}" in known for i in range(3 * MOST_IDLE))
    assert "debtor" in known, "a debt is remembered"


def test_a_correction_for_a_forgotten_tenant_is_not_lost() -> None:
    line = Line()
    it = line.it
    it.charge(Request("x", 0.0, 1.0, tenant="gone", weight=2.0), 50.0)

    flow = it.flow("gone")
    assert flow is not None
    assert flow.counter == 25.0


def test_its_repr_is_a_transcript_line() -> None:
    line = Line()
    line.push("a")

    assert repr(line.it.flow("a")) == "<Flow a 1 waiting, at 0>"
