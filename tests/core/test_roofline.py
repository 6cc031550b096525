"""The bound of a step, and the estimates above it."""

from dataclasses import replace

import pytest

from serve_app.core.layout import Hardware, Layout, Settings
from serve_app.core.roofline import (
    DECODE_ACHIEVED,
    DRAFT_ACCEPTED,
    Workload,
    largest_batch,
    rates,
    speed,
    token_s_of,
)
from serve_app.core.step import Step, decode_step, prefill_step, read_bytes
from serve_app.core.weights import BF16, INT4, NVFP4, Format
from tests.core.v3 import A100, B200, H100, H200, LLAMA_8B, TWO_NODES_OF_H100, V32, candidate, node

LOAD = Workload(1536, 512)
TP8 = candidate(Layout(8), node(H200))


@pytest.mark.parametrize(
    ("context", "tokens_per_s"), [(0, 842), (5_000, 793), (32_000, 604), (128_000, 327)]
)
def test_v3_reads_so_much_per_token_that_bandwidth_alone_allows(
    context: int, tokens_per_s: float
) -> None:
    """As TP8 on 8×H200, at batch 1."""
    assert 4.8e12 / read_bytes(TP8, 1, context) == pytest.approx(tokens_per_s, rel=0.002)


def test_one_gpu_would_read_37_7_gb_per_token() -> None:
    alone = candidate(Layout(), node(H200, 1))

    assert read_bytes(alone, 1, 0) / 1e9 == pytest.approx(37.7, rel=0.002)


def test_a_step_of_v3_takes_3_to_4_and_a_half_ms() -> None:
    step = decode_step(TP8, 1, 0)

    assert 3.3e-3 < step.seconds < 4.5e-3
    assert step.bound == "launch"


def test_more_sequences_touch_more_experts_until_all_are_read() -> None:
    sizes = [read_bytes(TP8, batch, 0) for batch in (1, 4, 64, 1024, 100_000)]

    assert sizes == sorted(sizes)
    assert sizes[-1] < TP8.checkpoint.weights.total / 8 * 1.05


@pytest.mark.parametrize(
    ("step", "bound"),
    [
        (Step(2, 1, 1, 1), "bandwidth"),
        (Step(1, 2, 1, 1), "compute"),
        (Step(1, 1, 2, 1), "communication"),
        (Step(1, 1, 1, 2), "launch"),
    ],
)
def test_what_takes_the_most_is_the_bound(step: Step, bound: str) -> None:
    assert step.bound == bound
    assert step.seconds == max(step.bandwidth_s, step.compute_s) + step.communication_s + (
        step.launch_s
    )


@pytest.mark.parametrize(
    ("form", "hardware", "peak", "why"),
    [
        (INT4, node(H200), 989e12, "four bits are widened to bf16"),
        (NVFP4, node(B200), 9000e12, "Blackwell multiplies in fp4"),
        (NVFP4, node(H100), 989e12, "Hopper does not"),
        (BF16, node(A100), 312e12, "Ampere's bf16"),
    ],
)
def test_flops_are_those_of_the_format_where_the_gpu_has_them(
    form: Format, hardware: Hardware, peak: float, why: str
) -> None:
    assert hardware.gpu.flops(form.math) == peak, why


def test_ranks_on_two_nodes_wait_for_the_network() -> None:
    inside = decode_step(candidate(Layout(8, 2), TWO_NODES_OF_H100), 1, 0)
    across = decode_step(candidate(Layout(16), TWO_NODES_OF_H100), 1, 0)

    assert across.bound == "communication"
    assert across.communication_s > 4 * inside.communication_s


def test_a_stage_reads_another_chunk_while_the_next_one_works() -> None:
    whole = prefill_step(candidate(Layout(8), node(H100)), 8192, 0)
    stage = prefill_step(candidate(Layout(8, 2), TWO_NODES_OF_H100), 8192, 0)

    assert stage.compute_s < 0.6 * whole.compute_s


def test_parts_of_the_context_exchange_queries_and_sums() -> None:
    whole = decode_step(TP8, 64, 10_000)
    divided = decode_step(candidate(Layout(8, decode_context=8), node(H200)), 64, 10_000)

    assert divided.bandwidth_s < whole.bandwidth_s
    assert divided.communication_s > whole.communication_s
    assert divided.compute_s == whole.compute_s


def test_a_draft_computes_two_tokens_reads_one_cache_and_makes_one_point_eight() -> None:
    drafted = replace(TP8, settings=replace(TP8.settings, has_mtp=True))
    plain_step, step = (decode_step(one, 64, 4096) for one in (TP8, drafted))
    cache = 64 * 4096 * 70_272

    assert step.compute_s == pytest.approx(2 * 62 / 61 * plain_step.compute_s)
    assert read_bytes(drafted, 64, 4096) - read_bytes(drafted, 64, 0) == pytest.approx(cache)
    assert read_bytes(drafted, 1, 0) > read_bytes(TP8, 1, 0), "two tokens want more experts"
    assert token_s_of(drafted, 64, LOAD) == pytest.approx(
        decode_step(drafted, 64, LOAD.context).seconds / DECODE_ACHIEVED / (1 + DRAFT_ACCEPTED)
    )
    assert speed(drafted, 64, LOAD).tpot_s < speed(TP8, 64, LOAD).tpot_s


def test_one_gpu_has_nobody_to_talk_to() -> None:
    alone = candidate(Layout(), node(H100, 1), shape=LLAMA_8B, form=BF16)

    assert decode_step(alone, 8, 1000).communication_s == 0


def test_launches_cost_more_without_graphs() -> None:
    eager = candidate(Layout(8), node(H200), settings=Settings(65_536, enforce_eager=True))

    assert decode_step(eager, 1, 0).launch_s == pytest.approx(5 * decode_step(TP8, 1, 0).launch_s)


def test_sparse_attention_reads_its_best_tokens_and_every_index() -> None:
    sparse = candidate(Layout(8), node(H200), shape=V32)
    near, far, further = (read_bytes(sparse, 1, context) for context in (2048, 4096, 6144))

    assert far - near == pytest.approx(61 * 132 * 2048)
    assert further - far == pytest.approx(61 * 132 * 2048)


def test_a_request_reads_its_prompt_and_takes_a_step() -> None:
    one = speed(TP8, 1, LOAD)
    many = speed(TP8, 128, LOAD)

    assert 0.05 < one.ttft_s == many.ttft_s < 0.2
    assert one.tpot_s < many.tpot_s
    assert one.output_tokens_per_s < many.output_tokens_per_s


@pytest.mark.parametrize("most", [0, 1, 7, 256])
def test_the_largest_batch_within_a_time_per_token(most: int) -> None:
    found = largest_batch(TP8, LOAD, tpot_s=0.05, most=most)

    assert found <= most
    assert not found or speed(TP8, found, LOAD).tpot_s <= 0.05
    assert found == most or speed(TP8, found + 1, LOAD).tpot_s > 0.05


def test_no_batch_is_faster_than_one_sequence() -> None:
    assert largest_batch(TP8, LOAD, tpot_s=0.001, most=256) == 0


def test_rates_are_a_line_from_one_sequence_to_all() -> None:
    found = rates(TP8, LOAD, kv_tokens=560_000)
    [_, (full, full_s)] = found.decode_steps

    assert found.max_num_seqs == full == 256
    assert found.chunk_tokens == 8192
    assert full_s == pytest.approx(2 * decode_step(TP8, 256, LOAD.context).seconds)


def test_rates_count_all_data_ranks() -> None:
    found = rates(candidate(Layout(data=8), node(H200)), LOAD, kv_tokens=2_000_000)

    assert (found.max_num_seqs, found.chunk_tokens) == (2048, 8192)


def test_rates_without_room_for_two_are_those_of_two() -> None:
    [(one, one_s), (two, two_s)] = rates(TP8, LOAD, kv_tokens=0).decode_steps

    assert (one, two) == (1, 2)
    assert 0 < one_s < two_s
