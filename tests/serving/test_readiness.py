"""The model of this node against made facts: what vLLM has, what GPUs have."""

import json
from pathlib import Path
from typing import Any

import pytest

from serve_app.config import EngineArgs
from serve_app.core.preflight.finding import Finding
from serve_app.core.preflight.node import GpuFacts, NodeFacts
from serve_app.engine.vllm_models import SUPPORTED
from serve_app.planning.models import MODELS
from serve_app.serving import readiness

V3 = MODELS["deepseek-ai/DeepSeek-V3"].config | {"architectures": ["DeepseekV3ForCausalLM"]}
TP8 = {"tensor_parallel_size": 8, "gpu_memory_utilization": 0.92, "max_num_seqs": 64}
HERE = {"vLLM": SUPPORTED.version}


def gpus(name: str, memory_gb: float, capability: int = 90) -> tuple[GpuFacts, ...]:
    size = int(memory_gb * 1e9)
    return tuple(GpuFacts(index, name, capability, size, size) for index in range(8))


def look(
    folder: Path,
    config: dict[str, Any],
    vllm: dict[str, Any],
    *found: GpuFacts,
    versions: dict[str, str] = HERE,
) -> tuple[list[Finding], list[str]]:
    (folder / "config.json").write_text(json.dumps(config))
    args = EngineArgs(kind="vllm", model=str(folder), names=("m",), vllm=vllm)
    skipped: list[str] = []
    nodes = [NodeFacts("10.0.0.1", ranks=8, versions=versions, gpus=found)]
    return list(readiness._of_model(args, nodes, skipped)), skipped


def test_deepseek_v3_on_a_node_of_h200_is_as_it_should_be(tmp_path: Path) -> None:
    vllm = TP8 | {"max_model_len": 65536}
    data_ranks = vllm | {"tensor_parallel_size": 1, "data_parallel_size": 8}
    for layout in (vllm, data_ranks | {"enable_expert_parallel": True}):
        assert look(tmp_path, V3, layout, *gpus("H200", 141)) == ([], [])


def test_deepseek_v3_on_h100_is_refused_before_its_weights_are_read(tmp_path: Path) -> None:
    [finding], _ = look(tmp_path, V3, TP8 | {"max_model_len": 4096}, *gpus("H100", 80))

    assert finding.is_fatal
    assert "85.1 GB of weights" in finding.message
    assert "73.6 GB that vLLM may use of H100" in finding.message


def test_a_length_beyond_the_cache_is_refused_with_the_one_that_fits(tmp_path: Path) -> None:
    [finding], _ = look(tmp_path, V3, TP8 | {"max_model_len": 163840}, *gpus("H20", 96))

    assert finding.is_fatal
    assert "max_model_len 163840" in finding.message
    assert "set max_model_len to 45" in finding.message


def test_without_a_gpu_a_cache_of_a_told_size_is_checked(tmp_path: Path) -> None:
    [finding], _ = look(tmp_path, V3, TP8 | {"max_model_len": 4096, "kv_cache_memory_bytes": 10**8})

    assert "kv_cache_memory_bytes is 0.1 GB" in finding.message


@pytest.mark.parametrize(
    ("config", "vllm", "reason"),
    [
        pytest.param(V3, TP8 | {"max_model_len": -1}, "no plan", id="vLLM chooses the length"),
        pytest.param(V3, TP8 | {"cpu_offload_gb": 10}, "no plan", id="weights lie elsewhere"),
        pytest.param(V3 | {"sliding_window": 4096}, TP8, "no plan", id="a window"),
        pytest.param(V3 | {"model_type": "t5"}, TP8, "model of type t5", id="of another kind"),
    ],
)
def test_what_is_not_planned_is_said(
    tmp_path: Path, config: dict[str, Any], vllm: dict[str, Any], reason: str
) -> None:
    findings, [skipped] = look(tmp_path, config, vllm, *gpus("H100", 80))

    assert findings == []
    assert skipped.startswith("context: ")
    assert reason in skipped


def test_another_vllm_than_the_list_is_of_is_not_judged_by_it(tmp_path: Path) -> None:
    nobody = V3 | {"architectures": ["NobodyForCausalLM"]}
    findings, skipped = look(tmp_path, nobody, TP8, *gpus("H200", 141), versions={"vLLM": "0.99.0"})

    assert [finding for finding in findings if finding.check == "support"] == []
    assert "support: known is what vLLM 0.32.0 has" in skipped


def test_fp8_on_a_gpu_that_is_too_old_is_refused(tmp_path: Path) -> None:
    findings, _ = look(tmp_path, V3, TP8, *gpus("V100", 200, capability=70))

    assert "quantisation fp8 needs compute capability 7.5, and V100 has 7.0" in str(findings)
