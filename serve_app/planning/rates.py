"""How fast a replica of a Serve YAML would be: what `args` say, on some hardware, as `Rates`."""

from collections.abc import Mapping
from typing import Any

from serve_app.core.layout import Candidate, Hardware, Layout, Settings
from serve_app.core.memory import footprint
from serve_app.core.roofline import Rates, Workload, rates
from serve_app.core.weights import FP8
from serve_app.engine.batch import CHUNK_TOKENS
from serve_app.planning.errors import PlanError
from serve_app.planning.hardware import hardware_of
from serve_app.planning.model import Model, Offer, model_of
from serve_app.planning.option import MOST_SEQUENCES, chunk_tokens

TYPICAL = Workload(1536, 512)
SIMULATED = ("prefill_tokens_per_s", "decode_step_s", "decode_step_per_seq_s")


def rates_of(
    args: Mapping[str, Any], hardware: str | Hardware, *, workload: Workload = TYPICAL
) -> Rates:
    """Of one replica with the `args` of an engine application; no network.

    Of kind `simulated` they are what the YAML says, whatever the hardware. Raises `PlanError`
    where the model is not known here, or does not fit.
    """
    if args.get("kind") == "simulated":
        return _simulated(args.get("simulated") or {})
    vllm = args.get("vllm") or {}
    on = hardware_of(hardware) if isinstance(hardware, str) else hardware
    model = model_of(str(args.get("model")), may_ask_hub=False)
    candidate = candidate_of(model, vllm, on)
    return rates(candidate, workload, kv_tokens=_kv_tokens(candidate, vllm, model.name))


def _simulated(knobs: Mapping[str, Any]) -> Rates:
    from serve_app.config import Simulated  # noqa: PLC0415 - pydantic, only for this kind

    said = Simulated.model_validate(knobs)
    return Rates(
        **{name: getattr(said, name) for name in SIMULATED},
        kv_tokens=said.kv_tokens,
        max_num_seqs=said.max_num_seqs,
        chunk_tokens=CHUNK_TOKENS,
    )


def candidate_of(model: Model, vllm: Mapping[str, Any], hardware: Hardware) -> Candidate:
    """The engine that a YAML's `vllm` block asks for; raises `PlanError`."""
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


def _kv_tokens(candidate: Candidate, vllm: Mapping[str, Any], name: str) -> int:
    """What vLLM is told to take for the cache, or what is left of the GPU."""
    memory = footprint(candidate)
    told = vllm.get("kv_cache_memory_bytes")
    if told:
        return int(told / memory.kv_bytes_per_token) * memory.token_shards
    if not memory.fits:
        gpu, layout = candidate.hardware.gpu.name, candidate.layout
        raise PlanError(
            f"{name} as {layout} on {gpu} with max_model_len {candidate.settings.max_model_len}: "
            f"short of {memory.missing / 1e9:.1f} GB per GPU; see `serve-app plan {name}`"
        )
    return memory.kv_tokens
