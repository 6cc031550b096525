"""How fast a replica of a Serve YAML would be, for those that simulate one."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from serve_app.config import Simulated
from serve_app.planning.errors import PlanError
from serve_app.planning.rates import rates_of

DEPLOYMENTS = Path(__file__).parents[2] / "deployments"


def args_of(name: str, **vllm: Any) -> dict[str, Any]:
    """The `args` of the first engine of a deployment, its vllm block changed."""
    document = yaml.safe_load((DEPLOYMENTS / name).read_text())
    args: dict[str, Any] = document["applications"][0]["args"]
    return args | {"vllm": args.get("vllm", {}) | vllm}


def test_the_replica_of_deepseek_yaml() -> None:
    rates = rates_of(args_of("deepseek.yaml"), "8xH200")

    assert rates.kv_tokens == pytest.approx(683_000, rel=0.02)
    assert rates.max_num_seqs == 256
    assert rates.chunk_tokens == 8192
    assert 10_000 < rates.prefill_tokens_per_s < 40_000
    [(one, shortest_s), (full, longest_s)] = rates.decode_steps
    assert (one, full) == (1, 256)
    assert 0.005 < shortest_s < 0.02
    assert shortest_s < longest_s < shortest_s + 255 * 0.001


def test_a_simulated_replica_is_what_its_yaml_says() -> None:
    rates = rates_of({"kind": "simulated", "simulated": {"kv_tokens": 5000}}, "anything")

    assert rates.kv_tokens == 5000
    assert rates.decode_steps == Simulated().decode_steps


@pytest.mark.parametrize(
    ("vllm", "kv_tokens", "why"),
    [
        ({"kv_cache_dtype": "fp8"}, 1_366_000, "half the bytes"),
        ({"decode_context_parallel_size": 8}, 5_463_000, "eight times as many"),
        ({"kv_cache_memory_bytes": 70_272_000_000}, 1_000_000, "what vLLM is told to take"),
        ({"speculative_config": {"method": "mtp"}}, 635_000, "the layer, and its weights"),
    ],
)
def test_what_the_vllm_block_changes(vllm: dict[str, Any], kv_tokens: int, why: str) -> None:
    rates = rates_of(args_of("deepseek.yaml", **vllm), "8xH200")

    assert rates.kv_tokens == pytest.approx(kv_tokens, rel=0.02), why


def test_what_the_yaml_leaves_out_is_what_vllm_would_do() -> None:
    args = {"kind": "vllm", "model": "Qwen/Qwen3-8B", "vllm": {"quantization": "fp8"}}
    plain = {"kind": "vllm", "model": "Qwen/Qwen3-8B"}

    assert rates_of(args, "1xL40S").kv_tokens > rates_of(plain, "1xL40S").kv_tokens
    assert rates_of(plain, "1xL40S").max_num_seqs == 1024


@pytest.mark.parametrize(
    ("args", "hardware", "said"),
    [
        (args_of("deepseek.yaml"), "8xH100-80", r"short of \d+\.\d GB per GPU"),
        (args_of("deepseek.yaml"), "4xH200", "TP8 takes 8 GPUs, and there are 4"),
        ({"kind": "vllm", "model": "org/other"}, "8xH200", "no model that is known here"),
        ({"kind": "vllm", "model": "nowhere"}, "8xH200", "no model that is known here"),
    ],
)
def test_what_cannot_be_said(args: dict[str, Any], hardware: str, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        rates_of(args, hardware)
