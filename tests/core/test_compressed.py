"""DeepSeek V4: parameters, checkpoint and cache, beside what is published."""

import pytest

from serve_app.core.layout import Layout, Settings
from serve_app.core.memory import footprint
from serve_app.core.shape import Shape
from serve_app.core.weights import FP4, estimated
from tests.core.v3 import H200, V4_FLASH, V4_PRO, V32, candidate, node

FP8_CACHE = Settings(65_536, kv_cache_dtype="fp8")
WINDOW_BYTES = 128 * 584  # of a layer
PARTIAL_FINE, PARTIAL_COARSE = 8 * 2 * 512 * 8, 128 * 512 * 8


@pytest.mark.parametrize(
    ("shape", "billions", "used"), [(V4_FLASH, 284, 13), (V4_PRO, 1573, 49)], ids=["Flash", "Pro"]
)
def test_parameters_are_those_that_are_published(
    shape: Shape, billions: float, used: float
) -> None:
    assert shape.parameters.without_mtp / 1e9 == pytest.approx(billions, rel=0.002)
    assert shape.used_per_token / 1e9 == pytest.approx(used, rel=0.02)


@pytest.mark.parametrize(("shape", "gb"), [(V4_FLASH, 160), (V4_PRO, 865)], ids=["Flash", "Pro"])
def test_checkpoints_have_the_size_that_is_published(shape: Shape, gb: float) -> None:
    assert estimated(shape, FP4).weights.total / 1e9 == pytest.approx(gb, rel=0.01)


def test_a_million_tokens_of_v4_pro_take_9_62_gib_in_bf16() -> None:
    """So vLLM says, with an index of 256 bytes; the one that it keeps has 132."""
    index = 30 * (256 - 132) / 4
    found = 61 * V4_PRO.attention.kv_bytes("auto", 1) + index

    assert found * 2**20 / 2**30 == pytest.approx(9.62, abs=0.01)


def test_a_token_after_a_million_takes_27_percent_of_the_work_of_v32() -> None:
    v4, v32 = (
        2 * shape.used_per_token + shape.layers * shape.attention.decode_flops(2**20, 1)
        for shape in (V4_PRO, V32)
    )

    assert v4 / v32 == pytest.approx(0.27, abs=0.04)


@pytest.mark.parametrize(
    ("dtype", "size_bytes", "why"),
    [
        ("fp8", 21 * (584 + 132) / 4 + 20 * 584 / 128, "states of 584 bytes, indices of 132"),
        ("auto", 21 * (1024 + 132) / 4 + 20 * 1024 / 128, "states in bf16"),
    ],
)
def test_kv_cache_of_a_token(dtype: str, size_bytes: float, why: str) -> None:
    assert 43 * V4_FLASH.attention.kv_bytes(dtype, 8) == pytest.approx(size_bytes), why


def test_a_sequence_has_a_window_and_unfinished_states_however_short_it_is() -> None:
    partial = 21 * PARTIAL_FINE + 20 * PARTIAL_COARSE
    found = 43 * V4_FLASH.attention.sequence_bytes("fp8")

    assert found == pytest.approx(43 * WINDOW_BYTES + partial)


def test_short_sequences_take_more_of_the_cache_than_their_tokens() -> None:
    memory = footprint(candidate(Layout(8), node(H200), shape=V4_FLASH, settings=FP8_CACHE))

    assert memory.sequences_of(1000) < memory.kv_tokens // 2000
    assert memory.sequences_of(1_000_000) == pytest.approx(memory.kv_tokens // 1_000_000, rel=0.05)


@pytest.mark.parametrize("context", [0, 64, 2048, 1_000_000])
def test_a_token_reads_less_than_is_cached(context: float) -> None:
    attention = V4_FLASH.attention
    cached = attention.kv_bytes("fp8", 1) * context + attention.sequence_bytes("fp8")

    assert attention.read_bytes(context, "fp8", 1) <= cached


def test_work_grows_slowly_with_the_context() -> None:
    near, far = (V4_FLASH.attention.decode_flops(context, 8) for context in (2_000, 200_000))

    assert near < far < 50 * near
    assert V4_FLASH.attention.prefill_flops(2_000, 8) == near


def test_nothing_is_computed_anew_and_heads_are_exchanged() -> None:
    assert V4_FLASH.attention.scratch_values(8) == 0
    assert V4_FLASH.attention.exchanged_values(8) == 2 * 512 * 8
