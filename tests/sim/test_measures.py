"""Numbers that are read off a replay, checked by hand."""

import pytest

from serve_app.sim.measures import jain, percentile, share_within
from serve_app.sim.record import Service


@pytest.mark.parametrize(
    ("values", "share", "wanted"),
    [
        (range(1, 101), 0.99, 99),
        (range(1, 101), 0.5, 50),
        ([7], 0.99, 7),
        ([1, 2], 0.0, 1),
        ([1, 2], 1.0, 2),
    ],
)
def test_percentiles_are_values_that_were_there(
    values: list[float], share: float, wanted: float
) -> None:
    assert percentile(values, share) == wanted


@pytest.mark.parametrize(
    ("values", "wanted"), [([2, 2, 2], 1.0), ([1, 0, 0, 0], 0.25), ([1, 3], 0.8), ([0, 0], 1.0)]
)
def test_jain(values: list[float], wanted: float) -> None:
    assert jain(values) == pytest.approx(wanted)


def test_share_within() -> None:
    assert share_within([1.0, 2.0, 3.0, float("inf")], 2.0) == 0.5


def test_a_tenant_is_backlogged_only_while_it_waits_all_the_time() -> None:
    service = Service()
    service.wait("a", 1, now=0.5)
    service.wait("a", 1, now=2.2)
    service.wait("a", -2, now=5.1)
    for second in range(8):
        service.tick(now=float(second)) if second > 5 else None

    assert service.was_backlogged("a", 1, 5)
    assert not service.was_backlogged("a", 0, 5), "it came in the first second"
    assert not service.was_backlogged("a", 1, 6), "and left in the sixth"
    assert not service.was_backlogged("a", 6, 7)


def test_service_adds_up_by_the_second() -> None:
    service = Service()
    for now in (0.1, 0.9, 1.0, 7.0):
        service.serve("a", 2.0, now=now)

    assert service.between("a", 0, 2) == 6.0
    assert service.between("b", 0, 9) == 0.0
