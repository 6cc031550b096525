"""How fast a replica of a Serve YAML would be: what `args` say, on some hardware, as `Rates`."""

from collections.abc import Mapping
from typing import Any

from serve_app.core.layout import Candidate, Hardware
from serve_app.core.memory import footprint
from serve_app.core.roofline import Rates, Workload, rates
from serve_app.engine.batch import CHUNK_TOKENS
from serve_app.planning.candidate import candidate_of
from serve_app.planning.errors import PlanError
from serve_app.planning.hardware import hardware_of
from serve_app.planning.model import model_of

TYPICAL = Workload(1536, 512)


def rates_of(
    args: Mapping[str, Any], hardware: str | Hardware, *, workload: Workload = TYPICAL
) -> Rates:
    """Of one replica with the `args` of an engine application; no network.

    Of kind `simulated` they are what the YAML says, whatever the hardware. Raises `PlanError`
    where the model is not known here, or does not fit.
    """
    if args.get("kind") == "simulated":
        return _simulated(args.get("simulated") or {})
    on = hardware_of(hardware) if isinstance(hardware, str) else hardware
    model = model_of(str(args.get("model")), may_ask_hub=False)
    candidate = candidate_of(model, args.get("vllm") or {}, on)
    return rates(candidate, workload, kv_tokens=_kv_tokens(candidate, args))


def _simulated(knobs: Mapping[str, Any]) -> Rates:
    from serve_app.config import Simulated  # noqa: PLC0415 - pydantic, only for this kind

    said = Simulated.model_validate(knobs)
    return Rates(
        prefill_tokens_per_s=said.prefill_tokens_per_s,
        decode_steps=said.decode_steps,
        kv_tokens=said.kv_tokens,
        max_num_seqs=said.max_num_seqs,
        chunk_tokens=CHUNK_TOKENS,
    )


def _kv_tokens(candidate: Candidate, args: Mapping[str, Any]) -> int:
    """What vLLM is told to take for the cache, or what is left of the GPU."""
    memory, name = footprint(candidate), args.get("model")
    told = (args.get("vllm") or {}).get("kv_cache_memory_bytes")
    if told:
        return int(told / memory.kv_bytes_per_token) * memory.token_shards
    if not memory.fits:
        gpu, layout = candidate.hardware.gpu.name, candidate.layout
        raise PlanError(
            f"{name} as {layout} on {gpu} with max_model_len {candidate.settings.max_model_len}: "
            f"short of {memory.missing / 1e9:.1f} GB per GPU; see `serve-app plan {name}`"
        )
    return memory.kv_tokens
