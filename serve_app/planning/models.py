"""The models that are planned without a network: what their config.json says, and its source.

DeepSeek-V3, R1 and V3.1 have one shape, and so have the two distills of a base model with it.
Configs: transformers' DeepseekV3Config and DeepseekV32Config, whose defaults are these models';
the others as AIConfigurator 0.12 (model_configs/) and NVIDIA Megatron Bridge print them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_V3 = {
    "model_type": "deepseek_v3",
    "num_hidden_layers": 61,
    "hidden_size": 7168,
    "vocab_size": 129280,
    "intermediate_size": 18432,
    "num_attention_heads": 128,
    "q_lora_rank": 1536,
    "kv_lora_rank": 512,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "num_experts_per_tok": 8,
    "moe_intermediate_size": 2048,
    "first_k_dense_replace": 3,
    "num_nextn_predict_layers": 1,
    "max_position_embeddings": 163840,
    "quantization_config": {"quant_method": "fp8"},
}
_V3_INT4 = _V3 | {"quantization_config": {"quant_method": "awq"}}
_V32 = _V3 | {
    "model_type": "deepseek_v32",
    "index_n_heads": 64,
    "index_head_dim": 128,
    "index_topk": 2048,
}
_V4_FLASH = {
    "model_type": "deepseek_v4",
    "num_hidden_layers": 43,
    "hidden_size": 4096,
    "vocab_size": 129280,
    "num_attention_heads": 64,
    "head_dim": 512,
    "q_lora_rank": 1024,
    "o_groups": 8,
    "o_lora_rank": 1024,
    "index_n_heads": 64,
    "index_head_dim": 128,
    "index_topk": 512,
    "sliding_window": 128,
    "compress_ratios": [0, 0, *[4, 128] * 20, 4],
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "num_experts_per_tok": 6,
    "moe_intermediate_size": 2048,
    "num_nextn_predict_layers": 1,
    "max_position_embeddings": 1048576,
    "expert_dtype": "fp4",
    "quantization_config": {"quant_method": "fp8"},
}
_V4_PRO = _V4_FLASH | {
    "num_hidden_layers": 61,
    "hidden_size": 7168,
    "num_attention_heads": 128,
    "q_lora_rank": 1536,
    "o_groups": 16,
    "index_topk": 1024,
    "compress_ratios": [128, 128, *[4, 128] * 29, 4],
    "n_routed_experts": 384,
    "moe_intermediate_size": 3072,
}
_V2_LITE = {
    "model_type": "deepseek_v2",
    "num_hidden_layers": 27,
    "hidden_size": 2048,
    "vocab_size": 102400,
    "intermediate_size": 10944,
    "num_attention_heads": 16,
    "q_lora_rank": None,
    "kv_lora_rank": 512,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "n_routed_experts": 64,
    "n_shared_experts": 2,
    "num_experts_per_tok": 6,
    "moe_intermediate_size": 1408,
    "first_k_dense_replace": 1,
    "max_position_embeddings": 163840,
}
_LLAMA_70B = {
    "model_type": "llama",
    "num_hidden_layers": 80,
    "hidden_size": 8192,
    "vocab_size": 128256,
    "intermediate_size": 28672,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "max_position_embeddings": 131072,
}
_LLAMA_8B = _LLAMA_70B | {
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
}
_QWEN_32B = {
    "model_type": "qwen2",
    "num_hidden_layers": 64,
    "hidden_size": 5120,
    "vocab_size": 152064,
    "intermediate_size": 27648,
    "num_attention_heads": 40,
    "num_key_value_heads": 8,
    "max_position_embeddings": 131072,
}
_QWEN3_32B = _QWEN_32B | {
    "model_type": "qwen3",
    "vocab_size": 151936,
    "intermediate_size": 25600,
    "num_attention_heads": 64,
    "head_dim": 128,
    "max_position_embeddings": 40960,
}
_QWEN3_8B = _QWEN3_32B | {
    "num_hidden_layers": 36,
    "hidden_size": 4096,
    "intermediate_size": 12288,
    "num_attention_heads": 32,
}
_QWEN3_235B = _QWEN3_32B | {
    "model_type": "qwen3_moe",
    "num_hidden_layers": 94,
    "hidden_size": 4096,
    "intermediate_size": 12288,
    "num_key_value_heads": 4,
    "num_experts": 128,
    "num_experts_per_tok": 8,
    "moe_intermediate_size": 1536,
}


@dataclass(frozen=True, slots=True)
class Known:
    """A model of the table: its config, vLLM's parsers for it, an NVFP4 checkpoint of it."""

    config: Mapping[str, Any]
    tool_call_parser: str | None = None
    reasoning_parser: str | None = None
    nvfp4: str | None = None


_DISTILL = {"reasoning_parser": "deepseek_r1"}
_QWEN3 = {"tool_call_parser": "hermes", "reasoning_parser": "qwen3"}

MODELS = {
    "deepseek-ai/DeepSeek-V3": Known(
        _V3, "deepseek_v3", "deepseek_v3", nvfp4="nvidia/DeepSeek-V3-FP4"
    ),
    "deepseek-ai/DeepSeek-V3-0324": Known(
        _V3, "deepseek_v3", "deepseek_v3", nvfp4="nvidia/DeepSeek-V3-0324-NVFP4"
    ),
    "deepseek-ai/DeepSeek-R1": Known(_V3, "deepseek_v3", "deepseek_r1"),
    "deepseek-ai/DeepSeek-R1-0528": Known(_V3, "deepseek_v3", "deepseek_r1"),
    "cognitivecomputations/DeepSeek-R1-AWQ": Known(_V3_INT4, "deepseek_v3", "deepseek_r1"),
    "deepseek-ai/DeepSeek-V3.1": Known(
        _V3, "deepseek_v31", "deepseek_v3", nvfp4="nvidia/DeepSeek-V3.1-NVFP4"
    ),
    "deepseek-ai/DeepSeek-V3.2": Known(
        _V32, "deepseek_v32", "deepseek_v3", nvfp4="nvidia/DeepSeek-V3.2-NVFP4"
    ),
    "deepseek-ai/DeepSeek-V4-Flash": Known(
        _V4_FLASH, "deepseek_v4", "deepseek_v4", nvfp4="nvidia/DeepSeek-V4-Flash-NVFP4"
    ),
    "deepseek-ai/DeepSeek-V4-Pro": Known(
        _V4_PRO, "deepseek_v4", "deepseek_v4", nvfp4="nvidia/DeepSeek-V4-Pro-NVFP4"
    ),
    "deepseek-ai/DeepSeek-V2-Lite": Known(_V2_LITE),
    "deepseek-ai/DeepSeek-V2-Lite-Chat": Known(_V2_LITE),
    "deepseek-ai/DeepSeek-R1-Distill-Llama-70B": Known(_LLAMA_70B, **_DISTILL),
    "deepseek-ai/DeepSeek-R1-Distill-Llama-8B": Known(_LLAMA_8B, **_DISTILL),
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B": Known(_QWEN_32B, **_DISTILL),
    "meta-llama/Llama-3.3-70B-Instruct": Known(_LLAMA_70B),
    "meta-llama/Llama-3.1-8B-Instruct": Known(_LLAMA_8B),
    "Qwen/Qwen3-8B": Known(_QWEN3_8B, **_QWEN3),
    "Qwen/Qwen3-32B": Known(_QWEN3_32B, **_QWEN3),
    "Qwen/Qwen3-235B-A22B": Known(_QWEN3_235B, **_QWEN3),
}

_BY_LAST_NAME = {name.rpartition("/")[2].lower(): name for name in MODELS}


def known_name(name: str) -> str | None:
    """The full name of a model of the table, from it or its last part, in any case.

    >>> known_name("deepseek-v3"), known_name("deepseek-ai/deepseek-r1")
    ('deepseek-ai/DeepSeek-V3', 'deepseek-ai/DeepSeek-R1')
    """
    found = _BY_LAST_NAME.get(name.rpartition("/")[2].lower())
    if found is None or ("/" in name and name.lower() != found.lower()):
        return None
    return found
