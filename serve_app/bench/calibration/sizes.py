"""How much an endpoint holds, and decides on ahead: as it says itself, or the command line says.

Read from `/metrics`, the exposition format of Prometheus. Our gateway has all four numbers of each
replica; vLLM has the KV cache's blocks and their size.
"""

import re
from collections.abc import Mapping

from serve_app.bench.calibration.asked import Given
from serve_app.bench.errors import BenchError
from serve_app.calibration.document import Sizes

_LABEL = re.compile(r'(\w+)="([^"]*)"')
_OURS = ("kv_tokens", "max_num_seqs", "max_num_batched_tokens", "steps_ahead")
_LEAST = {"steps_ahead": 0}  # of the others 1: there 0 is unknown


def sizes(metrics: str, given: Given) -> Sizes:
    """What is given goes before what is said; what neither says is a `BenchError`."""
    said = reported(metrics)
    found = {**said, **{name: n for name in _OURS if (n := getattr(given, name)) is not None}}
    unknown = [name for name in _OURS if found.get(name, -1) < _LEAST.get(name, 1)]
    missing = [f"--{name.replace('_', '-')}" for name in unknown]
    if missing:
        raise BenchError(
            f"the endpoint does not say how much it holds: add {', '.join(missing)}, as its engine "
            "prints at its start"
        )
    return Sizes(*(found[name] for name in _OURS))


def reported(metrics: str) -> Mapping[str, int]:
    """Sizes by name, those that are there, of the first replica."""
    found: dict[str, int] = {}
    for line in metrics.splitlines():
        name, _, rest = line.partition("{")
        if name == "vllm:cache_config_info":
            found |= _of_vllm(dict(_LABEL.findall(rest)))
        elif name.removeprefix("engine_") in _OURS:
            found.setdefault(name.removeprefix("engine_"), int(float(rest.rpartition(" ")[2])))
    return found


def _of_vllm(labels: Mapping[str, str]) -> dict[str, int]:
    """vLLM's own count of tokens where it has one: not all layers of all models use a block."""
    if (tokens := labels.get("kv_cache_size_tokens", "")).isdigit():
        return {"kv_tokens": int(tokens)}
    blocks, size = labels.get("num_gpu_blocks", ""), labels.get("block_size", "")
    return {"kv_tokens": int(blocks) * int(size)} if blocks.isdigit() and size.isdigit() else {}
