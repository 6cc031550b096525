"""What a replica makes sure of before it loads: facts of its nodes, judged by `core.preflight`."""

import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any

from serve_app.config import EngineArgs
from serve_app.core.layout import Gpu, Hardware
from serve_app.core.preflight.context import context_findings, told_findings
from serve_app.core.preflight.finding import Finding, Findings, Verdict, verdict
from serve_app.core.preflight.gpus import count_findings, memory_findings
from serve_app.core.preflight.node import NodeFacts
from serve_app.core.preflight.room import (
    checkpoint_findings,
    disk_findings,
    port_findings,
    shared_memory_findings,
)
from serve_app.core.preflight.spread import spread_findings
from serve_app.core.preflight.support import support_findings
from serve_app.core.preflight.versions import version_findings
from serve_app.engine import needs
from serve_app.engine.vllm_models import SUPPORTED
from serve_app.errors import NotReady
from serve_app.models import ModelError, cache, checkpoint
from serve_app.planning.candidate import candidate_of
from serve_app.planning.errors import PlanError
from serve_app.planning.model import of_config
from serve_app.probing.disks import written
from serve_app.probing.probe import Probe
from serve_app.serving.placed import Placed, placed
from serve_app.serving.probes import gather

logger = logging.getLogger("ray.serve")

AGAIN_S = 1.0
# Arguments with which the memory of a GPU is not all that counts.
UNPLANNED = ("cpu_offload_gb", "offload_group_size")


def require_ready(args: EngineArgs, group: Any) -> None:
    """Raise `NotReady` when an engine with `args` would not start, or not well, in the placement
    group of this replica (None: it has none). Blocks, for a second or two at most while all is
    well."""
    started = time.monotonic()
    at = placed(group)
    found = _verdict(args, at)
    while _may_settle(found) and time.monotonic() - started < args.preflight.settle_s:
        time.sleep(AGAIN_S)
        found = _verdict(args, at)
    for finding in found.warnings:
        logger.warning("preflight: %s", finding.message)
    for said in found.skipped:
        logger.info("preflight did not check %s", said)
    if found.fatal:
        raise NotReady(f"{args.names[0]} was not loaded: {found.message}")
    took_s = time.monotonic() - started
    logger.info("preflight passed in %.2f s on %d node(s)", took_s, len(at.nodes))


def _verdict(args: EngineArgs, at: Placed) -> Verdict:
    skipped: list[str] = []
    findings = list(_spread(args, at))
    if args.kind == "vllm":
        nodes = _facts(args, at)
        skipped += [said for node in nodes for said in node.skipped]
        findings += _of_nodes(args, nodes)
        findings += _of_model(args, nodes, skipped)
    return verdict(findings, warn_only=args.preflight.warn_only, skipped=skipped)


def _may_settle(found: Verdict) -> bool:
    """Memory of what was killed a moment ago is free a moment later; nothing else is."""
    return {finding.check for finding in found.fatal} == {"gpu_memory"}


def _spread(args: EngineArgs, at: Placed) -> Findings:
    """A single bundle lies where it lies."""
    if at.group is None:
        return iter(())
    return spread_findings(
        at.spread,
        tensor=needs.tensor(args.vllm),
        ranks=needs.ranks(args.vllm),
        expected=args.preflight.nodes,
        names=at.addresses,
    )


def _facts(args: EngineArgs, at: Placed) -> list[NodeFacts]:
    probe = Probe(
        model=args.model,
        has_weights=needs.has_weights(args.vllm),
        written=written(),
        ports=needs.ports(args.vllm),
    )
    ranks, timeout_s = needs.ranks(args.vllm), args.preflight.probe_timeout_s
    return gather(probe, at, ranks=ranks, timeout_s=timeout_s)


def _of_nodes(args: EngineArgs, nodes: list[NodeFacts]) -> Iterator[Finding]:
    yield from checkpoint_findings(nodes)
    yield from version_findings([node for node in nodes if node.versions])
    yield from count_findings(nodes)
    yield from memory_findings(nodes, needs.utilization(args.vllm))
    yield from shared_memory_findings(nodes)
    yield from disk_findings(nodes, args.preflight.free_disk_gb * 1e9)
    yield from port_findings(nodes)


def _of_model(args: EngineArgs, nodes: list[NodeFacts], skipped: list[str]) -> Findings:
    """What its config.json on this node says, against vLLM and the GPUs."""
    try:
        own = checkpoint.config(cache.locate(args.model))
    except ModelError:
        return  # which the checkpoint's findings say already
    config = needs.changed(own, args.vllm)
    if nodes[0].versions.get("vLLM") == SUPPORTED.version:
        yield from support_findings(needs.asked(config, args.vllm), SUPPORTED, nodes)
    else:
        skipped.append(f"support: known is what vLLM {SUPPORTED.version} has")
    yield from _context(args, config, nodes, skipped)


def _context(
    args: EngineArgs, config: Mapping[str, Any], nodes: list[NodeFacts], skipped: list[str]
) -> Findings:
    """On the smallest GPU found, or in the cache that the arguments ask for."""
    gpus = [gpu for node in nodes for gpu in node.gpus]
    told = args.vllm.get("kv_cache_memory_bytes")
    if not (gpus or told) or _is_unplanned(args.vllm, config):
        skipped.append("context: no plan is made of these arguments on these nodes")
        return
    least = min(gpus, key=lambda gpu: gpu.total_bytes, default=None)
    name, memory_bytes = (least.name, least.total_bytes) if least else ("CPU", 0)
    gpu = Gpu(name, memory_bytes, 0, 0, 0, 0, 0)
    try:
        model = of_config(config, args.model)
        hardware = Hardware(gpu, 1, needs.ranks(args.vllm), 0)
        candidate = candidate_of(model, args.vllm, hardware)
    except PlanError as error:
        skipped.append(f"context: {error}")
        return
    yield from told_findings(candidate, told) if told else context_findings(candidate)


def _is_unplanned(vllm: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Where vLLM chooses the length, or the cache holds less than every token."""
    length = vllm.get("max_model_len")
    chooses = length is not None and not (isinstance(length, int) and length > 0)
    slides = config.get("sliding_window") and config.get("model_type") != "deepseek_v4"
    return chooses or bool(slides) or any(vllm.get(name) for name in UNPLANNED)
