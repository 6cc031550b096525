"""Checkpoint, disk, shared memory, ports."""

import pytest

from serve_app.core.preflight.node import Disk, NodeFacts
from serve_app.core.preflight.room import (
    checkpoint_findings,
    disk_findings,
    port_findings,
    shared_memory_findings,
)

GB, MIB = 10**9, 1 << 20


def test_a_checkpoint_that_lacks_something_is_named_with_its_node() -> None:
    nodes = [NodeFacts("10.0.0.1"), NodeFacts("10.0.0.2", checkpoint="a shard is missing")]

    assert [f.message for f in checkpoint_findings(nodes)] == ["10.0.0.2: a shard is missing"]


@pytest.mark.parametrize(
    ("disk", "sentence"),
    [
        (Disk("cache", "/c", GB, is_writable=True), None),
        (Disk("cache", "/c", 0, is_writable=False), "/c (cache) cannot be written to"),
        (Disk("cache", "/c", GB - 1, is_writable=True), "preflight.free_disk_gb wants 1"),
        (Disk("cache", "/c", 10**7, is_writable=True), "/c (cache) has 0.01 GB free"),
    ],
)
def test_disks(disk: Disk, sentence: str | None) -> None:
    found = [f.message for f in disk_findings([NodeFacts("10.0.0.1", disks=(disk,))], 1e9)]

    assert [sentence in message for message in found] == [True] * (sentence is not None)


@pytest.mark.parametrize(
    ("free", "ranks", "is_fatal", "why"),
    [
        (64 * MIB, [1], None, "one rank has no queues"),
        (None, [2], None, "it could not be asked for"),
        (8 * 240 * MIB + 160 * MIB, [8], None, "all queues fit, full"),
        (8 * 240 * MIB, [8], False, "not all of them full"),
        (64 * MIB, [8], True, "what a container has when nobody says more"),
        (64 * MIB, [1, 1], True, "two ranks on two nodes"),
    ],
)
def test_shared_memory(free: int | None, ranks: list[int], is_fatal: bool | None, why: str) -> None:
    nodes = [NodeFacts("10.0.0.1", ranks=count, shared_memory_bytes=free) for count in ranks]
    found = list(shared_memory_findings(nodes))

    wanted = [] if is_fatal is None else [is_fatal] * len(ranks)
    assert [finding.is_fatal for finding in found] == wanted, why
    assert all("--shm-size" in finding.message for finding in found)


def test_a_port_in_use_is_named_with_what_fixes_it() -> None:
    [found] = port_findings([NodeFacts("10.0.0.1", busy_ports={"kv_port": 14579})])

    assert found.message == ("10.0.0.1: port 14579 is in use: change kv_port, or stop who has it")
