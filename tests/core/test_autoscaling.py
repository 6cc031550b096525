"""The policy's answer for a load, as a table; and what holds for every load."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.autoscaling import QueueDepthPolicy, Targets
from serve_app.core.report import Load, ReplicaLoad


def load(*replicas: tuple[int, int], target: int = 1, age_s: float = 0.0) -> Load:
    """Replicas as (running, depth), ten slots each."""
    seen = [ReplicaLoad(running, 10, 100.0 - age_s, depth) for running, depth in replicas]
    return Load(seen, target)


@pytest.mark.parametrize(
    ("given_load", "wanted", "why"),
    [
        (load((0, 0)), 0, "no load needs nothing; min_replicas is Serve's to apply"),
        (load((8, 0)), 1, "eight of ten slots is exactly the target usage"),
        (load((9, 0)), 2, "one more needs a second replica"),
        (load((10, 14)), 3, "what waits counts like what runs"),
        (load((10, 14), (10, 14)), 5, "every replica hears the same depth; it counts once"),
        (load((10, 30), target=5), 5, "replicas that still load are in the target, not on top"),
        (load((9, 0), target=3, age_s=60), 3, "old numbers are no data: hold"),
        (load(target=2), 2, "no replica at all is no data: hold"),
    ],
)
def test_wanted_replicas(given_load: Load, wanted: int, why: str) -> None:
    decision = QueueDepthPolicy(Targets(0.8, 5.0)).decide(given_load, now=100.0)

    assert decision.replicas == wanted, why
    assert decision.reason


def test_a_silent_replica_is_counted_as_full_and_never_shrunk_away() -> None:
    silent = ReplicaLoad(0, 10, reported_at=0.0)
    speaks = ReplicaLoad(0, 10, reported_at=100.0)

    assert QueueDepthPolicy(Targets()).decide(Load([silent, speaks], 2), now=100.0).replicas == 2


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 50))
def test_more_load_never_wants_fewer(running: int, depth: int, more: int) -> None:
    policy = QueueDepthPolicy(Targets())
    base = policy.decide(load((running, depth)), now=100.0).replicas

    assert policy.decide(load((running + more, depth)), now=100.0).replicas >= base
    assert policy.decide(load((running, depth + more)), now=100.0).replicas >= base
