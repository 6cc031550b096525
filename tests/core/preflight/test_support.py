"""What vLLM has, and what a GPU can."""

import pytest

from serve_app.core.preflight.node import GpuFacts, NodeFacts
from serve_app.core.preflight.support import Asked, Supported, support_findings

VLLM = Supported(
    "0.32.0",
    frozenset({"DeepseekV3ForCausalLM", "LlamaForCausalLM"}),
    {"fp8": 75, "awq": 75, "fp_quant": 100},
)
V3 = ["DeepseekV3ForCausalLM"]


def node(name: str, capability: int) -> NodeFacts:
    return NodeFacts("10.0.0.1", gpus=(GpuFacts(0, name, capability, 1, 1),))


H100, A100, T4, V100 = node("H100", 90), node("A100", 80), node("T4", 75), node("V100", 70)


@pytest.mark.parametrize(
    ("asked", "at", "sentence", "is_fatal"),
    [
        pytest.param(Asked(V3), [], None, None, id="known, and no GPU to ask"),
        pytest.param(Asked([]), [H100], None, None, id="a config that names none: vLLM will say"),
        pytest.param(Asked(V3, method="fp8"), [H100], None, None, id="FP8 at home"),
        pytest.param(
            Asked(["NobodyForCausalLM"]),
            [],
            "vLLM 0.32.0 has no architecture NobodyForCausalLM, and neither a plugin nor",
            True,
            id="an architecture of nobody",
        ),
        pytest.param(
            Asked(["NobodyForCausalLM"], has_other_code=True), [], None, None, id="of a plugin"
        ),
        pytest.param(
            Asked(["Nobody", *V3]), [], None, None, id="one of several is enough, as for vLLM"
        ),
        pytest.param(
            Asked(V3, method="bitsandbytes"),
            [],
            "no quantisation method bitsandbytes; it has awq, fp8, fp_quant",
            True,
            id="a method that vLLM lacks",
        ),
        pytest.param(
            Asked(V3, method="fp8"),
            [A100],
            "FP8 arithmetic needs compute capability 8.9, and A100 has 8.0: Marlin widens",
            False,
            id="FP8 where it is widened",
        ),
        pytest.param(
            Asked(V3, method="fp8"),
            [T4],
            "FP8 arithmetic needs compute capability 8.9, and T4 has 7.5: Marlin",
            False,
            id="FP8 at the least",
        ),
        pytest.param(
            Asked(V3, method="fp8"),
            [V100],
            "quantisation fp8 needs compute capability 7.5, and V100 has 7.0: take another",
            True,
            id="FP8 below it",
        ),
        pytest.param(Asked(V3, method="awq"), [A100], None, None, id="AWQ is widened anyway"),
        pytest.param(
            Asked(V3, "deepseek_v32"),
            [A100],
            "sparse attention needs compute capability 9.0, and A100 has 8.0",
            True,
            id="sparse attention",
        ),
        pytest.param(Asked(V3, "deepseek_v32"), [H100], None, None, id="where it runs"),
    ],
)
def test_support(
    asked: Asked, at: list[NodeFacts], sentence: str | None, is_fatal: bool | None
) -> None:
    found = list(support_findings(asked, VLLM, at))

    assert len(found) == (sentence is not None), found
    assert all(sentence in finding.message for finding in found if sentence), found
    assert [finding.is_fatal for finding in found] == ([] if is_fatal is None else [is_fatal])
