"""How long a replica takes from its order, as a policy sees it."""

from collections.abc import Sequence

import pytest

from serve_app.core.load_time import LoadTime
from serve_app.core.report import Load, ReplicaLoad

GUESS_S = 120.0
OWN_S = 90.0  # what each replica says of its own start

Look = tuple[float, int, int]
"""At which time, how many are ordered, how many serve."""


def told(*looks: Look) -> LoadTime:
    learned = LoadTime(GUESS_S)
    for at, target, serving in looks:
        report = ReplicaLoad(0, 100, 0.0, load_s=OWN_S)
        learned.saw(Load([report] * serving, target), now=at)
    return learned


def test_until_a_replica_serves_it_is_the_guess() -> None:
    assert LoadTime(GUESS_S).load_s == GUESS_S
    assert told((0, 1, 0), (50, 1, 0)).load_s == GUESS_S


def test_until_one_was_seen_to_come_it_is_the_median_of_what_replicas_say() -> None:
    learned = LoadTime(GUESS_S)
    learned.saw(Load([ReplicaLoad(0, 100, 0.0, load_s=s) for s in (600, 90, 100)], 3), now=0.0)

    assert learned.load_s == 100
    assert "100 s" in repr(learned)


@pytest.mark.parametrize(
    ("looks", "load_s"),
    [
        pytest.param([(0, 1, 1), (1, 2, 1), (100, 2, 1), (130, 2, 2)], 130, id="one"),
        pytest.param(
            [(0, 1, 1), (1, 2, 1), (40, 3, 1), (130, 3, 2)], 130, id="the first of two orders"
        ),
        pytest.param(
            [(0, 1, 1), (1, 3, 1), (130, 3, 3)], 130, id="two that were ordered and come together"
        ),
        pytest.param(
            [(0, 0, 0), (130, 1, 1)], 130, id="the first of all, while which Serve does not ask"
        ),
        pytest.param(
            [(0, 3, 3), (1, 1, 3), (2, 1, 1), (3, 2, 1), (132, 2, 2)], 130, id="one after a fall"
        ),
    ],
)
def test_it_is_the_time_from_the_look_before_the_order_to_service(
    looks: Sequence[Look], load_s: float
) -> None:
    assert told(*looks).load_s == load_s


@pytest.mark.parametrize(
    "looks",
    [
        pytest.param([(0, 2, 1), (10, 2, 2)], id="it was ordered before the first look"),
        pytest.param([(0, 2, 2), (1, 2, 1), (2, 2, 2)], id="one that served was away for a second"),
        pytest.param(
            [(0, 2, 2), (1, 3, 2), (50, 3, 1), (51, 3, 2)], id="so it was while another one loads"
        ),
        pytest.param(
            [(0, 1, 1), (1, 2, 1), (40, 3, 1), (50, 2, 1), (160, 2, 2)], id="one was called back"
        ),
        pytest.param([(0, 2, 2), (1, 2, 3), (2, 2, 2)], id="a new version before the old one goes"),
    ],
)
def test_of_a_replica_whose_order_is_not_known_nothing_is_learned(looks: Sequence[Look]) -> None:
    assert told(*looks).load_s == OWN_S


def test_when_all_have_come_it_learns_again() -> None:
    learned = told((0, 2, 1), (10, 2, 2), (11, 3, 2), (141, 3, 3))

    assert learned.load_s == 131


def test_nodes_of_another_kind_are_known_after_three() -> None:
    looks: list[Look] = [(0, 0, 0)]
    for k, took_s in enumerate([30, 30, 30, 30, 60, 60, 60]):
        looks += [(200 * k + took_s, k + 1, k + 1), (200 * k + 200, k + 1, k + 1)]

    assert told(*looks[:-2]).load_s == 30
    assert told(*looks).load_s == 60


def test_replicas_that_were_ordered_serve_for_what_is_left_of_the_time() -> None:
    learned = told((0, 3, 1))

    assert learned.served_by(125.0, serving=1, now=5.0) == pytest.approx(120 + 2 * 35)


def test_one_that_was_called_back_does_not_come() -> None:
    learned = told((0, 1, 1), (10, 2, 1), (20, 3, 1), (30, 2, 1))

    assert learned.served_by(130.0, serving=1, now=30.0) == pytest.approx(100 + 40)


def test_one_that_is_gone_is_ordered_anew() -> None:
    learned = told((0, 2, 2), (10, 2, 1))

    assert learned.served_by(130.0, serving=1, now=10.0) == pytest.approx(120 + 30)
