"""The command: look at every node, download at most once, copy, check, and say what became."""

import sys
import time
from collections.abc import Mapping
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from serve_app.models.cache import is_path, place, root
from serve_app.models.errors import ModelError
from serve_app.models.meter import metered
from serve_app.prefetch.copying import Copy, why
from serve_app.prefetch.holder import Entry, Holder
from serve_app.prefetch.spread import Found, Spread, decide
from serve_app.serving.nodes import connect

POLL_S = 0.5
THREADS = 16  # of one holder: pieces that are written, files that are hashed


def prefetch(name: str, *, to: str | None, all_nodes: bool, verify: bool) -> int:
    """Bring `name` to every node with a GPU, or to all nodes; returns the exit status."""
    try:
        _require_name(name)
        connect()
        holders = _holders(_nodes(all_nodes=all_nodes), name, to)
        work = _Prefetch(name, holders)
        work.run(verify=verify)
    except (ModelError, ConnectionError) as error:
        print(f"serve-app: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nserve-app: stopped; the same command goes on from there", file=sys.stderr)
        return 130
    return 1 if work.failed else 0


def _require_name(name: str) -> None:
    """Before a cluster is asked; raises `ModelError`."""
    if is_path(name):
        raise ModelError(f"{name} is a folder; give a name or a Hugging Face id")
    place(name, root())


def _nodes(*, all_nodes: bool) -> dict[str, str]:
    """Ids of the nodes that are to have it, by a name for each that people know."""
    alive = [node for node in ray.nodes() if node["Alive"]]
    with_gpus = [node for node in alive if node["Resources"].get("GPU")]
    chosen = alive if all_nodes or not with_gpus else with_gpus
    return {node["NodeManagerAddress"]: node["NodeID"] for node in chosen}


def _holders(nodes: Mapping[str, str], name: str, to: str | None) -> dict[str, Any]:
    actor = ray.remote(num_cpus=0, max_concurrency=THREADS)(Holder)
    return {
        address: actor.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False)
        ).remote(name, to)
        for address, node_id in nodes.items()
    }


class _Prefetch:
    """One model on the nodes of `holders`. What became of each is in `said`; `failed` has those
    that lack it."""

    def __init__(self, name: str, holders: Mapping[str, Any]) -> None:
        self.said: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        self._name = name
        self._holders = holders

    def run(self, *, verify: bool) -> None:
        """Do what `decide` says."""
        found = self._look()
        if not found:
            raise ModelError("; ".join(f"{node}: {why}" for node, why in self.failed.items()))
        spread = decide(found)
        self.said |= dict.fromkeys((spread.source, *spread.holders), "has it")
        if spread.downloads:
            self._download(spread.source)
        entries: list[Entry] = ray.get(self._holders[spread.source].entries.remote())
        self._copy(spread, entries)
        if verify:
            self._verify(spread, entries)
        for node, other in spread.sharers:
            self.said[node] = f"shares the disk of {other}"
            if other in self.failed:
                self.failed[node] = self.said[node]
        self._report(sum(entry.size_bytes for entry in entries))

    def _look(self) -> list[Found]:
        """What each node has; the signs of all are there before anybody looks for them."""
        self._ask("sign")
        disks = self._ask("signs")
        looks = self._ask("look")
        return [Found(node, disks[node], *look) for node, look in looks.items()]

    def _ask(self, method: str) -> dict[str, Any]:
        """Of all that have not failed; who raises has."""
        asked = {
            node: getattr(holder, method).remote()
            for node, holder in self._holders.items()
            if node not in self.failed
        }
        return self._answers(asked)

    def _answers(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        answers = {}
        for node, answer in asked.items():
            try:
                answers[node] = ray.get(answer)
            except RayError as error:
                self.failed.setdefault(node, why(error))
        return answers

    def _download(self, node: str) -> None:
        """How much there is of it is known only there, so that progress is bytes and seconds."""
        holder = self._holders[node]
        running = holder.download.remote()
        began = time.monotonic()
        while not ray.wait([running], timeout=POLL_S)[0]:
            here = ray.get(holder.bytes_here.remote()) / 1e9
            passed_s = time.monotonic() - began
            print(f"\r{node} downloads: {here:.1f} GB, {passed_s:.0f} s", end="", file=sys.stderr)
        print(file=sys.stderr)
        try:
            ray.get(running)
        except RayError as error:
            raise ModelError(f"{node}: {why(error)}") from error
        self.said[node] = "downloaded"

    def _copy(self, spread: Spread, entries: list[Entry]) -> None:
        targets = {node: self._holders[node] for node in spread.targets}
        if not targets:
            return
        total = sum(entry.size_bytes for entry in entries) * len(targets)
        with metered(f"Copying {self._name} from {spread.source}", total) as meter:
            copy = Copy(self._holders[spread.source], targets, meter)
            copy.run(entries)
        self.failed |= copy.failed
        self.said |= dict.fromkeys(targets, f"copied from {spread.source}, hashes agree")

    def _verify(self, spread: Spread, entries: list[Entry]) -> None:
        """What was there already: the source against the hub, the others against the source."""
        there = (*spread.holders, *(() if spread.downloads else (spread.source,)))
        if spread.source in there:
            hub = self._answers({spread.source: self._holders[spread.source].hub_says.remote()})
            self.said[spread.source] += f", {hub.get(spread.source, '')}"
        if not spread.holders:
            return
        total = sum(entry.size_bytes for entry in entries)
        with metered("Checking hashes", total) as meter:
            for entry in entries:
                self._compare(entry, spread)
                meter.update(entry.size_bytes)
        self.said |= dict.fromkeys(spread.holders, f"has it, as {spread.source} does")

    def _compare(self, entry: Entry, spread: Spread) -> None:
        both = (spread.source, *spread.holders)
        hashes = self._answers({n: self._holders[n].sha256.remote(entry.path) for n in both})
        for node in spread.holders:
            if node in hashes and hashes[node] != hashes.get(spread.source):
                self.failed.setdefault(node, f"{entry.path} is not as on {spread.source}")

    def _report(self, size_bytes: int) -> None:
        print(f"{self._name}, {size_bytes / 1e9:.1f} GB")
        for node, words in sorted((self.said | self.failed).items()):
            print(f"  {node}  {'FAILED: ' if node in self.failed else ''}{words}")
