"""What an engine takes of one GPU's memory, part by part, and the KV cache that is left.

    kv = gpu_memory_utilization × memory − weights − activations − graphs − buffers − runtime
    kv_tokens = kv / bytes per token on one GPU, × data ranks, × decode context ranks

Weights follow from the shape of the model or from its files. The other parts are what vLLM 0.32
said of them on H100 (docs/log.md, 2026-11-25): DeepSeek-V3's layers, 6 and 10 of them, as TP2 with
experts in Triton, and Llama 8B's shape as TP1 and TP2. Everything else is extrapolated by the
formulas below: more ranks than two, data ranks, sparse attention, other kernels for experts,
other graphs than those of decode steps.
"""

from dataclasses import dataclass

from serve_app.core.layout import Candidate
from serve_app.core.shape import Experts, Parts

MIB, GIB = 1 << 20, 1 << 30
# Of float32 sums in graphs, vLLM's estimate is 2.8 (MLA) and 2.2 (grouped heads) times one set.
# Layers share them: 6 and 10 took the same.
SUM_COPIES = 2.7
SPLITS = 32  # vLLM's VLLM_FLASH_ATTN_MAX_NUM_SPLITS_FOR_CUDA_GRAPH
LARGEST_GRAPH = 512  # of sequences, if max_num_seqs allows: vLLM's default
# By number of ranks. Two: what TP2 of the 8B took beyond weights and what TP1 took, all-reduce
# workspaces included. Four: the 50 MiB more that AIConfigurator observed (systems/*.yaml).
COMMUNICATION_BYTES = {1: 0.0, 2: 0.75 * GIB, 4: 0.8 * GIB}
# Kernels, cuBLAS and the sampler's state: what TP1 of the 8B took beyond its weights. The CUDA
# context (0.5 GiB) lies outside of `gpu_memory_utilization`: vLLM begins to count after it.
RUNTIME_BYTES = 0.41 * GIB
HIDDEN_COPIES = 3  # residual, normed and summed
LOGITS_BYTES = 10  # per vocabulary entry and sequence: bf16, float32, and the sampler's float32
SCRATCH_TOKENS = 65_536  # vLLM's limit, mla_attention.py: determine_chunked_prefill_workspace_size
SEQUENCES_IN_SCRATCH = 8


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes on the fullest GPU; `usable` is what vLLM may take of it."""

    usable: float
    weights: Parts
    activations: float
    graphs: float
    buffers: float
    runtime: float
    kv_bytes_per_token: float
    kv_bytes_per_sequence: float  # beside its tokens; 0 for all but DeepSeek V4
    token_shards: int  # ranks with tokens of their own: data × decode context
    data: int
    max_model_len: int

    @property
    def parts(self) -> dict[str, float]:
        """What is taken before the KV cache, by what it is for."""
        weights = self.weights
        return {
            "attention": weights.attention_whole + weights.attention_split,
            "shared experts": weights.shared + weights.router,
            "routed experts": weights.routed,
            "dense layers": weights.dense,
            "embeddings": weights.embeddings,
            "MTP": weights.mtp,
            "activations": self.activations,
            "CUDA graphs": self.graphs,
            "communication": self.buffers,
            "runtime": self.runtime,
        }

    @property
    def taken(self) -> float:
        return sum(self.parts.values())

    @property
    def kv(self) -> float:
        """Bytes that are left for the KV cache; below 0 nothing is, and the weights miss some."""
        return self.usable - self.taken

    @property
    def kv_tokens(self) -> int:
        """Of the whole engine, were they one sequence for each data rank."""
        tokens = (self.kv - self.kv_bytes_per_sequence) / self.kv_bytes_per_token
        return max(0, int(tokens)) * self.token_shards

    @property
    def full_sequences(self) -> int:
        """Of `max_model_len` tokens, at once."""
        return self.sequences_of(self.max_model_len)

    @property
    def missing(self) -> float:
        """Bytes per GPU by which it fails to hold one sequence of `max_model_len`; 0: it fits."""
        return max(0.0, self.sequence_bytes(self.max_model_len) - self.kv)

    def sequences_of(self, tokens: int) -> int:
        """Sequences of so many tokens that the engine holds at once."""
        return max(0, int(self.kv / self.sequence_bytes(tokens))) * self.data

    def sequence_bytes(self, tokens: int) -> float:
        """Of KV cache, on each of the ranks that share a sequence."""
        ranks = self.token_shards / self.data
        return tokens / ranks * self.kv_bytes_per_token + self.kv_bytes_per_sequence

    def tokens_in(self, kv_bytes: float) -> int:
        """Of the longest sequence that so much KV cache on each GPU holds."""
        ranks = self.token_shards / self.data
        tokens = (kv_bytes - self.kv_bytes_per_sequence) / self.kv_bytes_per_token
        return max(0, int(tokens * ranks))

    @property
    def fits(self) -> bool:
        return self.missing == 0


def footprint(candidate: Candidate) -> Footprint:
    """What one engine takes of each GPU."""
    layout, settings = candidate.layout, candidate.settings
    attention, dtype = candidate.shape.attention, settings.kv_cache_dtype
    return Footprint(
        usable=settings.gpu_memory_utilization * candidate.hardware.gpu.memory_bytes,
        weights=_weights_on_a_gpu(candidate),
        activations=_activations(candidate),
        graphs=0.0 if settings.enforce_eager else _graphs(candidate),
        buffers=_buffers(candidate),
        runtime=RUNTIME_BYTES,
        kv_bytes_per_token=kv_bytes_per_token(candidate),
        kv_bytes_per_sequence=_kv_layers(candidate) * attention.sequence_bytes(dtype),
        token_shards=layout.data * layout.decode_context,
        data=layout.data,
        max_model_len=settings.max_model_len,
    )


def kv_bytes_per_token(candidate: Candidate) -> float:
    """What a token takes of the KV cache of each GPU that caches it.

    A latent is whole on every tensor-parallel rank; decode context parallelism gives each rank
    other tokens instead. Measured with vLLM 0.32 on a tiny model: two ranks with 1 GiB each held
    2³⁰ / (3 layers × 576 × 2) tokens, not twice that.
    """
    dtype, tensor = candidate.settings.kv_cache_dtype, candidate.layout.tensor
    return _kv_layers(candidate) * candidate.shape.attention.kv_bytes(dtype, tensor)


def _kv_layers(candidate: Candidate) -> int:
    mtp = candidate.shape.mtp_layers if candidate.settings.has_mtp else 0
    return candidate.layout.stage_layers(candidate.shape) + mtp


def _weights_on_a_gpu(candidate: Candidate) -> Parts:
    """Layers are divided by pipeline stages, their matrices by tensor ranks, experts by all."""
    whole, layout = candidate.checkpoint.weights, candidate.layout
    stage = layout.stage_share(candidate.shape)
    experts = layout.expert_ranks
    # Both embeddings are on different stages, if there are stages.
    matrices = 1 if candidate.shape.is_tied or layout.pipeline == 1 else 2
    return Parts(
        attention_whole=whole.attention_whole * stage,
        attention_split=whole.attention_split * stage / layout.tensor,
        router=whole.router * stage,
        shared=whole.shared * stage / layout.tensor,
        routed=whole.routed * stage / experts,
        dense=whole.dense * stage / layout.tensor,
        embeddings=whole.embeddings / layout.tensor / matrices,
        mtp=whole.mtp / experts if candidate.settings.has_mtp else 0.0,
    )


def _activations(candidate: Candidate) -> float:
    """The peak of a step with a full chunk, and what the fused experts keep for one.

    Hidden states beside the largest of: queries and outputs with the keys and values of cached
    latents, computed anew for prefill; gate, up and their product of a dense layer. Or logits,
    which are computed when those are gone.
    """
    shape, layout, settings = candidate.shape, candidate.layout, candidate.settings
    tokens = settings.max_num_batched_tokens
    hidden = HIDDEN_COPIES * tokens * shape.hidden * 2
    scratch = min(SEQUENCES_IN_SCRATCH * settings.max_model_len, SCRATCH_TOKENS)
    attention = 2 * (
        tokens * shape.attention.chunk_values(layout.tensor)
        + scratch * shape.attention.scratch_values(layout.tensor)
    )
    dense = tokens * 3 * shape.width / layout.tensor * 2 if shape.dense_layers else 0
    logits = settings.max_num_seqs * shape.vocab * LOGITS_BYTES  # gathered on every rank
    experts = _expert_buffers(shape.experts, tokens * layout.data, shape.hidden)
    return max(hidden + max(attention, dense), logits) + experts


def _expert_buffers(experts: Experts | None, tokens: int, hidden: int) -> float:
    """Of the tokens of all data ranks, since vLLM's default all-to-all gathers them: one for
    gate and up, one for their product, each wide enough for the result (TritonExperts)."""
    if experts is None:
        return 0.0
    widths = max(hidden, 2 * experts.width) + max(hidden, experts.width)
    return tokens * experts.per_token * widths * 2


def _graphs(candidate: Candidate) -> float:
    """Of the largest decode step: attention over parts of the context keeps a sum of each."""
    settings = candidate.settings
    tokens = min(settings.max_num_seqs, LARGEST_GRAPH) * settings.drafted
    sums = tokens * candidate.shape.attention.summed_values(candidate.layout.tensor)
    return SUM_COPIES * SPLITS * sums * 4


def _buffers(candidate: Candidate) -> float:
    """Of communication, and the tokens of all data ranks where the experts are."""
    layout, settings = candidate.layout, candidate.settings
    ranks = COMMUNICATION_BYTES.get(layout.gpus, COMMUNICATION_BYTES[4])
    if layout.data == 1 or not candidate.shape.experts:
        return ranks
    gathered = layout.data * settings.max_num_batched_tokens * candidate.shape.hidden * 2
    return ranks + 2 * gathered
