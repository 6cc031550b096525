"""Models of real shape without weights, for `load_format: dummy`, and small ones for a CPU.

The tokenizer is SmolLM2's, with a made-up token for each further row of the vocabulary, so
that whatever token random weights choose is text.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from serve_app.planning.models import MODELS

V3 = "deepseek-ai/DeepSeek-V3"
COPIED = ("tokenizer_config.json", "chat_template.jinja")

# What vLLM and transformers read beside what a plan reads.
_DEEPSEEK = {
    "architectures": ["DeepseekV3ForCausalLM"],
    "dtype": "bfloat16",
    "hidden_act": "silu",
    "rms_norm_eps": 1e-6,
    "num_key_value_heads": 128,
    "n_group": 8,
    "topk_group": 4,
    "topk_method": "noaux_tc",
    "scoring_func": "sigmoid",
    "norm_topk_prob": True,
    "routed_scaling_factor": 2.5,
    "moe_layer_freq": 1,
    "tie_word_embeddings": False,
    "num_nextn_predict_layers": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "rope_parameters": {
        "rope_type": "yarn",
        "rope_theta": 10_000.0,
        "factor": 40.0,
        "original_max_position_embeddings": 4096,
        "beta_fast": 32,
        "beta_slow": 1,
        "mscale": 1.0,
        "mscale_all_dim": 1.0,
    },
}
_FP8 = {
    "activation_scheme": "dynamic",
    "fmt": "e4m3",
    "quant_method": "fp8",
    "weight_block_size": [128, 128],
}
_LLAMA_8B = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "dtype": "bfloat16",
    "hidden_act": "silu",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 131072,
    "rms_norm_eps": 1e-5,
    "rope_parameters": {"rope_type": "default", "rope_theta": 500_000.0},
    "vocab_size": 128256,
    "tie_word_embeddings": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
# Small enough for two cores; MLA on a CPU needs the real latent and rope sizes.
_SMALL = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "vocab_size": 49152,
    "max_position_embeddings": 16384,
}
_SMALL_DEEPSEEK = _SMALL | {
    "q_lora_rank": 96,
    "qk_nope_head_dim": 32,
    "v_head_dim": 64,
    "moe_intermediate_size": 64,
    "n_routed_experts": 8,
    "num_experts_per_tok": 2,
    "n_group": 2,
    "topk_group": 1,
    "first_k_dense_replace": 1,
}


def deepseek(layers: int, *, small: bool = False) -> dict[str, Any]:
    """DeepSeek-V3's config with so many of its 61 layers, the first three dense, in FP8."""
    config = {**MODELS[V3].config, **_DEEPSEEK, "num_hidden_layers": layers}
    if small:
        config = config | _SMALL_DEEPSEEK
        del config["quantization_config"]
        return config
    return config | {"quantization_config": _FP8}


def llama_8b(*, small: bool = False) -> dict[str, Any]:
    return _LLAMA_8B | (_SMALL | {"head_dim": 32} if small else {})


def write(config: dict[str, Any], folder: Path, *, tokenizer: Path) -> None:
    """A checkpoint without weights in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    for name in COPIED:
        shutil.copy(tokenizer / name, folder / name)
    words = json.loads((tokenizer / "tokenizer.json").read_text())
    vocabulary = words["model"]["vocab"]
    vocabulary |= {f"<{i}>": i for i in range(len(vocabulary), config["vocab_size"])}
    (folder / "tokenizer.json").write_text(json.dumps(words))
