"""A plan beside what was measured, for the same config."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from serve_app.core.layout import Candidate, Layout
from serve_app.core.memory import GIB, footprint
from serve_app.core.roofline import DECODE_ACHIEVED, PREFILL_ACHIEVED
from serve_app.core.step import decode_step, prefill_step
from serve_app.planning.candidate import candidate_of
from serve_app.planning.hardware import hardware_of
from serve_app.planning.model import model_of
from tests.gpu.prove.results import Results


@dataclass(frozen=True)
class Decode:
    """Measured: `step_s` of `batch` sequences with `context` tokens each, on average."""

    batch: int
    context: float
    step_s: float


def candidate(model: str, vllm: Mapping[str, Any], hardware: str) -> Candidate:
    return candidate_of(model_of(model, may_ask_hub=False), vllm, hardware_of(hardware))


def compare_memory(planned: Candidate, said: Mapping[str, float], results: Results) -> None:
    """Weights, what else is taken, and the tokens of the cache."""
    memory = footprint(planned)
    weights = sum(memory.parts[name] for name in WEIGHTS) / GIB
    results.compare("weights per GPU, GiB", weights, said.get("weights_gib", 0))
    if "kv_gib" in said:
        # As large as this GPU is, not as the table has it.
        usable = said.get("requested_gib", memory.usable / GIB)
        taken = usable - said["kv_gib"] - said.get("weights_gib", 0)
        results.compare("neither weights nor KV, GiB", memory.taken / GIB - weights, taken)
    tokens = said.get("kv_tokens", 0)
    results.compare("KV tokens of the engine", memory.kv_tokens, tokens)


WEIGHTS = (
    "attention",
    "shared experts",
    "routed experts",
    "dense layers",
    "embeddings",
    "MTP",
)


def compare_decode(planned: Candidate, measured: Sequence[Decode], results: Results) -> None:
    for found in measured:
        bound_s = decode_step(planned, found.batch, found.context).seconds
        what = f"decode step, {found.batch} × {found.context:.0f} tokens, ms"
        of_bound = bound_s / found.step_s
        results.compare(
            what,
            1e3 * bound_s / DECODE_ACHIEVED,
            1e3 * found.step_s,
            bound_ms=1e3 * bound_s,
            of_bound=of_bound,
        )


def compare_prefill(planned: Candidate, prompt: int, tokens_per_s: float, results: Results) -> None:
    chunk = planned.settings.max_num_batched_tokens
    bound = chunk / prefill_step(planned, chunk, prompt / 2).seconds
    what = f"prefill of {prompt} tokens, tokens/s"
    of_bound = tokens_per_s / bound
    results.compare(what, PREFILL_ACHIEVED * bound, tokens_per_s, bound=bound, of_bound=of_bound)


def extrapolate(
    measured_on: Candidate,
    whole: Candidate,
    steps: Sequence[Decode],
    said: Mapping[str, float],
    results: Results,
) -> None:
    """The whole model on eight GPUs, if each step reaches the same share of its bound there.

    What neither the weights nor the cache take is taken as measured here, although the graphs
    of 61 layers take more.
    """
    for step in steps:
        share = decode_step(measured_on, step.batch, step.context).seconds / step.step_s
        bound_s = decode_step(whole, step.batch, step.context).seconds
        results.add(
            f"61 layers on 8 GPUs, {step.batch} × {step.context:.0f} tokens",
            step_ms=1e3 * bound_s / share,
            tokens_per_s=step.batch * share / bound_s,
            of_bound=share,
        )
    small, large = footprint(measured_on), footprint(whole)
    planned = sum(small.parts[name] for name in WEIGHTS)
    if not said.get("weights_gib") or not said.get("kv_gib"):
        return
    usable = said.get("requested_gib", small.usable / GIB)
    other = (usable - said["kv_gib"] - said["weights_gib"]) * GIB
    weights = sum(large.parts[name] for name in WEIGHTS) * said["weights_gib"] * GIB / planned
    kv = large.usable - weights - other
    results.add(
        "61 layers on 8 GPUs, memory",
        weights_gib=weights / GIB,
        kv_gib=kv / GIB,
        kv_tokens=int(max(0, kv) / large.kv_bytes_per_token),
        planned_kv_tokens=large.kv_tokens,
    )


def on_eight(planned: Candidate, whole: Candidate) -> Candidate:
    """`whole` with the settings of `planned`, on a node of eight of the same GPUs."""
    hardware = replace(planned.hardware, nodes=1, gpus_per_node=8)
    return Candidate(whole.checkpoint, Layout(tensor=8), planned.settings, hardware)
