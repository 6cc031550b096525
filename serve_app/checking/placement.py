"""Whether the replica, and every rank of its engine, fits into the bundles.

Serve puts the replica into bundle 0. vLLM's Ray executor puts one rank into each bundle
that has a GPU, and takes no bundle with more than one.
"""

from typing import Any

from serve_app.checking.part import mapping, mappings, number
from serve_app.checking.problem import Problem, Problems

SIZES = (
    "tensor_parallel_size",
    "pipeline_parallel_size",
    "data_parallel_size",
    "prefill_context_parallel_size",
)
RESOURCES = {"CPU": ("num_cpus", 1.0), "GPU": ("num_gpus", 0.0)}


def placement_problems(deployment: dict[str, Any], vllm: dict[str, Any]) -> Problems:
    """What is wrong with the placement group of an engine whose arguments are `vllm`."""
    bundles = [bundle for _, bundle in mappings(deployment.get("placement_group_bundles"))]
    backend = vllm.get("distributed_executor_backend")
    options = mapping(deployment.get("ray_actor_options"))
    if bundles:
        yield from _replica_problems(bundles[0], options)
        yield from _bundle_problems(bundles, vllm)
    elif backend == "ray":
        message = "without placement_group_bundles vLLM reserves GPUs that Serve does not know of"
        yield Problem(("placement_group_bundles",), f"is missing: {message}")


def _replica_problems(bundle: dict[str, Any], options: dict[str, Any]) -> Problems:
    for resource, (option, default) in RESOURCES.items():
        needed, held = number(options.get(option), default), number(bundle.get(resource), 0)
        if held < needed:
            message = f"holds {held:g} {resource}; the replica sits in it and takes {needed:g}"
            yield Problem(("placement_group_bundles", 0), f"{message} (ray_actor_options.{option})")
    if number(options.get("num_gpus"), 0) > 0:
        message = "must be 0: the GPUs of the bundles are for the engine's ranks"
        yield Problem(("ray_actor_options", "num_gpus"), message)


def _bundle_problems(bundles: list[dict[str, Any]], vllm: dict[str, Any]) -> Problems:
    gpus = [number(bundle.get("GPU"), 0) for bundle in bundles]
    for index, amount in enumerate(gpus):
        if amount > 1:
            message = f"{amount:g} GPUs: a bundle holds one rank; write {amount:g} times {{GPU: 1}}"
            yield Problem(("placement_group_bundles", index), message)
    if not any(gpus):
        return
    ranks, backend = _ranks(vllm), vllm.get("distributed_executor_backend")
    if sum(gpus) < ranks:
        sizes = "tensor × pipeline × data parallel size"
        message = f"{sum(gpus):g} GPU bundles for {ranks:g} ranks ({sizes})"
        yield Problem(("placement_group_bundles",), message)
    if str(backend) in {"mp", "uni"} or (backend is None and ranks == 1):
        message = "only args.vllm.distributed_executor_backend: ray puts ranks into bundles"
        yield Problem(("placement_group_bundles",), message)


def _ranks(vllm: dict[str, Any]) -> float:
    ranks = 1.0
    for size in SIZES:
        ranks *= number(vllm.get(size), 1)
    return ranks
