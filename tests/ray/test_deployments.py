"""Every deployment for GPUs on two nodes whose GPUs Ray was only told of.

A replica starts in the placement group of its file, and finds that one thing is not on this
machine before it loads: the model's folder.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
import yaml

from tests.planning.test_deployments import ON_GPUS
from tests.ray.serve_run import BIN, ServeRun
from tests.ray.two_nodes import TwoNodes, free_port, two_nodes

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]

PLACE = """
import collections, json, sys, ray
ray.init(log_to_driver=False)
for bundles, strategy in json.load(sys.stdin):
    group = ray.util.placement_group(bundles, strategy=strategy)
    ray.get(group.ready(), timeout=20)
    nodes = ray.util.placement_group_table(group)["bundles_to_node_id"].values()
    print(sorted(collections.Counter(nodes).values()))
    ray.util.remove_placement_group(group)
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[TwoNodes]:
    with two_nodes() as nodes:
        nodes.environment |= {
            "RAY_DEDUP_LOGS": "0",
            "RAY_prestart_worker_first_driver": "0",  # it would start a worker for each CPU
        }
        nodes.start_nodes(cpus=32, gpus=8)
        yield nodes


def test_each_replica_has_a_place_and_whole_nodes(cluster: TwoNodes) -> None:
    groups = [
        (one.serving["placement_group_bundles"], one.serving["placement_group_strategy"])
        for one in ON_GPUS
    ]
    placed = subprocess.run(
        [sys.executable, "-c", PLACE],
        env=cluster.environment,
        input=json.dumps(groups),
        capture_output=True,
        check=True,
        text=True,
    )
    by_node = dict(zip((one.name for one in ON_GPUS), placed.stdout.splitlines(), strict=True))
    assert by_node == {
        "deepseek.yaml": "[8]",
        "deepseek-throughput.yaml": "[8]",
        "deepseek-2node-h100.yaml": "[8, 8]",
        "deepseek-v3.2.yaml": "[8]",
        "deepseek-int4-8xa100.yaml": "[8]",
        "r1-distill-1gpu.yaml": "[1]",
    }


def test_replicas_start_in_their_places_and_lack_their_models_only(cluster: TwoNodes) -> None:
    """All in one `serve run`: who finds no room waits until others have stopped."""
    args = {"start_attempts": 1, "wait_for_nodes": True}
    applications = [one.engine | {"name": one.name, "args": one.args | args} for one in ON_GPUS]
    file = cluster.folder / "all.yaml"
    http = {"host": "127.0.0.1", "port": free_port()}
    document = {"proxy_location": "Disabled", "http_options": http, "applications": applications}
    file.write_text(yaml.safe_dump(document))
    running = ServeRun(cluster.start(BIN / "serve", "run", file), "", cluster.log)
    running.until(lambda: len(errors(running.log)) == len(ON_GPUS), "start of each", timeout_s=150)

    for one in ON_GPUS:
        assert (
            f"Fetch it with `serve-app models fetch {one.args['model']}`"
            in errors(running.log)[one.name]
        )


def errors(log: str) -> dict[str, str]:
    """What stopped the replicas of each application: the last line of the stack in the log."""
    found = {}
    for stopped in log.split("Exception in Replica(")[1:]:
        application = re.search(r"app='(.+?)'", stopped)
        error = re.search(r"NotReady: (.*)\n", stopped)
        if application and error:
            found[application[1]] = error[1]
    return found
