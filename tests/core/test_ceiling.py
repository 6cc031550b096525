"""What may be ordered at most, and who says so."""

from dataclasses import replace

import pytest

from serve_app.core.autoscaling import QueueDepthPolicy
from serve_app.core.ceiling import Ceiling
from serve_app.core.report import Load
from tests.core.test_autoscaling import TARGETS, Fleet, report


@pytest.mark.parametrize(
    ("ceiling", "held", "name"),
    [
        (Ceiling(), 9, "max_replicas"),
        (Ceiling(max_step=2), 3, "max_step"),
        (Ceiling(replica_cost=0.1, max_cost=0.3), 3, "max_cost_per_hour"),
        (Ceiling(replica_cost=20.0, max_cost=100.0), 5, "max_cost_per_hour"),
        (Ceiling(replica_cost=20.0, max_cost=100.0, max_step=2), 3, "max_step"),
    ],
)
def test_a_need_above_a_ceiling_is_held_and_the_reason_says_by_which(
    ceiling: Ceiling, held: int, name: str
) -> None:
    policy = QueueDepthPolicy(replace(TARGETS, ceiling=ceiling))
    busy = report(10, depth=900, depth_tokens=900_000)._replace(reported_at=100.0)
    said = policy.decide(Load([busy], 1, most=9), now=100.0)
    said = policy.decide(Load([busy._replace(reported_at=101.0)], 1, most=9), now=101.0)

    assert said.replicas == held
    assert said.reason.endswith(f"held by {name}")


def test_a_step_is_of_those_that_load_and_takes_nothing_back() -> None:
    fleet = Fleet(target=1, targets=replace(TARGETS, ceiling=Ceiling(max_step=3)))
    assert fleet.holds(busy=20.0, seconds=15) == 1 + 3
    assert fleet.holds(busy=20.0, seconds=15) == 4 + 3  # the first three serve by now
    ordered = Load([report(10, depth=99)._replace(reported_at=fleet.now)], 6)
    assert Ceiling(max_step=2).of(ordered) == (6, "max_step")


def test_the_least_is_kept_though_it_costs_too_much() -> None:
    dear = replace(TARGETS, ceiling=Ceiling(replica_cost=20.0, max_cost=30.0))
    fleet = Fleet(target=3, least=3, targets=dear)
    assert fleet.holds(busy=9.0, seconds=30) == 3
