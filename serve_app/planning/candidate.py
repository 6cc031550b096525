"""What the `args` of an engine application come to on some hardware, as a `Candidate`."""

from collections.abc import Mapping
from typing import Any

from serve_app.core.layout import Candidate, Hardware, Layout, Settings
from serve_app.core.weights import FP8
from serve_app.planning.errors import PlanError
from serve_app.planning.model import Model, Offer
from serve_app.planning.option import MOST_SEQUENCES, chunk_tokens


def candidate_of(model: Model, vllm: Mapping[str, Any], hardware: Hardware) -> Candidate:
    """By vLLM's own names and defaults; raises `PlanError` where the GPUs are too few."""
    layout = Layout(
        tensor=vllm.get("tensor_parallel_size") or 1,
        pipeline=vllm.get("pipeline_parallel_size") or 1,
        data=vllm.get("data_parallel_size") or 1,
        decode_context=vllm.get("decode_context_parallel_size") or 1,
    )
    if layout.gpus > hardware.gpus:
        raise PlanError(f"{layout} takes {layout.gpus} GPUs, and there are {hardware.gpus}")
    settings = Settings(
        max_model_len=_length(vllm.get("max_model_len"), model),
        max_num_seqs=vllm.get("max_num_seqs") or MOST_SEQUENCES,
        max_num_batched_tokens=vllm.get("max_num_batched_tokens")
        or chunk_tokens(hardware.gpu, layout),
        gpu_memory_utilization=vllm.get("gpu_memory_utilization") or 0.92,
        kv_cache_dtype="fp8" if str(vllm.get("kv_cache_dtype")).startswith("fp8") else "auto",
        has_mtp=(vllm.get("speculative_config") or {}).get("method") == "mtp",
        enforce_eager=bool(vllm.get("enforce_eager")),
    )
    return Candidate(_offer(model, vllm).checkpoint, layout, settings, hardware)


def _offer(model: Model, vllm: Mapping[str, Any]) -> Offer:
    """The checkpoint that the YAML names, or FP8 that vLLM makes of it."""
    made = vllm.get("quantization") == "fp8" and model.own.format is not FP8
    offers = [o for o in model.offers if o.checkpoint.format is FP8]
    return offers[0] if made and offers else model.offers[0]


def _length(said: object, model: Model) -> int:
    return said if isinstance(said, int) and said > 0 else model.shape.max_model_len
