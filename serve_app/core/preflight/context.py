"""Whether one sequence of max_model_len fits into what is left of the GPUs beside the weights.

vLLM finds out when the weights are loaded. The plan's estimate is not exact: a model is refused
where even its weights and one sequence are too much, and warned of where the estimates of
activations, graphs and buffers make the difference.
"""

from serve_app.core.layout import Candidate
from serve_app.core.memory import footprint
from serve_app.core.preflight.finding import Finding, Findings


def context_findings(candidate: Candidate) -> Findings:
    """The cache is what is left of each GPU."""
    memory, gpu = footprint(candidate), candidate.hardware.gpu
    sequence = memory.sequence_bytes(memory.max_model_len)
    most = memory.usable - memory.weights.total
    if sequence <= memory.kv:
        return
    is_sure = sequence > most
    room, leave = (most, "leave at most") if is_sure else (memory.kv, "leave, by estimate,")
    yield Finding(
        "context",
        f"{_takes(candidate, sequence)} on each GPU, and {memory.weights.total / 1e9:.1f} GB of "
        f"weights {leave} {max(0.0, room) / 1e9:.2f} of the {memory.usable / 1e9:.1f} GB that "
        f"vLLM may use of {gpu.name}: {_advice(memory.tokens_in(room))}",
        is_sure,
    )


def told_findings(candidate: Candidate, kv_bytes: float) -> Findings:
    """The cache is what vLLM was told to take for it (kv_cache_memory_bytes)."""
    memory = footprint(candidate)
    sequence = memory.sequence_bytes(memory.max_model_len)
    if sequence > kv_bytes:
        yield Finding(
            "context",
            f"{_takes(candidate, sequence)}, and kv_cache_memory_bytes is {kv_bytes / 1e9:.3g} "
            f"GB: give it more, or {_advice(memory.tokens_in(kv_bytes))}",
        )


def _takes(candidate: Candidate, sequence: float) -> str:
    length = candidate.settings.max_model_len
    return f"max_model_len {length}: one such sequence takes {sequence / 1e9:.3g} GB of KV cache"


def _advice(fitting: int) -> str:
    if fitting > 0:
        return f"set max_model_len to {fitting} or less"
    return "use more GPUs or a smaller checkpoint; `serve-app plan` says which"
