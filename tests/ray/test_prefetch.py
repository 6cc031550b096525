"""`serve-app models prefetch` on two nodes, each with a cache of its own, and a hub between."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from serve_app.prefetch.copying import PIECE_BYTES
from tests.models import tiny
from tests.models.hub_server import REPO, Hub, serving
from tests.ray.serve_run import BIN
from tests.ray.two_nodes import ADDRESSES, TwoNodes, two_nodes

pytestmark = pytest.mark.ray

WEIGHTS = "model.safetensors"
FILES = tiny.CHECKPOINT | {WEIGHTS: tiny.safetensors(b"\1" * (PIECE_BYTES + 1000))}


@dataclass(frozen=True)
class Nodes:
    """A cluster whose nodes find their models in different folders, by address."""

    cluster: TwoNodes
    hub: Hub
    caches: dict[str, Path]

    def prefetch(self, *words: str) -> tuple[int, str]:
        """Exit status, and what was printed for people."""
        command = [BIN / "serve-app", "models", "prefetch", REPO, *words]
        said = subprocess.run(
            command,
            env=self.cluster.environment,
            cwd=self.cluster.folder,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert said.returncode in {0, 1}, said.stderr
        return said.returncode, said.stdout or said.stderr

    def downloads(self) -> list[str]:
        """Files that the hub was asked for since the last time."""
        asked = [name for name, _ in self.hub.asked if name in FILES]
        self.hub.asked.clear()
        return sorted(asked)


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with serving(FILES) as hub, two_nodes() as cluster:
        cluster.environment |= {"HF_ENDPOINT": hub.endpoint, "HF_HUB_OFFLINE": "0"}
        caches = {address: cluster.folder / f"models-{address}" for address in ADDRESSES}
        cluster.start_nodes(cpus=1, models=caches)
        yield Nodes(cluster, hub, caches)


def content(cache: Path) -> dict[str, bytes]:
    folder = cache / REPO
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_one_node_downloads_and_the_other_gets_it_from_there(nodes: Nodes) -> None:
    status, said = nodes.prefetch()

    assert status == 0, said
    assert [content(cache) for cache in nodes.caches.values()] == [FILES, FILES]
    assert nodes.downloads() == sorted(FILES)
    assert "downloaded" in said
    assert "hashes agree" in said
    assert not any((cache / ".partial" / REPO).exists() for cache in nodes.caches.values())


def test_what_is_there_is_not_brought_again_and_can_be_compared_with_the_hub(nodes: Nodes) -> None:
    status, said = nodes.prefetch("--verify")

    assert status == 0, said
    assert nodes.downloads() == []
    assert "hashes as the hub lists them" in said


def test_a_copy_that_was_stopped_goes_on_with_the_files_that_it_lacks(nodes: Nodes) -> None:
    cache = nodes.caches[ADDRESSES[1]]
    staging = cache / ".partial" / REPO / "model"
    staging.parent.mkdir(parents=True)
    (cache / REPO).rename(staging)
    (staging / WEIGHTS).rename(staging / f"{WEIGHTS}.part")
    kept = (staging / "config.json").stat().st_mtime_ns

    status, said = nodes.prefetch()

    assert status == 0, said
    assert content(cache) == FILES
    assert (cache / REPO / "config.json").stat().st_mtime_ns == kept


def test_a_changed_file_is_found_when_hashes_are_asked_for(nodes: Nodes) -> None:
    file = nodes.caches[ADDRESSES[1]] / REPO / WEIGHTS
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"\7")

    sizes, _ = nodes.prefetch()
    hashes, said = nodes.prefetch("--verify")
    file.write_bytes(whole)

    assert (sizes, hashes) == (0, 1)
    assert "FAILED" in said


def test_nodes_that_share_a_disk_are_given_it_once(nodes: Nodes, tmp_path: Path) -> None:
    status, said = nodes.prefetch("--to", str(tmp_path))

    assert status == 0, said
    assert content(tmp_path) == FILES
    assert nodes.downloads() == sorted(FILES)
    assert "shares the disk of" in said


def test_a_node_that_cannot_take_it_keeps_no_other_from_it(nodes: Nodes) -> None:
    cache = nodes.caches[ADDRESSES[1]]
    aside = cache.with_name("aside")
    cache.rename(aside)
    cache.write_text("a file, no folder")

    status, said = nodes.prefetch()
    cache.unlink()
    aside.rename(cache)

    assert status == 1
    assert f"{ADDRESSES[1]}  FAILED" in said
    assert f"{ADDRESSES[0]}  has it" in said


def test_a_model_that_is_nowhere_is_named(nodes: Nodes) -> None:
    nodes.hub.refuses["/api"] = (404, "RepoNotFound")
    for cache in nodes.caches.values():
        (cache / REPO).rename(cache / "aside")

    status, said = nodes.prefetch()

    assert status == 1
    assert "There is no model org/tiny" in said
