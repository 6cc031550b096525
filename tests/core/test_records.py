"""Published records of DeepSeek-V3 and R1 beside what is estimated: within a factor of 2.

`DECODE_ACHIEVED`, `PREFILL_ACHIEVED` and the latency between nodes were chosen beside the first,
the third and those of prefill; the others had no part in it.
"""

import pytest

from serve_app.core.layout import Gpu, Hardware, Layout
from serve_app.core.roofline import (
    DECODE_ACHIEVED,
    Workload,
    prefill_tokens_per_s,
    speed,
)
from serve_app.core.step import decode_step
from tests.core.v3 import B200, H100, H200, TWO_NODES_OF_H100, candidate, node

FACTOR = 2.0
# H800: an H100 with links of 200 GB/s in one direction.
H800 = Hardware(Gpu("H800", 80e9, 3.35e12, 989e12, 1979e12, 0, 200e9), 1, 8, 50e9)


def agrees(estimate: float, measured: float) -> bool:
    return 1 / FACTOR <= estimate / measured <= FACTOR


@pytest.mark.parametrize(
    ("layout", "hardware", "sequences", "load", "tpot_ms", "source"),
    [
        (Layout(8), node(H200), 4, Workload(1024, 8192), 10.9, "InferenceX#870, SGLang 0.5.7"),
        (Layout(8), node(H200), 4, Workload(8192, 1024), 12.1, "InferenceX#870, SGLang 0.5.7"),
        (Layout(16), TWO_NODES_OF_H100, 1, Workload(128, 128), 23.1, "tt-inference-server#356"),
    ],
)
def test_time_per_token(
    layout: Layout,
    hardware: Hardware,
    sequences: int,
    load: Workload,
    tpot_ms: float,
    source: str,
) -> None:
    found = speed(candidate(layout, hardware), sequences, load)

    assert agrees(found.tpot_s * 1e3, tpot_ms), f"{found.tpot_s * 1e3:.1f} ms; {source}"


@pytest.mark.parametrize(
    ("hardware", "tokens_per_s", "source"),
    [
        (H800, 32_200, "DeepSeek: 73.7 thousand, 56.3 % of them from the cache"),
        (node(H100), 52_300, "SGLang, May 2025: prefill and decode apart, prompts of 2000"),
    ],
)
def test_prefill_of_a_node_with_expert_parallelism(
    hardware: Hardware, tokens_per_s: float, source: str
) -> None:
    found = prefill_tokens_per_s(candidate(Layout(data=8), hardware), Workload(2000, 100))

    assert agrees(found, tokens_per_s), f"{found:.0f}; {source}"


def test_decode_of_an_h200_with_wide_expert_parallelism() -> None:
    """vLLM, December 2025: 2.2 thousand tokens per second and H200, decoding alone."""
    sequences = 237 * 8  # the KV cache of an H200 holds so many of 5 thousand tokens
    step_s = decode_step(candidate(Layout(data=8), node(H200)), sequences, 5_000).seconds
    found = sequences / (step_s / DECODE_ACHIEVED) / 8

    assert agrees(found, 2_200), f"{found:.0f}"


def test_tokens_of_a_node_under_a_mixed_load() -> None:
    """GPUStack's performance lab: vLLM 0.11 made 5.5 to 17.7 thousand, prompts included."""
    found = speed(candidate(Layout(8), node(H200)), 256, Workload(1536, 512))
    tokens_per_s = found.output_tokens_per_s * 2048 / 512

    assert 5_500 <= tokens_per_s <= 17_700


def test_blackwell_is_faster_than_hopper() -> None:
    """A table that is read wrongly would show here first."""
    load = Workload(1536, 512)
    hopper, blackwell = (speed(candidate(Layout(8), node(gpu)), 64, load) for gpu in (H200, B200))

    assert blackwell.tpot_s < hopper.tpot_s
