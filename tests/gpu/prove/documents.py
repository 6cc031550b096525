"""The YAMLs of this folder, as they are, and changed for another mode or for a CPU."""

from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[1]
MODES: dict[str, dict[str, Any]] = {
    "graphs": {},  # as the files have it
    "eager": {"enforce_eager": True},
    "compile": {"compilation_config": None},  # vLLM's defaults: torch.compile and piecewise graphs
}
GPU_ONLY = (
    "enable_expert_parallel",
    "moe_backend",
    "gpu_memory_utilization",
    "cudagraph_capture_sizes",
    "compilation_config",
    "disable_custom_all_reduce",
)
ON_CPU = {
    "dtype": "float32",
    "enforce_eager": True,
    "kv_cache_memory_bytes": 128 << 20,
    "max_model_len": 8192,
    "max_num_seqs": 16,
}
RAY_ON_CPU = "serve_app.engine.cpu_ray_executor.CpuRayExecutor"
ALONE_ON_CPU = "vllm.v1.executor.uniproc_executor.UniProcExecutor"


def load(name: str, *, mode: str = "graphs", cpu: bool = False) -> dict[str, Any]:
    """A Serve YAML of this folder."""
    document: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    vllm = vllm_of(document)
    for key, value in MODES[mode].items():
        vllm[key] = value
        if value is None:
            del vllm[key]
    if cpu:
        _for_cpu(document)
    return document


def alone(document: dict[str, Any]) -> None:
    """One replica, whatever the load."""
    deployment = engine_of(document)["deployments"][0]
    deployment.pop("autoscaling_config")
    deployment["num_replicas"] = 1


def by_ray(document: dict[str, Any], *, cpu: bool, ranks: int = 1) -> None:
    """One replica whose ranks are workers of Ray's, in a placement group, even if it is one."""
    alone(document)
    deployment = engine_of(document)["deployments"][0]
    each = {"CPU": 1} if cpu else {"CPU": 6, "GPU": 1}
    deployment["placement_group_bundles"] = [dict(each) for _ in range(ranks)]
    deployment["ray_actor_options"] |= {"num_cpus": each["CPU"], "num_gpus": 0}
    vllm_of(document).update(
        tensor_parallel_size=ranks, distributed_executor_backend=RAY_ON_CPU if cpu else "ray"
    )


def over_two_nodes(document: dict[str, Any], *, cpu: bool) -> None:
    """One engine with a rank on each of two nodes, which are one host to CUDA."""
    by_ray(document, cpu=cpu, ranks=2)
    deployment = engine_of(document)["deployments"][0]
    deployment["placement_group_strategy"] = "STRICT_SPREAD"
    if not cpu:
        # Their kernels ask for the other GPU by a number that only one node of the two has.
        vllm_of(document)["disable_custom_all_reduce"] = True
        deployment["ray_actor_options"]["runtime_env"]["env_vars"] |= {
            "VLLM_ALLREDUCE_USE_SYMM_MEM": "0",
            "VLLM_ALLREDUCE_USE_FLASHINFER": "0",
        }


def on_one_gpu(document: dict[str, Any]) -> None:
    """What the file has on two, on one: for fewer layers."""
    vllm, deployment = vllm_of(document), engine_of(document)["deployments"][0]
    for key in ("tensor_parallel_size", "enable_expert_parallel", "distributed_executor_backend"):
        vllm.pop(key, None)
    for key in ("placement_group_strategy", "placement_group_bundles"):
        del deployment[key]
    deployment["ray_actor_options"]["num_gpus"] = 1
    vllm["max_model_len"] = 4096


def data_ranks(document: dict[str, Any]) -> None:
    """Two data ranks instead of two tensor ranks; each has a scheduler, which takes a core."""
    vllm, deployment = vllm_of(document), engine_of(document)["deployments"][0]
    del vllm["tensor_parallel_size"]
    vllm["data_parallel_size"] = 2
    if "GPU" in deployment["placement_group_bundles"][0]:
        deployment["placement_group_bundles"][0]["CPU"] = 8
        deployment["ray_actor_options"]["num_cpus"] = 8


def engine_of(document: dict[str, Any]) -> dict[str, Any]:
    application: dict[str, Any] = document["applications"][0]
    return application


def vllm_of(document: dict[str, Any]) -> dict[str, Any]:
    block: dict[str, Any] = engine_of(document)["args"]["vllm"]
    return block


def _for_cpu(document: dict[str, Any]) -> None:
    vllm, deployment = vllm_of(document), engine_of(document)["deployments"][0]
    for key in GPU_ONLY:
        vllm.pop(key, None)
    vllm.update(ON_CPU)
    options = deployment["ray_actor_options"]
    options.update(num_cpus=0.6, num_gpus=0)
    options["runtime_env"]["env_vars"] |= {
        "TORCHDYNAMO_DISABLE": "1",
        "VLLM_MOE_ROUTING_SIMULATION_STRATEGY": "",
    }
    if vllm.get("tensor_parallel_size"):
        vllm["attention_backend"] = "CPU_MLA"
        vllm["distributed_executor_backend"] = RAY_ON_CPU
        deployment["placement_group_bundles"] = [{"CPU": 0.6}, {"CPU": 0.6}]
    else:
        vllm["distributed_executor_backend"] = ALONE_ON_CPU
    gateway = document["applications"][1]["deployments"][0]
    gateway["ray_actor_options"]["num_cpus"] = 0.2
