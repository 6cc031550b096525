"""A model from the table, from a folder, from a hub."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from serve_app.core.weights import FP8, estimated
from serve_app.models import ModelError, headers
from serve_app.planning.config_json import format_of, shape_of
from serve_app.planning.errors import PlanError
from serve_app.planning.model import model_of
from serve_app.planning.models import MODELS
from tests.models import tiny
from tests.models.hub_server import REPO, serving

CONFIG = {
    "model_type": "deepseek_v3",
    "num_hidden_layers": 3,
    "hidden_size": 8,
    "vocab_size": 16,
    "intermediate_size": 32,
    "num_attention_heads": 2,
    "q_lora_rank": 4,
    "kv_lora_rank": 4,
    "qk_nope_head_dim": 2,
    "qk_rope_head_dim": 2,
    "v_head_dim": 2,
    "n_routed_experts": 4,
    "n_shared_experts": 1,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 4,
    "first_k_dense_replace": 1,
    "num_nextn_predict_layers": 1,
    "max_position_embeddings": 128,
    "quantization_config": {"quant_method": "fp8"},
}
TENSORS = {
    "model.embed_tokens.weight": ("BF16", [16, 8]),
    "model.layers.0.self_attn.o_proj.weight": ("F8_E4M3", [8, 8]),
    "model.layers.0.self_attn.o_proj.weight_scale_inv": ("F32", [1, 1]),
    "model.layers.0.mlp.gate_proj.weight": ("F8_E4M3", [32, 8]),
    "model.layers.1.mlp.gate.weight": ("BF16", [4, 8]),
    "model.layers.1.mlp.experts.3.up_proj.weight": ("F8_E4M3", [4, 8]),
    "model.layers.1.mlp.shared_experts.up_proj.weight": ("F8_E4M3", [4, 8]),
    "model.layers.1.input_layernorm.weight": ("BF16", [8]),
    "model.layers.3.self_attn.o_proj.weight": ("F8_E4M3", [8, 8]),
    "lm_head.weight": ("BF16", [16, 8]),
}


def safetensors(tensors: Mapping[str, tuple[str, list[int]]]) -> bytes:
    """Headers alone: nobody reads what they describe."""
    spec: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    spec |= {name: {"dtype": dtype, "shape": shape} for name, (dtype, shape) in tensors.items()}
    header = json.dumps(spec).encode()
    return len(header).to_bytes(8, "little") + header


FILES = tiny.CHECKPOINT | {
    "config.json": json.dumps(CONFIG).encode(),
    "model.safetensors": safetensors(TENSORS),
}


def test_the_weights_of_a_folder_are_read_from_its_files(tmp_path: Path) -> None:
    model = model_of(str(tiny.write(tmp_path / "mine", FILES)))
    weights = model.own.weights

    assert not model.own.is_estimated
    assert weights.attention_whole + weights.attention_split == 64 + 4
    assert weights.attention_whole > 0 < weights.attention_split
    assert (weights.router, weights.routed, weights.shared) == (64, 32, 32)
    assert (weights.dense, weights.embeddings, weights.mtp) == (256 + 16, 512, 64)


def test_a_hub_is_asked_for_config_and_headers_only() -> None:
    with serving(FILES) as hub:
        found = headers.of_hub(REPO, endpoint=hub.endpoint)
        length = len(FILES["model.safetensors"])
        asked = [entry for entry in hub.asked if not entry[0].startswith("/api")]

    assert found.config == CONFIG
    assert sum(tensor.size_bytes for tensor in found.tensors) == 1044
    assert asked == [
        ("config.json", f"bytes=0-{len(FILES['config.json']) - 1}"),
        ("model.safetensors", "bytes=0-7"),
        ("model.safetensors", f"bytes=8-{length - 1}"),
    ]


def test_a_model_of_a_hub_is_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(FILES) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        model = model_of(REPO)

    assert model.name == REPO
    assert [offer.source for offer in model.offers] == [REPO, "", "", ""]


def test_a_repository_without_a_config_is_no_model() -> None:
    weights = {"model.safetensors": FILES["model.safetensors"]}
    with serving(weights) as hub, pytest.raises(ModelError, match=r"has no config\.json"):
        headers.of_hub(REPO, endpoint=hub.endpoint)


def test_a_model_that_the_hub_lacks_is_a_wrong_question(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(FILES) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        with pytest.raises(PlanError, match="There is no model org/other at"):
            model_of("org/other")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"short", "its header would be"),
        ((9).to_bytes(8, "little") + b"{'no json", "header that cannot be read"),
        ((2).to_bytes(8, "little") + b"[]", "header that cannot be read"),
    ],
)
def test_files_that_are_no_safetensors(content: bytes, said: str, tmp_path: Path) -> None:
    folder = tiny.write(tmp_path, FILES | {"model.safetensors": content})

    with pytest.raises(ModelError, match=said):
        headers.of_folder(folder)


def test_a_folder_without_a_config_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"has no config\.json"):
        model_of(str(tmp_path))


def test_weights_that_are_pickles_are_estimated(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path, {"config.json": FILES["config.json"]})

    assert model_of(str(folder)).own.is_estimated


@pytest.mark.parametrize("name", MODELS)
def test_every_model_of_the_table_is_planned(name: str) -> None:
    model = model_of(name, may_ask_hub=False)

    assert model.name == name
    assert model.shape.parameters.without_mtp > 1e9
    assert [offer.is_own for offer in model.offers].index(True) == 0
    assert len({offer.checkpoint.format.name for offer in model.offers}) == len(model.offers)
    assert sum(offer.is_own for offer in model.offers) == 1


@pytest.mark.parametrize("name", ["DeepSeek-V3", "deepseek-v3", "deepseek-ai/deepseek-v3"])
def test_a_model_of_the_table_by_any_spelling(name: str) -> None:
    model = model_of(name)

    assert model.own == estimated(model.shape, FP8)
    assert model.name == "deepseek-ai/DeepSeek-V3"


def test_a_model_in_the_cache_is_read_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write(tmp_path / "mine", FILES)
    monkeypatch.setenv("SERVE_APP_MODELS", str(tmp_path))

    assert not model_of("mine").own.is_estimated


@pytest.mark.parametrize(
    ("quantization", "name"),
    [
        (None, "BF16"),
        ({"quant_method": "fp8"}, "FP8"),
        ({"quant_method": "awq", "bits": 4}, "INT4"),
        ({"quant_method": "gptq"}, "INT4"),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "NVFP4"),
        ({"quant_method": "modelopt", "quant_algo": "FP8"}, "FP8"),
        ({"quant_method": "compressed-tensors", "config_groups": {
            "group_0": {"weights": {"num_bits": 8, "type": "float"}}}}, "FP8"),
        ({"quant_method": "compressed-tensors", "config_groups": {
            "group_0": {"weights": {"num_bits": 4, "type": "int"}}}}, "INT4"),
        ({"quant_method": "compressed-tensors", "config_groups": {
            "group_0": {"weights": {"num_bits": 4, "type": "float"}}}}, "NVFP4"),
    ],
)  # fmt: skip
def test_the_format_of_a_checkpoint(quantization: dict[str, Any] | None, name: str) -> None:
    assert format_of({"quantization_config": quantization}, "it").name == name


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"model_type": "lama"}, "type lama is not known here; did you mean llama?"),
        ({"model_type": "bert"}, "it plans llama, "),
        ({"model_type": "llama"}, r"its config\.json lacks 'num_hidden_layers'"),
    ],
)
def test_a_config_that_cannot_be_planned(config: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        shape_of(config, "it")


def test_a_format_that_cannot_be_planned() -> None:
    with pytest.raises(PlanError, match="quantised by bitsandbytes"):
        format_of({"quantization_config": {"quant_method": "bitsandbytes"}}, "it")
