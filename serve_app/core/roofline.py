"""How fast an engine can be, and what holds it back: a step is never shorter than

    max(bytes read / bandwidth, flops / peak) + communication + launches

That is the bound. What engines reach of it is measured, not derived: `DECODE_ACHIEVED` and
`PREFILL_ACHIEVED` are fitted to published records of DeepSeek-V3 and R1, which the estimates
here then meet within a factor of 2 (tests/core/test_records.py). Nothing here knows kernels.
"""

from dataclasses import dataclass

from serve_app.core.layout import Candidate
from serve_app.core.memory import kv_bytes_per_token
from serve_app.core.shape import Parts

BANDWIDTH_ACHIEVED = 0.85  # of HBM, by kernels that stream
KERNELS_PER_LAYER = 12  # about 730 in a step of DeepSeek-V3's 61 layers
LAUNCH_S = 2e-6  # of a kernel inside a CUDA graph; a step of V3 then takes 3.3 to 4.5 ms
EAGER_LAUNCH_S = 1e-5
# An all-reduce of a few kB: AIConfigurator's p2p_latency, and fitted to the 23.1 ms per token of
# SGLang TP16 on two nodes.
LATENCY_S = 1e-5
NETWORK_LATENCY_S = 6e-5
# SGLang 0.5.7 on 8×H200 takes 10.9 ms per token at 4 requests, where the bound is 5.9 ms;
# DeepSeek's own decoding reaches a third of the bandwidth.
DECODE_ACHIEVED = 0.5
# DeepSeek's own prefill: 32.2 thousand uncached tokens per second and node of 8 H800.
PREFILL_ACHIEVED = 0.25


@dataclass(frozen=True, slots=True)
class Step:
    """The shortest time of one engine step, by what takes it."""

    bandwidth_s: float
    compute_s: float
    communication_s: float
    launch_s: float

    @property
    def seconds(self) -> float:
        busy_s = max(self.bandwidth_s, self.compute_s)
        return busy_s + self.communication_s + self.launch_s

    @property
    def bound(self) -> str:
        """What takes the most of it."""
        times = {
            "bandwidth": self.bandwidth_s,
            "compute": self.compute_s,
            "communication": self.communication_s,
            "launch": self.launch_s,
        }
        return max(times, key=times.__getitem__)

    def times(self, count: int) -> "Step":
        return Step(
            count * self.bandwidth_s,
            count * self.compute_s,
            count * self.communication_s,
            count * self.launch_s,
        )


@dataclass(frozen=True, slots=True)
class Workload:
    """A typical request."""

    input_tokens: int
    output_tokens: int

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def context(self) -> float:
        """Tokens in the cache, on average, while it decodes."""
        return self.input_tokens + self.output_tokens / 2


@dataclass(frozen=True, slots=True)
class Speed:
    """Of one engine that runs `sequences` at once, estimated."""

    sequences: int
    ttft_s: float  # of a request that need not wait
    tpot_s: float  # with the prefill of others between its tokens
    output_tokens_per_s: float
    decode: Step
    prefill: Step


@dataclass(frozen=True, slots=True)
class Rates:
    """What a simulated replica needs to know of an engine, data ranks together."""

    prefill_tokens_per_s: float
    decode_step_s: float  # with one sequence
    decode_step_per_seq_s: float  # more with each further one
    kv_tokens: int
    max_num_seqs: int
    chunk_tokens: int


def read_bytes(candidate: Candidate, batch: float, context: float) -> float:
    """What a decode step of `batch` sequences reads of one GPU's memory: its weights, of the
    routed experts those that are used, and the KV cache."""
    shape, layout = candidate.shape, candidate.layout
    weights = candidate.checkpoint.weights
    experts = shape.experts
    used = experts.touched(batch) / experts.routed if experts else 0.0
    layers = (
        weights.attention_whole
        + weights.router
        + (weights.attention_split + weights.shared + weights.dense) / layout.tensor
        + weights.routed * used / layout.expert_ranks
    ) * layout.stage_share(shape)
    head = weights.embeddings / (1 if shape.is_tied else 2) / layout.tensor
    shards = layout.data * layout.decode_context
    return layers + head + batch / shards * _attended(candidate, context)


def decode_step(candidate: Candidate, batch: float, context: float) -> Step:
    """One token for each of `batch` sequences, through every pipeline stage.

    Stages work on a part of the batch each; a sequence gets its next token after all of them.
    """
    stages = candidate.layout.pipeline
    part = max(1.0, batch / stages)
    read_s = read_bytes(candidate, part, context) / (
        BANDWIDTH_ACHIEVED * candidate.hardware.gpu.bandwidth_bytes_per_s
    )
    shape, tensor = candidate.shape, candidate.layout.tensor
    shared_by = candidate.layout.decode_context
    attention = shape.attention.decode_flops(context, tensor) / shared_by
    return _step(candidate, part, attention, read_s).times(stages)


def prefill_step(candidate: Candidate, tokens: float, context: float) -> Step:
    """A chunk of `tokens` prompt tokens of all data ranks, which attend to `context` others.

    All stages are busy with other chunks at the same time, so this is the time of one stage.
    """
    weights_s = read_bytes(candidate, tokens, 0) / (
        BANDWIDTH_ACHIEVED * candidate.hardware.gpu.bandwidth_bytes_per_s
    )
    attention = candidate.shape.attention.prefill_flops(context, candidate.layout.tensor)
    return _step(candidate, tokens, attention, weights_s)


def _attended(candidate: Candidate, context: float) -> float:
    """Bytes of cache that a token reads: a sparse model reads its best tokens only."""
    indexer = getattr(candidate.shape.attention, "indexer", None)
    if indexer is None or context <= indexer.top_k:
        return kv_bytes_per_token(candidate) * context
    index = indexer.kv_bytes * candidate.layout.stage_layers(candidate.shape)
    return (kv_bytes_per_token(candidate) - index) * indexer.top_k + index * context


def _step(candidate: Candidate, tokens: float, attention_flops: float, read_s: float) -> Step:
    """`attention_flops` are of one token and layer, on one GPU."""
    gpu, layout = candidate.hardware.gpu, candidate.layout
    layers = layout.stage_layers(candidate.shape)
    matrices = _matrix_flops(candidate, tokens) / gpu.flops(candidate.checkpoint.format.math)
    attention = tokens / layout.data * attention_flops * layers / gpu.bf16_flops
    launch_s = EAGER_LAUNCH_S if candidate.settings.enforce_eager else LAUNCH_S
    return Step(
        bandwidth_s=read_s,
        compute_s=matrices + attention,
        communication_s=_communication_s(candidate, tokens),
        launch_s=layers * KERNELS_PER_LAYER * launch_s,
    )


def _matrix_flops(candidate: Candidate, tokens: float) -> float:
    """Of one GPU: two for each parameter and token; experts see the tokens of all data ranks."""
    shape, layout = candidate.shape, candidate.layout
    count: Parts = shape.parameters
    split = count.attention_split + count.shared + count.dense
    own = tokens / layout.data * (count.attention_whole + count.router + split / layout.tensor)
    experts = shape.experts
    used = experts.per_token / experts.routed if experts else 0.0
    routed = tokens * count.routed * used / layout.expert_ranks
    return 2 * (own + routed) * layout.stage_share(shape)


def _communication_s(candidate: Candidate, tokens: float) -> float:
    """Twice per layer: after attention between tensor ranks, after the rest between all ranks.

    An all-reduce, and gathering tokens to experts and scattering their sums, both move
    2 × (ranks − 1) / ranks of the hidden states.
    """
    layout, shape = candidate.layout, candidate.shape
    layers = layout.stage_layers(shape)
    attention = _all_reduce_s(candidate, layout.tensor, tokens / layout.data)
    rest_ranks = layout.expert_ranks if shape.experts else layout.tensor
    rest = _all_reduce_s(candidate, rest_ranks, tokens if shape.experts else tokens / layout.data)
    stages = layout.pipeline > 1
    sent = tokens * shape.hidden * 2 / candidate.hardware.network_bytes_per_s if stages else 0.0
    return layers * (attention + rest) + sent


def _all_reduce_s(candidate: Candidate, ranks: int, tokens: float) -> float:
    if ranks == 1:
        return 0.0
    hardware = candidate.hardware
    latency_s = NETWORK_LATENCY_S if hardware.crosses_nodes(ranks) else LATENCY_S
    moved = 2 * (ranks - 1) / ranks * tokens * candidate.shape.hidden * 2
    return latency_s + moved / hardware.link_bytes_per_s(ranks)


def prefill_tokens_per_s(candidate: Candidate, workload: Workload) -> float:
    """Estimated, with full chunks: prompts of others fill the one that a short prompt leaves."""
    chunk = candidate.settings.max_num_batched_tokens * candidate.layout.data
    step = prefill_step(candidate, chunk, workload.input_tokens / 2)
    return PREFILL_ACHIEVED * chunk / step.seconds


def speed(candidate: Candidate, sequences: int, workload: Workload) -> Speed:
    """One engine at work, estimated. `sequences` requests take turns: while each of them makes
    its tokens, the prompts of as many others are read."""
    decode = decode_step(candidate, sequences, workload.context)
    chunk = candidate.settings.max_num_batched_tokens * candidate.layout.data
    prefill = prefill_step(candidate, chunk, workload.input_tokens / 2)
    read_s = workload.input_tokens / prefill_tokens_per_s(candidate, workload)
    tpot_s = decode.seconds / DECODE_ACHIEVED + sequences * read_s / workload.output_tokens
    first_s = decode_step(candidate, 1, workload.context).seconds / DECODE_ACHIEVED
    return Speed(sequences, read_s + first_s, tpot_s, sequences / tpot_s, decode, prefill)


def largest_batch(candidate: Candidate, workload: Workload, *, tpot_s: float, most: int) -> int:
    """The most sequences, of `most`, whose time per token is at most `tpot_s`; 0 if none."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if speed(candidate, middle, workload).tpot_s <= tpot_s:
            low = middle
        else:
            high = middle - 1
    return low


def rates(candidate: Candidate, workload: Workload, *, kv_tokens: int) -> Rates:
    """The estimates above as a straight line from one sequence to the most that run."""
    layout, settings = candidate.layout, candidate.settings
    most = settings.max_num_seqs * layout.data
    one_s = decode_step(candidate, 1, workload.context).seconds / DECODE_ACHIEVED
    full = max(2, min(most, kv_tokens // workload.tokens))
    full_s = decode_step(candidate, full, workload.context).seconds / DECODE_ACHIEVED
    return Rates(
        prefill_tokens_per_s=prefill_tokens_per_s(candidate, workload),
        decode_step_s=one_s,
        decode_step_per_seq_s=(full_s - one_s) / (full - 1),
        kv_tokens=kv_tokens,
        max_num_seqs=most,
        chunk_tokens=settings.max_num_batched_tokens * layout.data,
    )
