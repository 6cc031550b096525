"""Parameters, bytes and KV cache of models, beside what is published of them."""

import pytest

from serve_app.core.attention import Attention, GroupedHeads, Latent
from serve_app.core.shape import Experts, Shape
from serve_app.core.weights import BF16, FP8, INT4, NVFP4, Format, estimated
from tests.core.v3 import LATENT, LLAMA_8B, V3, V32

QWEN_32B = Shape("Qwen2.5-32B", 64, 5120, 152064, 27648, GroupedHeads(40, 8, 128), 131072)
V2_LITE = Shape(
    "V2-Lite", 27, 2048, 102400, 10944, Latent(16, 0, 512, 128, 64, 128), 163840,
    Experts(64, 6, 2, 1408, 1),
)  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "billions", "source"),
    [
        (V3, 671.0, "DeepSeek-V3's paper: 671 B"),
        (LLAMA_8B, 8.03, "Llama 3.1's model card: 8.03 B"),
        (QWEN_32B, 32.76, "Qwen2.5's files: 32.76 B"),
        (V2_LITE, 15.7, "DeepSeek-V2's paper: 15.7 B"),
    ],
)
def test_parameters_are_those_that_are_published(
    shape: Shape, billions: float, source: str
) -> None:
    assert shape.parameters.without_mtp / 1e9 == pytest.approx(billions, rel=0.002), source


@pytest.mark.parametrize(
    ("part", "billions"),
    [
        ("attention", 11.41),
        ("routed", 653.9),
        ("shared", 2.55),
        ("dense", 1.19),
        ("embeddings", 1.85),
    ],
)
def test_the_parts_of_v3(part: str, billions: float) -> None:
    parts = V3.parameters
    attention = parts.attention_whole + parts.attention_split
    found = attention if part == "attention" else getattr(parts, part)

    assert found / 1e9 == pytest.approx(billions, rel=0.003)


@pytest.mark.parametrize(
    ("shape", "billions"), [(V3, 36.6), (V2_LITE, 2.45), (LLAMA_8B, 7.5)], ids=lambda s: str(s)[:20]
)
def test_a_token_is_multiplied_with_its_experts_and_one_embedding(
    shape: Shape, billions: float
) -> None:
    assert shape.used_per_token / 1e9 == pytest.approx(billions, rel=0.01)


def test_tied_embeddings_are_one_matrix() -> None:
    tied = Shape("tied", 1, 8, 100, 16, GroupedHeads(2, 2, 4), 64, is_tied=True)

    assert tied.parameters.embeddings == 800


@pytest.mark.parametrize(
    ("form", "main_gb", "all_gb", "source"),
    [
        (FP8, 673.1, 688.6, "the index of deepseek-ai/DeepSeek-V3"),
        (BF16, 1342, None, "671.0 B × 2"),
        (INT4, 351.5, None, "cards quote 340 to 350"),
        (NVFP4, 402, None, "NVIDIA's cards quote 400 to 425, MTP in bf16 included"),
    ],
)
def test_checkpoints_of_v3(form: Format, main_gb: float, all_gb: float | None, source: str) -> None:
    weights = estimated(V3, form).weights

    assert weights.without_mtp / 1e9 == pytest.approx(main_gb, rel=0.001), source
    assert all_gb is None or weights.total / 1e9 == pytest.approx(all_gb, rel=0.001), source


def test_a_model_without_experts_is_quantised_as_a_whole() -> None:
    weights = estimated(LLAMA_8B, NVFP4).weights

    assert weights.attention_split == LLAMA_8B.parameters.attention_split * NVFP4.expert_bytes


@pytest.mark.parametrize(
    ("attention", "dtype", "tensor", "layers", "size_bytes", "why"),
    [
        (LATENT, "auto", 1, 61, 70_272, "61 layers × 576 × 2"),
        (LATENT, "auto", 8, 61, 70_272, "tensor parallelism does not divide the latent"),
        (LATENT, "fp8", 8, 61, 35_136, "one byte a value"),
        (V32.attention, "fp8", 1, 61, 48_068, "61 × (656 + 132): fp8_ds_mla and the indexer"),
        (V32.attention, "auto", 1, 61, 61 * (1152 + 132), "the indexer's keys stay fp8"),
        (LLAMA_8B.attention, "auto", 1, 32, 131_072, "32 layers × 8 heads × 128 × 2 × 2"),
        (LLAMA_8B.attention, "fp8", 4, 32, 16_384, "two of the eight heads on each rank"),
        (LLAMA_8B.attention, "auto", 16, 32, 16_384, "a head is never halved"),
    ],
)
def test_kv_cache_of_a_token(
    attention: Attention, dtype: str, tensor: int, layers: int, size_bytes: float, why: str
) -> None:
    assert layers * attention.kv_bytes(dtype, tensor) == size_bytes, why


@pytest.mark.parametrize(
    ("attention", "tensor", "decode", "prefill"),
    [
        (LATENT, 8, 2 * 16 * 1088, 2 * 16 * 320),
        (LLAMA_8B.attention, 4, 4 * 128 * 8, 4 * 128 * 8),
    ],
)
def test_work_per_token_of_context(
    attention: Attention, tensor: int, decode: float, prefill: float
) -> None:
    assert attention.decode_flops(1, tensor) == decode
    assert attention.prefill_flops(1, tensor) == prefill


def test_sparse_attention_looks_at_its_best_tokens_with_padded_heads_and_scores_all() -> None:
    score = 2 * 64 * 128
    near, far = (V32.attention.decode_flops(context, 8) for context in (100, 100_000))

    assert near == 2 * 64 * 1088 * 100 + score * 100
    assert far == 2 * 64 * 1088 * 2048 + score * 100_000
    assert V32.attention.prefill_flops(100, 8) == near


def test_what_ranks_recompute_and_exchange() -> None:
    assert LATENT.scratch_values(8) == 16 * 256
    assert LATENT.exchanged_values(8) == 16 * 1088
    assert LLAMA_8B.attention.scratch_values(8) == 0
    assert LLAMA_8B.attention.exchanged_values(8) == 4 * 256
