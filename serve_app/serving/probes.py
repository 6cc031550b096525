"""Facts from every node that a replica's placement group lies on.

This node answers itself. Each other one is asked by a task in one of its bundles, all at
once; one that does not answer in time is left out, and that is said.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from serve_app.core.preflight.node import NodeFacts
from serve_app.probing.gpus import of_ids
from serve_app.probing.probe import Probe
from serve_app.serving.placed import Placed


def gather(probe: Probe, placed: Placed, *, ranks: int, timeout_s: float) -> list[NodeFacts]:
    """The facts of each node, this one first. Blocks. `ranks` is of the whole engine."""
    on = _ranks_on(placed, ranks)
    here, *others = placed.nodes
    elsewhere = replace(probe, ports={})  # the front end is here
    asked = [
        _task(placed, node).remote(elsewhere, placed.addresses[node], on[node]) for node in others
    ]
    own = probe.facts(placed.addresses[here], on[here])
    answered, _ = ray.wait(asked, num_returns=len(asked), timeout=timeout_s) if asked else ([], [])
    facts = [own]
    for node, question in zip(others, asked, strict=True):
        why = f"{timeout_s:g} s were not enough"
        facts.append(_answer(question, placed.addresses[node], why, is_there=question in answered))
    return [
        _with_own_gpus(found, placed, node, timeout_s)
        for found, node in zip(facts, placed.nodes, strict=True)
    ]


def _ranks_on(placed: Placed, ranks: int) -> Counter[str]:
    return Counter(placed.spread.rank_nodes[:ranks] if placed.group else [placed.here] * ranks)


@ray.remote(num_cpus=0, max_retries=0)
def _facts(probe: Probe, address: str, ranks: int) -> NodeFacts:
    return probe.facts(address, ranks)


@ray.remote(num_cpus=0, num_gpus=1, max_retries=0)
def _gpu() -> list[str]:
    return [str(one) for one in ray.get_gpu_ids()]


def _task(placed: Placed, node: str) -> ray.remote_function.RemoteFunction:
    """In the first bundle of a node: it is there that it is wanted, and it takes nothing."""
    return _facts.options(scheduling_strategy=_in_bundle(placed, placed.lies_on.index(node)))


def _in_bundle(placed: Placed, index: int) -> PlacementGroupSchedulingStrategy:
    return PlacementGroupSchedulingStrategy(
        placed.group, placement_group_bundle_index=index, placement_group_capture_child_tasks=False
    )


def _answer(question: ray.ObjectRef, address: str, why: str, *, is_there: bool) -> NodeFacts:
    if is_there:
        try:
            facts: NodeFacts = ray.get(question)
            return facts
        except RayError as error:
            why = str(error).strip().splitlines()[-1]
    else:
        ray.cancel(question, force=True)
    return NodeFacts(address, skipped=(f"{address}: all checks, for it did not answer: {why}",))


def _with_own_gpus(facts: NodeFacts, placed: Placed, node: str, timeout_s: float) -> NodeFacts:
    """Without the GPUs that others have. Ray tells whose is whose only to who holds them, so
    that a bundle has to be asked, where a node is shared."""
    indices = placed.indices(node)
    if placed.group is not None and len(facts.gpus) <= len(indices):
        return facts
    try:
        ids = _ids(placed, indices, timeout_s)
    except RayError as error:
        return _without_gpus(facts, type(error).__name__)
    own = of_ids(facts.gpus, ids)
    if len(own) < len(ids):  # slices of GPUs, or GPUs by other names than numbers
        return _without_gpus(facts, ", ".join(ids))
    return replace(facts, gpus=own)


def _ids(placed: Placed, indices: Sequence[int], timeout_s: float) -> list[str]:
    if placed.group is None:
        return [str(one) for one in ray.get_gpu_ids()]
    asked = [_gpu.options(scheduling_strategy=_in_bundle(placed, i)).remote() for i in indices]
    return [one for some in ray.get(asked, timeout=timeout_s) for one in some]


def _without_gpus(facts: NodeFacts, why: str) -> NodeFacts:
    said = f"{facts.address}: GPU checks, for which GPUs are ours is not known ({why})"
    return replace(facts, gpus=(), skipped=(*facts.skipped, said))
