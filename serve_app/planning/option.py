"""One answer: a checkpoint in a layout, as many times as it fits, and how it does.

Memory first: the KV cache says how many typical sequences fit. Then the largest batch of them
that meets the objectives is what `max_num_seqs` should be.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from serve_app.core.compressed import Compressed
from serve_app.core.layout import Candidate, Gpu, Layout, Settings
from serve_app.core.memory import Footprint, footprint
from serve_app.core.roofline import Speed, largest_batch, speed
from serve_app.core.weights import NVFP4
from serve_app.planning.gpus import GPUS
from serve_app.planning.layouts import layouts
from serve_app.planning.model import Offer
from serve_app.planning.question import Question

MOST_SEQUENCES = 1024  # vLLM's own default on GPUs of 70 GiB and more
STEP = 8  # CUDA graphs are captured for multiples of it
LARGE_CHUNK, SMALL_CHUNK, SMALLEST_CHUNK = 8192, 2048, 1024
LARGE_MEMORY = 70e9  # below it, and on A100, vLLM's default chunk is the small one


@dataclass(frozen=True, slots=True)
class Option:
    """`obstacle` is why it is no answer; empty for one."""

    offer: Offer
    candidate: Candidate
    memory: Footprint
    replicas: int
    speed: Speed
    obstacle: str = ""

    @property
    def output_tokens_per_s(self) -> float:
        """Of all replicas."""
        return self.replicas * self.speed.output_tokens_per_s

    @property
    def is_supported(self) -> bool:
        """Whether vLLM runs it on such GPUs at all."""
        return not _unsupported(self.candidate)


def options(question: Question) -> Iterator[Option]:
    """Every checkpoint, KV dtype and layout, possible or not."""
    shape = question.model.shape
    # DeepSeek V4 is published with an fp8 cache, which is its own precision then.
    dtypes = ("fp8",) if isinstance(shape.attention, Compressed) else ("auto", "fp8")
    for offer, dtype in itertools.product(question.model.offers, dtypes):
        for layout in layouts(shape, question.hardware):
            yield option(question, offer, layout, kv_cache_dtype=dtype)


def option(question: Question, offer: Offer, layout: Layout, *, kv_cache_dtype: str) -> Option:
    """One of them, with the settings that suit it."""
    settings = Settings(
        max_model_len=question.context,
        max_num_batched_tokens=chunk_tokens(question.hardware.gpu, layout),
        kv_cache_dtype=kv_cache_dtype,
        has_mtp=question.has_mtp and question.model.shape.mtp_layers > 0,
    )
    candidate = Candidate(offer.checkpoint, layout, settings, question.hardware)
    replicas = max(1, question.hardware.gpus // layout.gpus)
    batch = _batch(question, candidate, replicas)
    ranks = layout.data
    per_rank = max(STEP, math.ceil(batch / ranks / STEP) * STEP)
    candidate = replace(candidate, settings=replace(settings, max_num_seqs=per_rank))
    found = speed(candidate, max(1, batch), question.workload)
    memory = footprint(candidate)
    obstacle = _obstacle(question, candidate, memory, found, replicas)
    return Option(offer, candidate, memory, replicas, found, obstacle)


def chunk_tokens(gpu: Gpu, layout: Layout) -> int:
    """`max_num_batched_tokens` of a data rank: vLLM's default where the replica could ask the
    GPU, shared by the data ranks, whose tokens meet at the experts."""
    is_large = gpu.memory_bytes >= LARGE_MEMORY and not gpu.name.startswith("A100")
    return max(SMALLEST_CHUNK, (LARGE_CHUNK if is_large else SMALL_CHUNK) // layout.data)


def _batch(question: Question, candidate: Candidate, replicas: int) -> int:
    """Sequences of one engine: what fits, what is asked for, what meets the objectives."""
    ranks = candidate.layout.data
    fit = footprint(candidate).sequences_of(question.workload.tokens) // ranks
    most = min(fit // STEP * STEP or fit, MOST_SEQUENCES) * ranks
    if question.concurrency:
        return int(min(most, question.sequences(replicas)))
    tpot_s = question.objectives.tpot_s
    batch = largest_batch(candidate, question.workload, tpot_s=tpot_s, most=most)
    return batch // STEP * STEP or batch


def _obstacle(
    question: Question, candidate: Candidate, memory: Footprint, found: Speed, replicas: int
) -> str:
    unsupported = _unsupported(candidate)
    if unsupported:
        return unsupported
    if not memory.fits:
        return f"short of {memory.missing / 1e9:.1f} GB per GPU"
    wanted, asked = question.objectives, question.sequences(replicas)
    if question.concurrency and found.sequences < asked:
        return f"{found.sequences} requests fit, {asked:.0f} in each replica are wanted"
    if found.ttft_s > wanted.ttft_s:
        return f"TTFT {found.ttft_s:.2f} s, wanted {wanted.ttft_s:g} s"
    if found.tpot_s > wanted.tpot_s:
        return f"TPOT {found.tpot_s * 1e3:.0f} ms, wanted {wanted.tpot_s * 1e3:g} ms"
    return ""


def _unsupported(candidate: Candidate) -> str:
    gpu, attention = candidate.hardware.gpu, candidate.shape.attention
    row = GPUS[gpu.name]
    if getattr(attention, "indexer", None) and not row.has_sparse_attention:
        return f"sparse attention needs Hopper or Blackwell, not {gpu.name}"
    if candidate.checkpoint.format is NVFP4 and row.is_amd:
        return f"NVFP4 needs a GPU of NVIDIA, not {gpu.name}"
    if candidate.settings.kv_cache_dtype == "fp8" and not gpu.fp8_flops:
        return f"{gpu.name} has no FP8"
    return ""
