"""Whether replicas over time follow others is seen, and no less is asked than is said."""

import pytest

from tests.ray.fleet import Seen
from tests.ray.replayed import REPLICAS, SECONDS, differences, load_time_s


def rises(at_s: float, to: int) -> list[Seen]:
    """From one replica to so many, ordered at 10 s."""
    return [(k / 2, to if k >= 20 else 1, to if k / 2 >= at_s else 1) for k in range(120)]


@pytest.mark.parametrize("late_s", [-SECONDS, 0.0, SECONDS])
def test_up_to_five_seconds_sooner_or_later_it_follows(late_s: float) -> None:
    assert list(differences(rises(30 + late_s, to=4), rises(30, to=4))) == []


@pytest.mark.parametrize("late_s", [-SECONDS - 1, SECONDS + 1])
def test_after_more_than_five_seconds_it_does_not(late_s: float) -> None:
    found = list(differences(rises(30 + late_s, to=4), rises(30, to=4)))

    assert found
    assert all(
        min(30, 30 + late_s) <= difference.at_s <= max(30, 30 + late_s) for difference in found
    )


def test_one_replica_more_or_less_follows_and_two_do_not() -> None:
    assert list(differences(rises(30, to=4), rises(30, to=4 + REPLICAS))) == []
    found = list(differences(rises(30, to=4), rises(30, to=5 + REPLICAS)))

    assert {difference.live for difference in found} == {4}
    assert found[0].at_s == 30 + SECONDS
    assert found[0].simulated == (6,)


def test_a_fall_that_never_came_is_seen() -> None:
    stays = [(at_s, 4, 4) for at_s, *_ in rises(30, to=4)]

    assert list(differences(stays, rises(30, to=1)))


def test_the_load_time_is_from_order_to_service() -> None:
    assert load_time_s(rises(33, to=4)) == pytest.approx(23, abs=0.5)
