"""Whether vLLM has the architecture and the quantisation of a checkpoint, and the GPU too."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from serve_app.core.preflight.finding import Finding, Findings
from serve_app.core.preflight.gpus import capability_findings
from serve_app.core.preflight.node import NodeFacts

# Below it, FP8 weights are widened by Marlin as they are read (compressed_tensors_w8a8_fp8.py asks
# for it; Fp8Config itself for 7.5).
NATIVE_FP8 = 89
# DeepSeek's sparse attention: flashmla_sparse.py, flashinfer_mla_sparse.py (majors 9, 10, 12).
SPARSE = 90
SPARSE_TYPES = ("deepseek_v32", "deepseek_v4")


@dataclass(frozen=True, slots=True)
class Supported:
    """What one version of vLLM has: architectures, and by quantisation method the least compute
    capability that it runs on."""

    version: str
    architectures: frozenset[str]
    methods: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a config.json and the engine's arguments ask for. `method` is empty without any
    quantisation; `has_other_code` where the model may come from elsewhere than vLLM: a plugin,
    Transformers, the checkpoint itself."""

    architectures: Sequence[str]
    model_type: str = ""
    method: str = ""
    has_other_code: bool = False


def support_findings(
    asked: Asked, supported: Supported, nodes: Iterable[NodeFacts] = ()
) -> Findings:
    """What vLLM lacks, or the GPUs of `nodes`."""
    nodes = list(nodes)
    has = supported.architectures.intersection(asked.architectures)
    if asked.architectures and not has and not asked.has_other_code:
        named = ", ".join(asked.architectures)
        message = (
            f"vLLM {supported.version} has no architecture {named}, and neither a plugin nor "
            "Transformers brings it: take another model, or another vLLM"
        )
        yield Finding("support", message)
    if asked.method:
        yield from _method_findings(asked.method, supported, nodes)
    if asked.model_type in SPARSE_TYPES:
        instead = "take a model without sparse attention, or another GPU"
        yield from capability_findings(nodes, "sparse attention", SPARSE, instead)


def _method_findings(method: str, supported: Supported, nodes: Sequence[NodeFacts]) -> Findings:
    if method not in supported.methods:
        has = ", ".join(sorted(supported.methods))
        message = f"vLLM {supported.version} has no quantisation method {method}; it has {has}"
        yield Finding("support", message)
        return
    what = f"quantisation {method}"
    least, instead = supported.methods[method], "take another checkpoint, or another GPU"
    refused = list(capability_findings(nodes, what, least, instead))
    yield from refused
    if "fp8" in method and not refused:
        yield from _widened(nodes)


def _widened(nodes: Sequence[NodeFacts]) -> Findings:
    instead = "Marlin widens the weights as they are read, which costs time"
    for finding in capability_findings(nodes, "FP8 arithmetic", NATIVE_FP8, instead):
        yield Finding("support", finding.message, is_fatal=False)
