"""What is refused before anything is loaded; two nodes, with GPUs that only Ray believes in."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray import serve
from ray._private.worker import global_worker
from ray.cluster_utils import Cluster
from ray.core.generated.autoscaler_pb2 import AutoscalingState, ClusterConfig
from ray.util.placement_group import placement_group, remove_placement_group

from serve_app.config import EngineArgs
from serve_app.core.preflight.node import GpuFacts, NodeFacts
from serve_app.errors import ClusterTooSmall
from serve_app.probing.probe import Probe
from serve_app.serving.placed import placed
from serve_app.serving.preflight import require_room
from serve_app.serving.probes import _with_own_gpus, gather
from serve_app.serving.replica import EngineReplica
from tests.models import tiny

pytestmark = pytest.mark.ray

RANKS = [{"CPU": 1, "GPU": 1}, {"GPU": 1}]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The model caches of two nodes."""
    head, other = (tmp_path_factory.mktemp(name) for name in ("head", "other"))
    return head, other


@pytest.fixture(scope="module")
def cluster(folders: tuple[Path, Path]) -> Iterator[Cluster]:
    """Two nodes, each with two GPUs that are not there."""
    head, other = ({"SERVE_APP_MODELS": str(folder)} for folder in folders)
    arguments = {"num_cpus": 2, "num_gpus": 2, "object_store_memory": 80_000_000}
    started = Cluster(
        initialize_head=True,
        head_node_args=arguments | {"include_dashboard": False, "env_vars": head},
    )
    started.add_node(**arguments, env_vars=other)
    ray.init(address=started.address, log_to_driver=False, namespace="serve")
    yield started
    serve.shutdown()
    ray.shutdown()
    started.shutdown()


@pytest.fixture
def training(cluster: Cluster) -> Iterator[None]:
    """One GPU of each node is held by a job that has nothing to do with us."""
    group = placement_group([{"GPU": 1}] * 2, strategy="STRICT_SPREAD", name="training")
    ray.get(group.ready())
    yield
    remove_placement_group(group)


@ray.remote(num_gpus=1, num_cpus=0)
class Notebook:
    def ready(self) -> bool:
        return True


def application(bundles: list[dict[str, float]], strategy: str) -> dict[str, Any]:
    deployment = {"placement_group_bundles": bundles, "placement_group_strategy": strategy}
    return {"name": "deepseek", "deployments": [deployment]}


def refused(bundles: list[dict[str, float]], strategy: str) -> str:
    started = time.monotonic()
    with pytest.raises(ClusterTooSmall) as error:
        require_room(application(bundles, strategy), file=None)
    assert time.monotonic() - started < 15
    return str(error.value)


def failed(args: dict[str, Any], bundles: list[dict[str, float]], strategy: str) -> str:
    """What Serve says of an engine that did not start."""
    checked = EngineArgs.model_validate({"names": ["deepseek"], **args})
    deployment = serve.deployment(EngineReplica, name="Engine", max_constructor_retry_count=1)
    options = deployment.options(
        ray_actor_options={"num_cpus": 0},
        placement_group_bundles=bundles,
        placement_group_strategy=strategy,
    )
    with pytest.raises(RuntimeError):
        serve.run(options.bind(checked.model_dump()), name="deepseek", route_prefix=None)
    said = serve.status().applications["deepseek"].deployments["Engine"].message
    serve.delete("deepseek")
    return said.replace("\\n", "\n")


def test_bundles_that_no_node_could_hold_are_refused_with_the_largest_node(
    cluster: Cluster,
) -> None:
    said = refused([{"CPU": 1, "GPU": 1}, *[{"GPU": 1}] * 3], "STRICT_PACK")

    assert "deepseek does not fit this cluster, and no autoscaler makes it grow" in said
    assert "needs: 4 GPU, 1 CPU per replica, as 4 bundles, STRICT_PACK" in said
    assert "ray status has: 4 GPU, 4 CPU on 2 node(s), free: 4 GPU, 4 CPU" in said
    assert "on one node: 4 GPU, 1 CPU (all bundles); the largest has 2 GPU, 2 CPU" in said


def test_a_cluster_that_others_hold_is_refused_with_their_names(training: None) -> None:
    notebook = Notebook.options(name="notebook").remote()
    ray.get(notebook.ready.remote())
    waiting = placement_group([{"GPU": 2}], name="also-waits")

    said = refused(RANKS, "STRICT_PACK")

    ray.kill(notebook)
    remove_placement_group(waiting)
    assert "does not fit beside what this cluster holds already" in said
    assert "free: 1 GPU" in said
    assert said.count("by placement group training") == 2
    assert "held: 1 GPU on" in said
    assert "by actor notebook (pid " in said
    assert "waiting too: placement group also-waits" in said
    assert "set args.wait_for_nodes: true" in said


@pytest.fixture
def autoscaler(cluster: Cluster) -> Iterator[None]:
    """What an autoscaler tells the cluster: it may start nodes of four GPUs, and starts one."""
    config = ClusterConfig()
    group = config.node_group_configs.add(name="four-gpus", max_count=3)
    group.resources.update({"CPU": 8, "GPU": 4})
    seen = AutoscalingState(autoscaler_state_version=1)
    seen.pending_instances.add(
        ray_node_type_name="four-gpus", instance_type_name="x", instance_id="1"
    )
    gcs = global_worker.gcs_client
    gcs.report_cluster_config(config.SerializeToString())
    gcs.report_autoscaling_state(seen.SerializeToString())
    yield
    gcs.report_cluster_config(ClusterConfig().SerializeToString())


def test_an_autoscaler_that_may_start_what_is_missing_is_left_to_it(autoscaler: None) -> None:
    require_room(application([{"GPU": 1}] * 4, "STRICT_PACK"), file=None)


def test_what_no_autoscaler_may_start_is_refused_with_what_is_coming(autoscaler: None) -> None:
    said = refused([{"CPU": 1, "GPU": 1}, *[{"GPU": 1}] * 7], "STRICT_PACK")

    assert "does not fit, even if the autoscaler starts all it may" in said
    assert "on one node: 8 GPU, 1 CPU (all bundles); the largest has 4 GPU, 8 CPU" in said
    assert "coming: 1 four-gpus starting" in said


def test_an_autoscaler_that_does_not_say_what_it_may_start_is_left_to_it_too(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_NODE_TYPE_NAME", "small")  # as `ray up` and KubeRay do
    started = cluster.add_node(num_cpus=0, object_store_memory=80_000_000)

    require_room(application([{"GPU": 1}] * 4, "STRICT_PACK"), file=None)
    cluster.remove_node(started)


def test_of_a_shared_node_only_the_gpus_of_our_bundles_are_looked_at(training: None) -> None:
    group = placement_group([{"GPU": 1}], name="ours")
    ray.get(group.ready())
    at = placed(group)
    made = tuple(GpuFacts(index, "H100", 90, 1, 1) for index in range(2))

    [node] = set(at.lies_on)
    found = _with_own_gpus(NodeFacts("here", ranks=1, gpus=made), at, node, 10)

    remove_placement_group(group)
    assert len(found.gpus) == 1
    assert found.skipped == ()


def test_a_node_that_does_not_answer_is_left_out_and_that_is_said(cluster: Cluster) -> None:
    group = placement_group([{"GPU": 1}] * 2, strategy="STRICT_SPREAD", name="ours")
    ray.get(group.ready())
    probe = Probe("simulated", has_weights=False, written={}, ports={})

    nodes = gather(probe, placed(group), ranks=2, timeout_s=0.0)

    remove_placement_group(group)
    assert nodes[0].versions["Ray"] == ray.__version__
    [said] = nodes[1].skipped
    assert "did not answer: 0 s were not enough" in said


def test_room_is_room_when_nobody_holds_it(cluster: Cluster) -> None:
    require_room(application(RANKS, "STRICT_PACK"), file=None)


def test_a_replica_that_pack_has_laid_over_two_nodes_says_so(training: None) -> None:
    said = failed({"kind": "simulated", "model": "simulated"}, RANKS, "PACK")

    assert "the 2 bundles lie on 2 node(s)" in said
    assert "and 1 would do: PACK uses more nodes when one has no room" in said


def test_a_replica_may_be_told_that_two_nodes_are_right(training: None) -> None:
    args = {"kind": "simulated", "model": "simulated", "preflight": {"nodes": 2}}
    checked = EngineArgs.model_validate({"names": ["deepseek"], **args})
    deployment = serve.deployment(EngineReplica, name="Engine").options(
        ray_actor_options={"num_cpus": 0},
        placement_group_bundles=RANKS,
        placement_group_strategy="PACK",
    )
    serve.run(deployment.bind(checked.model_dump()), name="deepseek", route_prefix=None)

    # It is up, and its place is no obstacle to its own successor.
    require_room(application(RANKS, "PACK"), file=None)
    serve.delete("deepseek")


def test_a_checkpoint_that_is_not_whole_on_another_node_is_found_before_vllm_is_loaded(
    cluster: Cluster, folders: tuple[Path, Path]
) -> None:
    head, other = (tiny.write(folder / "tiny", tiny.SHARDED) for folder in folders)
    for folder in (head, other):  # the replica may be on either
        (folder / "model-2.safetensors").unlink()
    started = time.monotonic()

    said = failed(
        {"kind": "vllm", "model": "tiny", "vllm": {"tensor_parallel_size": 2}},
        RANKS,
        "STRICT_SPREAD",
    )

    assert f"{head}/model-2.safetensors is missing" in said
    assert f"{other}/model-2.safetensors is missing" in said
    assert time.monotonic() - started < 60


def test_loading_that_takes_too_long_ends_with_its_phase(cluster: Cluster) -> None:
    args = {"kind": "simulated", "model": "simulated", "simulated": {"load_s": 3600}}
    said = failed(args | {"load_timeout_s": 0.5}, [{"CPU": 1}], "PACK")

    assert "not ready after 0.5 s (load_timeout_s)" in said
    assert "time was up while ranks read the weights" in said
