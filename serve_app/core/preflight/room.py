"""What else a node must have: the checkpoint, disk, shared memory, free ports."""

from collections.abc import Iterable

from serve_app.core.preflight.finding import Finding, Findings
from serve_app.core.preflight.node import NodeFacts

# vLLM's queues between the processes of a node are rings of ten chunks, of which each can be filled
# (distributed/device_communicators/shm_broadcast.py; v1/executor/ray_executor_v2.py): one from the
# engine, one from each rank beside it.
QUEUE_BYTES = 10 * (16 << 20)
ANSWER_BYTES = 10 * (24 << 20)
# What a container has when nobody says more. A single queue would not fit.
TOO_LITTLE_BYTES = 64 << 20


def checkpoint_findings(nodes: Iterable[NodeFacts]) -> Findings:
    """Nodes on which the model is not whole."""
    for node in nodes:
        if node.checkpoint:
            yield Finding("checkpoint", f"{node.address}: {node.checkpoint}")


def disk_findings(nodes: Iterable[NodeFacts], needed_bytes: float) -> Findings:
    """Folders that cannot be written to, or whose disks are all but full."""
    for node in nodes:
        for disk in node.disks:
            where = f"{node.address}: {disk.path} ({disk.purpose})"
            if not disk.is_writable:
                message = f"{where} cannot be written to: change its owner, or name another folder"
                yield Finding("disk", message)
            elif disk.free_bytes < needed_bytes:
                message = (
                    f"{where} has {disk.free_bytes / 1e9:.2f} GB free, and "
                    f"preflight.free_disk_gb wants {needed_bytes / 1e9:g}: make room, or name "
                    "another folder"
                )
                yield Finding("disk", message)


def shared_memory_findings(nodes: Iterable[NodeFacts]) -> Findings:
    """Nodes whose /dev/shm cannot hold the queues between engine and ranks, were they full; fatal
    where it is hopeless. An engine of one rank has none."""
    nodes = list(nodes)
    if sum(node.ranks for node in nodes) < 2:
        return
    for node in nodes:
        free, full = node.shared_memory_bytes, QUEUE_BYTES + node.ranks * ANSWER_BYTES
        if free is not None and free < full:
            message = (
                f"{node.address}: /dev/shm has {free / 1e6:.0f} MB free, and the queues of "
                f"{node.ranks} ranks take up to {full / 1e6:.0f} MB: give the container more "
                "(--shm-size, or an emptyDir of medium Memory), or remove what is in it"
            )
            yield Finding("shared_memory", message, is_fatal=free <= TOO_LITTLE_BYTES)


def port_findings(nodes: Iterable[NodeFacts]) -> Findings:
    """Ports that the configuration fixes and somebody else has."""
    for node in nodes:
        for setting, port in node.busy_ports.items():
            message = f"{node.address}: port {port} is in use: change {setting}, or stop who has it"
            yield Finding("ports", message)
