"""What this node says about itself."""

import os
import platform
import socket
from pathlib import Path

import pytest

from serve_app.probing import gpus
from serve_app.probing.disks import disk, shared_memory, written
from serve_app.probing.ports import is_busy
from serve_app.probing.probe import Probe
from tests.models import tiny


def test_a_node_is_described(tmp_path: Path) -> None:
    model = tiny.write(tmp_path / "whole")
    probe = Probe(str(model), has_weights=True, written={"kernels": str(tmp_path)}, ports={})

    facts = probe.facts("10.0.0.1", ranks=2)

    assert (facts.address, facts.ranks, facts.checkpoint) == ("10.0.0.1", 2, "")
    assert facts.versions["Python"] == platform.python_version()
    assert facts.versions["Ray"]
    assert [one.path for one in facts.disks] == [str(tmp_path)]
    assert facts.shared_memory_bytes == pytest.approx(shared_memory(), rel=0.2)


def test_a_broken_model_and_a_busy_port_are_found(tmp_path: Path) -> None:
    model = tiny.write(tmp_path / "broken")
    (model / "model.safetensors").write_bytes(b"")
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        facts = Probe(str(model), True, {}, {"a knob": port}).facts("here", 1)
        assert is_busy(port)

    assert "model.safetensors has 0 bytes of 8" in facts.checkpoint
    assert facts.busy_ports == {"a knob": port}
    assert not is_busy(port)


def test_a_port_that_may_not_be_asked_for_is_not_called_busy() -> None:
    assert not is_busy(0)


def test_a_folder_that_is_not_there_yet_has_the_room_of_its_parent(tmp_path: Path) -> None:
    found = disk("kernels", str(tmp_path / "not" / "yet"))

    assert found.is_writable
    assert found.free_bytes == pytest.approx(disk("kernels", str(tmp_path)).free_bytes, rel=0.1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_of_somebody_else_cannot_be_written_to() -> None:
    assert not disk("kernels", "/proc/1").is_writable


def test_folders_are_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VLLM_CACHE_ROOT", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert "/cache/vllm" in written().values()
    monkeypatch.setenv("VLLM_CACHE_ROOT", "/fast")
    assert "/fast" in written().values()


@pytest.mark.skipif(any(gpus.DEVICES.glob("nvidia[0-9]*")), reason="this machine has GPUs")
def test_a_machine_without_gpus_has_none_and_lacks_nothing() -> None:
    assert gpus.gpus() == ((), "", "")
