"""A model's config.json as a `Shape` and a `Format`."""

from collections.abc import Mapping
from typing import Any

from serve_app.checking.problem import nearest
from serve_app.core.attention import Attention, GroupedHeads, Indexer, Latent
from serve_app.core.compressed import COARSE, FINE, Compressed
from serve_app.core.shape import Experts, Shape
from serve_app.core.weights import BF16, FP4, FP8, INT4, NVFP4, Format
from serve_app.planning.errors import PlanError

Config = Mapping[str, Any]

GROUPED = ("llama", "mistral", "qwen2", "qwen3", "qwen3_moe")
LATENT = ("deepseek_v2", "deepseek_v3", "deepseek_v32", "kimi_k2")
COMPRESSED = ("deepseek_v4",)
TYPES = (*GROUPED, *LATENT, *COMPRESSED)


def shape_of(config: Config, name: str) -> Shape:
    """What the config of the model `name` says; raises `PlanError` where it is of another kind."""
    kind = config.get("model_type")
    if kind not in TYPES:
        near = nearest(kind, TYPES) or f"; it plans {', '.join(TYPES)}"
        raise PlanError(f"{name}: a model of type {kind} is not known here{near}")
    try:
        return _shape(config, name)
    except (KeyError, TypeError) as error:
        raise PlanError(f"{name}: its config.json lacks {error}; is it complete?") from error


def _shape(config: Config, name: str) -> Shape:
    return Shape(
        name=name,
        layers=config["num_hidden_layers"],
        hidden=config["hidden_size"],
        vocab=config["vocab_size"],
        width=config.get("intermediate_size") or 0,
        attention=_attention(config),
        max_model_len=config["max_position_embeddings"],
        experts=_experts(config),
        is_tied=bool(config.get("tie_word_embeddings", False)),
        mtp_layers=config.get("num_nextn_predict_layers") or 0,
    )


def _attention(config: Config) -> Attention:
    kind = config["model_type"]
    if kind in COMPRESSED:
        return _compressed(config)
    return _latent(config) if kind in LATENT else _grouped(config)


def _grouped(config: Config) -> Attention:
    heads = config["num_attention_heads"]
    size = config.get("head_dim") or config["hidden_size"] // heads
    return GroupedHeads(heads, config.get("num_key_value_heads") or heads, size)


def _latent(config: Config) -> Attention:
    return Latent(
        heads=config["num_attention_heads"],
        q_rank=config.get("q_lora_rank") or 0,
        kv_rank=config["kv_lora_rank"],
        nope=config["qk_nope_head_dim"],
        rope=config["qk_rope_head_dim"],
        value=config["v_head_dim"],
        indexer=_indexer(config) if config.get("index_topk") else None,
    )


def _compressed(config: Config) -> Attention:
    layers = config["num_hidden_layers"]
    ratios = list(config["compress_ratios"])[:layers]  # those of MTP layers come last
    return Compressed(
        heads=config["num_attention_heads"],
        q_rank=config["q_lora_rank"],
        size=config["head_dim"],
        groups=config["o_groups"],
        o_rank=config["o_lora_rank"],
        indexer=_indexer(config),
        window=config["sliding_window"],
        layers=layers,
        fine=ratios.count(FINE),
        coarse=ratios.count(COARSE),
    )


def _indexer(config: Config) -> Indexer:
    return Indexer(config["index_n_heads"], config["index_head_dim"], config["index_topk"])


def _experts(config: Config) -> Experts | None:
    routed = config.get("n_routed_experts") or config.get("num_experts")
    if not routed:
        return None
    return Experts(
        routed=routed,
        per_token=config["num_experts_per_tok"],
        shared=config.get("n_shared_experts") or 0,
        width=config["moe_intermediate_size"],
        dense_layers=_dense_layers(config),
    )


def _dense_layers(config: Config) -> int:
    named = config.get("mlp_only_layers") or ()
    return config.get("first_k_dense_replace") or len(named)


def format_of(config: Config, name: str) -> Format:
    """The format that `quantization_config` names; BF16 without one. Raises `PlanError`."""
    quantization = config.get("quantization_config")
    if not quantization:
        return BF16
    method = str(quantization.get("quant_method", "")).lower()
    words = f"{method} {quantization.get('quant_algo', '')}".lower()
    bits = _bits(quantization)
    if "nvfp4" in words or (method == "compressed-tensors" and bits == (4, "float")):
        return NVFP4
    if config.get("expert_dtype") == "fp4":
        return FP4
    if "fp8" in words or bits == (8, "float"):
        return FP8
    if method in {"awq", "gptq"} or bits == (4, "int"):
        return INT4
    raise PlanError(f"{name}: quantised by {method or '?'}; planned are FP8, NVFP4, AWQ and GPTQ")


def _bits(quantization: Config) -> tuple[int, str] | None:
    """Bits and kind of the weights, as compressed-tensors says them."""
    for group in (quantization.get("config_groups") or {}).values():
        weights = group.get("weights") or {}
        return weights.get("num_bits", 0), str(weights.get("type", ""))
    return None
