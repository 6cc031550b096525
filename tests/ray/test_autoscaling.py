"""Queue depth moves replicas through Serve's real controller, and no request fails; nor does one
when that controller dies."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.ray.clients import load
from tests.ray.fleet import watch
from tests.ray.serve_run import ServeRun, actor, serve_run, variant

pytestmark = pytest.mark.ray

PORT = 8101
MODEL = "simulated"
CONTROLLER = "ServeController"


def one_to_three(document: dict[str, Any]) -> None:
    """Two sequences a replica, an answer of one second, quick to grow and to shrink."""
    document["http_options"]["port"] = PORT
    engine = document["applications"][0]
    engine["args"]["simulated"] = {"decode_step_s": 0.05, "max_num_seqs": 2, "load_s": 1.0}
    scaling = engine["deployments"][0]["autoscaling_config"]
    scaling |= {"min_replicas": 1, "max_replicas": 3}


@pytest.fixture(scope="module")
def scaling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeRun]:
    folder = tmp_path_factory.mktemp("scaling")
    file = variant("simulated.yaml", folder / "scaling.yaml", one_to_three)
    with serve_run(file, folder / "log", port=PORT) as running:
        running.until(lambda: running.replicas(MODEL) == 1, "one replica", timeout_s=120)
        yield running


def test_load_takes_it_from_one_to_three_and_silence_back(scaling: ServeRun) -> None:
    with load(scaling.url, MODEL, clients=12) as statuses:
        scaling.until(lambda: scaling.replicas(MODEL) == 3, "three replicas", timeout_s=60)
    scaling.until(lambda: scaling.replicas(MODEL) == 1, "one replica again", timeout_s=60)

    assert set(statuses) == {200}
    assert "need" in scaling.log  # each change came with its reason


def test_a_controller_that_dies_takes_no_replica_with_it_and_scaling_goes_on(
    scaling: ServeRun,
) -> None:
    with load(scaling.url, MODEL, clients=12) as statuses:
        scaling.until(lambda: scaling.replicas(MODEL) == 3, "three replicas", timeout_s=60)
        with watch(scaling, MODEL) as seen:
            died = actor(scaling, CONTROLLER)
            os.kill(died, signal.SIGKILL)
            scaling.until(lambda: actor(scaling, CONTROLLER) not in {0, died}, "controller", 30)
            began = len(statuses)
            scaling.until(lambda: len(seen) >= 6, "look at its replicas", 30)
    scaling.until(lambda: scaling.replicas(MODEL) == 1, "one replica again", timeout_s=60)

    assert {wanted for _, wanted, _ in seen} == {3}
    assert set(statuses) == {200}
    assert len(statuses) > began
