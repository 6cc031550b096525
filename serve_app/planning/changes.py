"""The nearest change that makes a checkpoint possible: to the settings, the nodes, the GPUs."""

import math
from collections.abc import Iterator
from dataclasses import replace

from serve_app.core.layout import Hardware
from serve_app.planning.gpus import ROWS
from serve_app.planning.option import Option, options
from serve_app.planning.question import Question
from serve_app.planning.ranking import ranked

MOST_NODES = 8
SHORTEST_CONTEXT = 2048


def changes(question: Question, miss: Option) -> list[str]:
    """In the order in which they cost little; `miss` is the option that lacks the least."""
    found = [*_context(miss), *_load(question, miss), *_nodes(question), *_gpus(question)]
    return found or ["none in the table of GPUs: a smaller format or model might fit"]


def _context(miss: Option) -> Iterator[str]:
    """A shorter context, where only the KV cache is too small."""
    memory = miss.memory
    fits = memory.kv_tokens // memory.data
    if memory.missing and fits >= SHORTEST_CONTEXT:
        yield f"--context {fits // 1024 * 1024}: as much fits with {miss.candidate.layout}"


def _load(question: Question, miss: Option) -> Iterator[str]:
    """Fewer requests, or more time, where it fits and is only too slow."""
    if not (miss.memory.fits and miss.is_supported):
        return
    if question.concurrency:
        fewer = _first(replace(question, concurrency=None), question.hardware)
        if fewer:
            at_once = fewer.speed.sequences * fewer.replicas
            yield f"--concurrency {at_once}: met by {fewer.candidate.layout} × {fewer.replicas}"
    wanted, found, layout = question.objectives, miss.speed, miss.candidate.layout
    if found.sequences < question.sequences(miss.replicas) < math.inf:
        return
    ttft_s = max(wanted.ttft_s, math.ceil(found.ttft_s * 1e3) / 1e3)
    tpot_ms = max(wanted.tpot_s * 1e3, math.ceil(found.tpot_s * 1e3))
    yield f"--slo ttft={ttft_s:g}s,tpot={tpot_ms:g}ms: met by {layout}"


def _nodes(question: Question) -> Iterator[str]:
    hardware = question.hardware
    for nodes in range(hardware.nodes + 1, MOST_NODES + 1):
        if found := _first(question, replace(hardware, nodes=nodes)):
            per_node = f"{hardware.gpus_per_node}x{hardware.gpu.name}"
            yield f"--on {nodes}x{per_node}: fits as {found.candidate.layout}"
            return


def _gpus(question: Question) -> Iterator[str]:
    """The GPU with the least memory that is enough, in the same number."""
    for row in sorted(ROWS, key=lambda row: row.gpu.memory_bytes):
        nodes, per_node = question.hardware.nodes, question.hardware.gpus_per_node
        hardware = Hardware(row.gpu, nodes, per_node, row.network_bytes_per_s)
        if row.gpu is not question.hardware.gpu and (found := _first(question, hardware)):
            count = f"{nodes}x{per_node}" if nodes > 1 else f"{per_node}"
            yield f"--on {count}x{row.gpu.name}: fits as {found.candidate.layout}"
            return


def _first(question: Question, hardware: Hardware) -> Option | None:
    """The best option of the checkpoint that was asked for, on other hardware."""
    own = replace(question.model, offers=question.model.offers[:1])
    asked = replace(question, model=own, hardware=hardware)
    found = ranked(options(asked))
    return found[0] if found else None
