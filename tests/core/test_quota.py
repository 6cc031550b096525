"""The slots of a replica, divided between the gateways that send to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.quota import GROWTH, Demand, quotas

NOBODY = (0, 0, 0)


def test_one_gateway_has_nothing_to_divide() -> None:
    assert quotas(8, {"a": Demand(3, (0, 5, 0))}) is None


@pytest.mark.parametrize(
    ("a", "b", "parts", "why"),
    [
        (Demand(0, NOBODY), Demand(0, NOBODY), (50, 50), "nobody asks: both may begin"),
        (Demand(60, NOBODY), Demand(0, NOBODY), (80, 20), "what runs goes on"),
        (Demand(50, (0, 90, 0)), Demand(50, (0, 90, 0)), (50, 50), "both want all"),
        (Demand(100, (0, 90, 0)), Demand(0, (0, 10, 0)), (90, 10), "who wants little gets it"),
        (Demand(100, (0, 90, 0)), Demand(0, (70, 0, 0)), (30, 70), "the higher class first"),
        (Demand(0, (80, 0, 0)), Demand(0, (80, 0, 0)), (50, 50), "and the same to each in it"),
        (Demand(0, (0, 0, 90)), Demand(0, (0, 30, 90)), (35, 65), "class by class"),
        (Demand(120, NOBODY), Demand(0, (0, 60, 0)), (60, 60), "of more than it should hold, too"),
        (Demand(100, (90, 0, 0)), Demand(0, (0, 0, 9)), (100, 0), "but never nothing"),
    ],
)
def test_quotas(a: Demand, b: Demand, parts: tuple[int, int], why: str) -> None:
    found = quotas(100, {"a": a, "b": b})

    assert found is not None
    expected = [max(1.0, GROWTH * part) for part in parts]
    assert [found["a"], found["b"]] == pytest.approx(expected, abs=1), why


demands = st.builds(Demand, st.integers(0, 50), st.tuples(*[st.integers(0, 50)] * 3).map(tuple))


@given(st.integers(1, 100), st.lists(demands, min_size=2, max_size=5))
def test_together_they_are_a_little_more_than_what_there_is(
    slots: int, wanted: list[Demand]
) -> None:
    named = {str(number): demand for number, demand in enumerate(wanted)}
    found = quotas(slots, named)

    assert found is not None
    there_is = max(slots, sum(demand.running for demand in wanted))
    assert all(quota >= 1 for quota in found.values())
    assert there_is <= sum(found.values()) <= GROWTH * there_is + 2 * len(wanted)
