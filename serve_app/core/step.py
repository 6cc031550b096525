"""The shortest time of one engine step, by what takes it:

    max(bytes read / bandwidth, flops / peak) + communication + launches

Bytes and flops follow from the model's shape and the layout. With full bandwidth, no launches
and no communication, DeepSeek-V3 on 8×H200 as TP8 is 842 tokens per second at batch 1.
"""

from dataclasses import dataclass, replace

from serve_app.core.layout import Candidate

BANDWIDTH_ACHIEVED = 0.85  # of HBM, by kernels that stream
KERNELS_PER_LAYER = 12  # about 730 in a step of DeepSeek-V3's 61 layers
LAUNCH_S = 2e-6  # of a kernel inside a CUDA graph: a step of V3 then takes 3.3 to 4.5 ms
EAGER_LAUNCH_S = 1e-5  # a guess
# An all-reduce of a few kB: AIConfigurator's p2p_latency; between nodes, fitted to the 23.1 ms
# per token of SGLang as TP16 on two.
LATENCY_S = 1e-5
NETWORK_LATENCY_S = 6e-5


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

    def times(self, count: float) -> "Step":
        return Step(
            count * self.bandwidth_s,
            count * self.compute_s,
            count * self.communication_s,
            count * self.launch_s,
        )


def read_bytes(candidate: Candidate, batch: float, context: float) -> float:
    """What a decode step of `batch` sequences reads of one GPU's memory: its weights, of the
    routed experts those that are used, and the KV cache. A draft reads the head once more."""
    shape, layout = candidate.shape, candidate.layout
    weights = candidate.checkpoint.weights
    experts = shape.experts
    used = experts.touched(batch * candidate.settings.drafted) / experts.routed if experts else 0.0
    layers = (
        weights.attention_whole
        + weights.router
        + (weights.attention_split + weights.shared + weights.dense) / layout.tensor
        + weights.routed * used / layout.expert_ranks
    ) * layout.stage_share(shape)
    head = weights.embeddings / (1 if shape.is_tied else 2) / layout.tensor
    head *= candidate.settings.drafted
    shards = layout.data * layout.decode_context
    attention, dtype = shape.attention, candidate.settings.kv_cache_dtype
    cache = layout.stage_layers(shape) * attention.read_bytes(context, dtype, layout.tensor)
    return layers + head + batch / shards * cache


def decode_step(candidate: Candidate, batch: float, context: float) -> Step:
    """One token for each of `batch` sequences, through every pipeline stage; with MTP, the token
    and a draft of the one after it, which a layer more has made.

    Stages work on a part of the batch each; a sequence gets its next token after all of them.
    """
    stages = candidate.layout.pipeline
    part = max(1.0, batch / stages)
    read_s = read_bytes(candidate, part, context) / (
        BANDWIDTH_ACHIEVED * candidate.hardware.gpu.bandwidth_bytes_per_s
    )
    # With decode context parallelism a rank has more heads and as much less context.
    attention = candidate.shape.attention.decode_flops(context, candidate.layout.tensor)
    tokens = part * candidate.settings.drafted
    step = _step(candidate, tokens, attention, read_s)
    exchange_s = _context_exchange_s(candidate, tokens)
    step = replace(step, communication_s=step.communication_s + exchange_s)
    drafting = candidate.shape.mtp_layers / candidate.shape.layers
    return step.times(stages + (drafting if candidate.settings.has_mtp else 0))


def prefill_step(candidate: Candidate, tokens: float, context: float) -> Step:
    """A chunk of `tokens` prompt tokens of all data ranks, which attend to `context` others.

    All stages are busy with other chunks at the same time, so this is the time of one stage.
    """
    weights_s = read_bytes(candidate, tokens, 0) / (
        BANDWIDTH_ACHIEVED * candidate.hardware.gpu.bandwidth_bytes_per_s
    )
    attention = candidate.shape.attention.prefill_flops(context, candidate.layout.tensor)
    return _step(candidate, tokens, attention, weights_s)


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
    count = shape.parameters
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


def _context_exchange_s(candidate: Candidate, tokens: float) -> float:
    """Queries to all parts of the context and their sums back: two more exchanges per layer."""
    layout, hardware = candidate.layout, candidate.hardware
    ranks = layout.decode_context
    if ranks == 1:
        return 0.0
    heads = candidate.shape.attention.exchanged_values(layout.tensor)
    moved = (ranks - 1) * tokens / layout.data * heads * 2
    exchange_s = 2 * LATENCY_S + moved / hardware.link_bytes_per_s(ranks)
    return layout.stage_layers(candidate.shape) * exchange_s


def _all_reduce_s(candidate: Candidate, ranks: int, tokens: float) -> float:
    if ranks == 1:
        return 0.0
    hardware = candidate.hardware
    latency_s = NETWORK_LATENCY_S if hardware.crosses_nodes(ranks) else LATENCY_S
    moved = 2 * (ranks - 1) / ranks * tokens * candidate.shape.hidden * 2
    return latency_s + moved / hardware.link_bytes_per_s(ranks)
