"""More replicas are wanted than the cluster can hold: who asks hears what is wanted and why not."""

from pathlib import Path
from typing import Any

import pytest

from tests.ray.clients import load
from tests.ray.serve_run import ServeRun, ray_status, serve_run, serve_status, variant

pytestmark = pytest.mark.ray

MODEL = "simulated"
PORT = 18143
TWO_SERVE = (
    "wants 3 replicas, 2 serve, 1 waits for 0.8 CPU while no node has more than 0.3 CPU free"
)
PENDING = "{'CPU': 0.8} * 1 (STRICT_PACK): 1+ pending placement groups"
# Two CPUs, whatever this machine has; and Serve says after 2 s what it says after 30.
VARIABLES = """
RAY_OVERRIDE_RESOURCES='{"CPU": 2}'
RAY_SERVE_SLOW_STARTUP_WARNING_S=2
RAY_SERVE_SLOW_STARTUP_WARNING_PERIOD_S=2
"""


def of_which_two_fit(document: dict[str, Any]) -> None:
    document["http_options"]["port"] = PORT
    engine = document["applications"][0]
    engine["args"]["simulated"] = {"decode_step_s": 0.05, "max_num_seqs": 2}
    deployment = engine["deployments"][0]
    deployment["autoscaling_config"] |= {"min_replicas": 1, "max_replicas": 3}
    deployment["ray_actor_options"] = {"num_cpus": 0.8}
    deployment["placement_group_bundles"] = [{"CPU": 0.8}]
    deployment["placement_group_strategy"] = "STRICT_PACK"


def test_a_full_cluster_says_what_is_wanted_and_what_is_missing(tmp_path: Path) -> None:
    file = variant("simulated.yaml", tmp_path / "full.yaml", of_which_two_fit)
    variables = tmp_path / "variables"
    variables.write_text(VARIABLES)
    with serve_run(file, tmp_path / "log", port=PORT, variables=variables) as running:
        running.until(lambda: running.replicas(MODEL) == 1, "one replica", timeout_s=90)

        with load(running.url, MODEL, clients=12) as statuses:
            running.until(lambda: TWO_SERVE in running.get("/ready")[1], "two replicas", 60)
            running.until(lambda: "be scheduled" in message(running), "what Serve says", 30)
            # Ray's autoscaler reports every five seconds.
            running.until(lambda: PENDING in ray_status(running), "what Ray says", 30)
            status, of_ray = serve_status(running, MODEL), ray_status(running)

    assert set(statuses) == {200}
    states = status["deployments"]["Engine"]["replica_states"]
    assert states == {"RUNNING": 2, "STARTING": 1}
    assert PENDING in of_ray


def message(running: ServeRun) -> str:
    return str(serve_status(running, MODEL)["deployments"]["Engine"]["message"])
