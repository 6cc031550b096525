"""What the arguments of an engine ask of a node."""

import pytest

from serve_app.core.preflight.support import Asked
from serve_app.engine import needs


@pytest.mark.parametrize(
    ("vllm", "tensor", "ranks"),
    [
        ({}, 1, 1),
        ({"tensor_parallel_size": 8}, 8, 8),
        ({"tensor_parallel_size": 8, "pipeline_parallel_size": 2}, 8, 16),
        ({"tensor_parallel_size": 2, "data_parallel_size": 4}, 2, 8),
        ({"tensor_parallel_size": None, "prefill_context_parallel_size": 2}, 1, 2),
    ],
)
def test_ranks(vllm: dict[str, object], tensor: int, ranks: int) -> None:
    assert (needs.tensor(vllm), needs.ranks(vllm)) == (tensor, ranks)


@pytest.mark.parametrize(
    ("vllm", "answer"),
    [
        ({}, True),
        ({"load_format": "auto"}, True),
        ({"load_format": "fastsafetensors"}, True),
        ({"load_format": "dummy"}, False),
        ({"load_format": "runai_streamer"}, False),
    ],
)
def test_whether_files_are_read(vllm: dict[str, object], answer: bool) -> None:
    assert needs.has_weights(vllm) is answer


def test_fixed_ports_are_found_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    assert needs.ports({}) == {}
    monkeypatch.setenv("VLLM_NIXL_SIDE_CHANNEL_PORT", "5600")
    vllm = {"data_parallel_rpc_port": 29550, "kv_transfer_config": {"kv_port": 14579}}

    assert needs.ports(vllm) == {
        "args.vllm.data_parallel_rpc_port": 29550,
        "args.vllm.kv_transfer_config.kv_port": 14579,
        "VLLM_NIXL_SIDE_CHANNEL_PORT": 5600,
    }
    assert needs.ports({"kv_transfer_config": "not a mapping"}) == {
        "VLLM_NIXL_SIDE_CHANNEL_PORT": 5600
    }


LLAMA = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}
NOBODY = {"model_type": "nobody", "architectures": ["NobodyForCausalLM"]}


@pytest.mark.parametrize(
    ("config", "vllm", "asked"),
    [
        pytest.param(LLAMA, {}, Asked(["LlamaForCausalLM"], "llama"), id="as it is"),
        pytest.param(
            LLAMA | {"architectures": ["LlamaForSequenceClassification"]},
            {},
            Asked(["LlamaForCausalLM"], "llama"),
            id="converted",
        ),
        pytest.param(
            LLAMA | {"quantization_config": {"quant_method": "compressed_tensors"}},
            {},
            Asked(["LlamaForCausalLM"], "llama", "compressed-tensors"),
            id="quantised, in another spelling",
        ),
        pytest.param(
            LLAMA,
            {"quantization": "FP8"},
            Asked(["LlamaForCausalLM"], "llama", "fp8"),
            id="told to",
        ),
        pytest.param(NOBODY, {}, Asked(["NobodyForCausalLM"], "nobody"), id="of nobody"),
        pytest.param(
            NOBODY | {"auto_map": {"AutoModel": "own.py"}},
            {},
            Asked(["NobodyForCausalLM"], "nobody", has_other_code=True),
            id="with code of its own",
        ),
        pytest.param(
            {"architectures": ["ViTMSNModel"]},
            {},
            Asked(["ViTMSNModel"], has_other_code=True),
            id="in Transformers alone",
        ),
        pytest.param({"architectures": "x"}, {}, Asked([]), id="of a kind that is none"),
    ],
)
def test_what_a_config_asks_for(
    config: dict[str, object], vllm: dict[str, object], asked: Asked
) -> None:
    assert needs.asked(config, vllm) == asked


def test_overrides_count() -> None:
    assert needs.changed(LLAMA, {"hf_overrides": NOBODY}) == NOBODY
    assert needs.changed(LLAMA, {"hf_overrides": "a function's name"}) == LLAMA
