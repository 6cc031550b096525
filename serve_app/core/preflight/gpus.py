"""Whether the GPUs have the memory, and the abilities, that an engine asks for.

vLLM refuses to start when a GPU has less free than gpu_memory_utilization × all of its memory
(vllm/v1/worker/utils.py, request_memory); here that is known before its workers are.
"""

from collections.abc import Iterable, Sequence

from serve_app.core.preflight.finding import Finding, Findings
from serve_app.core.preflight.node import GpuFacts, NodeFacts

MOST_PROCESSES = 4  # named in a message


def memory_findings(nodes: Iterable[NodeFacts], utilization: float) -> Findings:
    """GPUs with less free memory than `utilization` of all of it."""
    for node in nodes:
        short = [gpu for gpu in node.gpus if gpu.free_bytes < utilization * gpu.total_bytes]
        if short:
            yield Finding("gpu_memory", _memory_message(node, short, utilization))


def _memory_message(node: NodeFacts, short: Sequence[GpuFacts], utilization: float) -> str:
    least = min(short, key=lambda gpu: gpu.free_bytes / gpu.total_bytes)
    room = int(100 * least.free_bytes / least.total_bytes) / 100
    return (
        f"{node.address}: GPU {least.index} ({least.name}) has {least.free_bytes / 1e9:.1f} of "
        f"{least.total_bytes / 1e9:.1f} GB free{_beside(short)}, and gpu_memory_utilization "
        f"{utilization:g} needs {utilization * least.total_bytes / 1e9:.1f} GB: "
        f"stop {_processes(least)}, or set it to {room:g}"
    )


def _beside(short: Sequence[GpuFacts]) -> str:
    return f" ({len(short)} GPUs of this node have too little)" if len(short) > 1 else ""


def _processes(gpu: GpuFacts) -> str:
    """Who holds its memory. In a container the driver tells nobody about the others."""
    if not gpu.processes:
        return "what holds the rest (nvidia-smi on that node tells, outside of any container)"
    largest = sorted(gpu.processes, key=lambda p: p.memory_bytes, reverse=True)
    named = ", ".join(str(process) for process in largest[:MOST_PROCESSES])
    more = len(largest) - MOST_PROCESSES
    return f"{named} and {more} more" if more > 0 else named


def count_findings(nodes: Iterable[NodeFacts]) -> Findings:
    """Nodes whose driver sees fewer GPUs than Ray gave out: `num_gpus` is only a word to Ray."""
    for node in nodes:
        if node.gpus and len(node.gpus) < node.ranks:
            message = (
                f"{node.address}: the driver shows {len(node.gpus)} GPUs, and {node.ranks} ranks "
                "are to run there: start Ray with the --num-gpus that the node has"
            )
            yield Finding("support", message)


def capability_findings(
    nodes: Iterable[NodeFacts], what: str, minimum: int, instead: str
) -> Findings:
    """GPUs whose compute capability is below the least that `what` runs on."""
    for node in nodes:
        for gpu in _distinct(node.gpus):
            if gpu.capability and gpu.capability < minimum:
                message = (
                    f"{node.address}: {what} needs compute capability {_dotted(minimum)}, and "
                    f"{gpu.name} has {_dotted(gpu.capability)}: {instead}"
                )
                yield Finding("support", message)


def _distinct(gpus: Sequence[GpuFacts]) -> list[GpuFacts]:
    return list({gpu.name: gpu for gpu in gpus}.values())


def _dotted(capability: int) -> str:
    return f"{capability // 10}.{capability % 10}"
