"""What Serve's controller says of replicas, counted."""

from typing import Any

import pytest

from serve_app.core.shortfall import Ordered
from serve_app.serving.standing import ordered

PLACED = {"node_id": "n"}
BUNDLES = {"placement_group_bundles": [{"GPU": 1}] * 2, "placement_group_strategy": "STRICT_PACK"}


def engine(*replicas: dict[str, Any], **config: Any) -> dict[str, Any]:
    return {"target_num_replicas": 3, "replicas": replicas, "deployment_config": config}


@pytest.mark.parametrize(
    ("replica", "serving", "loading"),
    [
        ({"state": "RUNNING", **PLACED}, 1, 0),
        ({"state": "STARTING", **PLACED}, 0, 1),
        ({"state": "STARTING"}, 0, 0),  # Serve leaves out what it does not know
        ({"state": "STARTING", "node_id": None}, 0, 0),
        ({"state": "UPDATING", **PLACED}, 0, 1),
        ({"state": "RECOVERING", **PLACED}, 0, 1),
        ({"state": "STOPPING", **PLACED}, 0, 0),
    ],
)
def test_a_replica_serves_loads_or_has_no_place(
    replica: dict[str, Any], serving: int, loading: int
) -> None:
    counted = ordered(engine(replica))

    assert (counted.wanted, counted.serving, counted.loading) == (3, serving, loading)


@pytest.mark.parametrize(
    ("config", "bundles", "strategy"),
    [
        (BUNDLES, [{"GPU": 1}] * 2, "STRICT_PACK"),
        ({"ray_actor_options": {"num_cpus": 0.5}}, [{"CPU": 0.5}], "PACK"),
        ({}, [{"CPU": 1}], "PACK"),  # what Ray takes for an actor
    ],
)
def test_a_replica_needs_its_bundles_or_what_its_actor_takes(
    config: dict[str, Any], bundles: list[dict[str, float]], strategy: str
) -> None:
    assert ordered(engine(**config)) == Ordered(3, 0, 0, bundles, strategy)
