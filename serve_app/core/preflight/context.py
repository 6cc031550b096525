"""Whether one sequence of max_model_len fits into what is left of the GPUs beside the weights.

vLLM finds out when the weights are loaded. The plan's estimate is not exact: a model is refused
where even its weights and one sequence are too much, and warned of where the estimates of
activations, graphs and buffers make the difference.
"""

from serve_app.core.layout import Candidate
from serve_app.core.memory import Footprint, footprint
from serve_app.core.preflight.finding import Finding, Findings


def context_findings(candidate: Candidate, *, kv_bytes: float | None = None) -> Findings:
    """`kv_bytes` is what vLLM was told to take for the cache of a GPU (kv_cache_memory_bytes)."""
    memory = footprint(candidate)
    sequence = memory.sequence_bytes(candidate.settings.max_model_len)
    weights = memory.weights.total
    sure = kv_bytes if kv_bytes is not None else memory.usable - weights
    planned = kv_bytes if kv_bytes is not None else memory.kv
    if sequence > planned:
        is_sure = sequence > sure
        room = sure if is_sure else planned
        yield Finding("context", _message(candidate, memory, room, is_sure=is_sure), is_sure)


def _message(candidate: Candidate, memory: Footprint, room: float, *, is_sure: bool) -> str:
    length, gpu = candidate.settings.max_model_len, candidate.hardware.gpu
    sequence = memory.sequence_bytes(length)
    fitting = memory.tokens_in(room)
    how = "leave at most" if is_sure else "leave by estimate"
    said = (
        f"max_model_len {length}: one such sequence takes {sequence / 1e9:.2f} GB of KV cache on "
        f"each GPU; {memory.weights.total / 1e9:.1f} GB of weights of {memory.usable / 1e9:.1f} "
        f"usable GB ({gpu.name}) {how} {max(0.0, room) / 1e9:.2f} GB"
    )
    return f"{said}: {_advice(fitting)}"


def _advice(fitting: int) -> str:
    if fitting > 0:
        return f"set max_model_len to {fitting} or less, or use more GPUs"
    return "use more GPUs or a smaller checkpoint; `serve-app plan` says which"
