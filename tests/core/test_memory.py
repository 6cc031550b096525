"""What an engine takes of a GPU, beside what deployments/deepseek.yaml and its sources say."""

from dataclasses import replace

import pytest

from serve_app.core.layout import Hardware, Layout, Settings
from serve_app.core.memory import GIB, footprint, kv_bytes_per_token
from serve_app.core.shape import Shape
from serve_app.core.weights import BF16, FP8, INT4, Format
from tests.core.v3 import B200, H100, H200, LLAMA_8B, TWO_NODES_OF_H100, V3, V32, candidate, node


@pytest.mark.parametrize(
    ("layout", "hardware", "weights_gb", "million_tokens", "source"),
    [
        (Layout(8), node(H200), 84.1, 0.56, "deployments/deepseek.yaml"),
        (Layout(data=8), node(H200), 101, 1.74, "2.6 with 6 GB beside weights"),
        (Layout(8, 2), TWO_NODES_OF_H100, 42, 0.7, "half of the layers on each node"),
        (Layout(16), TWO_NODES_OF_H100, 42, 0.374, "0.36 with 6 GB beside weights"),
        (Layout(8), node(B200), 84.1, 1.07, ""),
        (Layout(data=8), node(B200), 101, 5.82, "6.7 with 6 GB beside weights"),
    ],
    ids=str,
)
def test_v3_in_fp8(
    layout: Layout, hardware: Hardware, weights_gb: float, million_tokens: float, source: str
) -> None:
    memory = footprint(candidate(layout, hardware))

    assert memory.weights.total / 1e9 == pytest.approx(weights_gb, rel=0.04)
    assert memory.kv_tokens / 1e6 == pytest.approx(million_tokens, rel=0.03), source
    assert memory.fits


ON_H100 = replace(H100, memory_bytes=79.18 * GIB)
DEEPSEEK = Settings(16384, max_num_seqs=128, max_num_batched_tokens=8192)
DENSE = Settings(8192, max_num_seqs=256, max_num_batched_tokens=8192)


@pytest.mark.parametrize(
    ("shape", "form", "layout", "settings", "weights_gib", "kv_tokens"),
    [
        (replace(V3, layers=10), FP8, Layout(2), DEEPSEEK, 40.35, 2_390_928),
        (replace(V3, layers=6), FP8, Layout(2), DEEPSEEK, 18.81, 7_332_992),
        (LLAMA_8B, BF16, Layout(), DENSE, 15.0, 461_360),
        (LLAMA_8B, BF16, Layout(2), replace(DENSE, enforce_eager=True), 7.54, 1_042_560),
    ],
    ids=["V3, 10 layers", "V3, 6 layers", "Llama 8B", "Llama 8B on two, eager"],
)
def test_what_vllm_said_on_h100(
    shape: Shape,
    form: Format,
    layout: Layout,
    settings: Settings,
    weights_gib: float,
    kv_tokens: int,
) -> None:
    memory = footprint(
        candidate(layout, node(ON_H100, layout.gpus), shape=shape, form=form, settings=settings)
    )

    assert memory.weights.total / GIB == pytest.approx(weights_gib, rel=0.03)
    assert memory.kv_tokens == pytest.approx(kv_tokens, rel=0.05)


@pytest.mark.parametrize(
    ("form", "fits"), [(FP8, False), (INT4, True)], ids=lambda value: str(value)[:20]
)
def test_fp8_does_not_fit_eight_h100_and_int4_does(form: Format, fits: bool) -> None:
    memory = footprint(candidate(Layout(8), node(H100), form=form))

    assert memory.fits is fits
    assert (memory.missing > 0) is not fits


def test_what_is_missing_is_the_weights_and_one_sequence() -> None:
    memory = footprint(candidate(Layout(8), node(H100)))

    assert memory.kv < 0
    assert memory.kv_tokens == memory.full_sequences == 0
    assert memory.missing == pytest.approx(65_536 * 70_272 - memory.kv)


def test_the_parts_and_the_kv_cache_are_what_vllm_may_take() -> None:
    memory = footprint(candidate(Layout(8), node(H200)))

    assert sum(memory.parts.values()) == pytest.approx(memory.taken)
    assert memory.taken + memory.kv == pytest.approx(0.92 * 141e9)
    assert memory.full_sequences == memory.kv_tokens // 65_536 == 8


def test_decode_context_ranks_cache_different_tokens() -> None:
    whole, divided = (
        footprint(candidate(Layout(8, decode_context=shards), node(H200))) for shards in (1, 8)
    )

    assert divided.kv_tokens == 8 * whole.kv_tokens
    assert divided.kv_bytes_per_token == whole.kv_bytes_per_token


def test_mtp_takes_weights_and_a_layer_of_kv_cache() -> None:
    plain = candidate(Layout(8), node(H200))
    drafted = replace(plain, settings=replace(plain.settings, has_mtp=True))

    assert footprint(plain).weights.mtp == 0
    assert footprint(drafted).weights.mtp * 8 / 1e9 == pytest.approx(15.4, rel=0.01)
    assert kv_bytes_per_token(drafted) == 62 * 1152


def test_no_graphs_in_eager_mode() -> None:
    eager, plain = (
        footprint(candidate(Layout(8), node(H200), settings=Settings(65_536, enforce_eager=value)))
        for value in (True, False)
    )

    assert eager.graphs == 0 < plain.graphs


def test_a_dense_model_on_one_gpu_has_no_experts_and_nobody_to_talk_to() -> None:
    memory = footprint(candidate(Layout(), node(H100, 1), shape=LLAMA_8B, form=BF16))

    assert memory.buffers == memory.weights.routed == 0
    assert memory.weights.total / 1e9 == pytest.approx(16.06, rel=0.01)


def test_data_ranks_of_a_dense_model_gather_nothing() -> None:
    dense = footprint(candidate(Layout(data=2), node(H100, 2), shape=LLAMA_8B, form=BF16))
    experts = footprint(candidate(Layout(data=2), node(H200, 2), shape=V3))

    assert dense.buffers < experts.buffers


def test_embeddings_of_stages_are_on_two_nodes() -> None:
    whole, stages = (
        footprint(candidate(layout, TWO_NODES_OF_H100)).weights.embeddings
        for layout in (Layout(8), Layout(8, 2))
    )

    assert stages == whole / 2


def test_layouts_read_as_people_write_them() -> None:
    layouts = (Layout(), Layout(8, 2), Layout(2, data=4), Layout(8, decode_context=8))

    assert list(map(str, layouts)) == ["TP1", "TP8 PP2", "TP2 DP4", "TP8 DCP8"]
    assert [layout.gpus for layout in layouts] == [1, 16, 8, 8]


def test_a_group_of_ranks_is_as_fast_as_its_slowest_link() -> None:
    assert TWO_NODES_OF_H100.gpus == 16
    assert TWO_NODES_OF_H100.link_bytes_per_s(8) == H100.link_bytes_per_s
    assert TWO_NODES_OF_H100.link_bytes_per_s(16) == 50e9


def test_v32_caches_its_indexer_too() -> None:
    fp8 = Settings(65_536, kv_cache_dtype="fp8")

    assert kv_bytes_per_token(candidate(Layout(8), node(H200), shape=V32, settings=fp8)) == 48_068
