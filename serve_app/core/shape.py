"""What a transformer is made of, in numbers: parameters by part, KV cache and work per token.

The numbers come from a model's config.json. Parameters count weight matrices; norms and
biases, under 0.01 % of a large model, are left out. What tensor parallelism divides is `split`,
what each rank holds whole is `whole`: vLLM replicates the down-projections and the router of
a DeepSeek model (vllm/model_executor/models/deepseek_v2.py).
"""

import math
from dataclasses import astuple, dataclass
from typing import Protocol

FP8_SCALE_GROUP = 128  # values of a cached latent that share one 4-byte scale in fp8_ds_mla
SPARSE_HEADS = 64  # the sparse kernels pad the heads of a rank to this many


class Attention(Protocol):
    """One layer's attention. KV and work are per token."""

    def split(self, hidden: int) -> int:
        """Parameters that tensor parallelism divides."""
        ...

    def whole(self, hidden: int) -> int:
        """Parameters that every tensor-parallel rank holds."""
        ...

    def kv_bytes(self, dtype: str, tensor: int) -> float:
        """Bytes that one of `tensor` ranks caches of a token."""
        ...

    def decode_flops(self, context: float, tensor: int) -> float:
        """Work of one rank for a token that attends to `context` others in the cache."""
        ...

    def prefill_flops(self, context: float, tensor: int) -> float:
        """Work of one rank for a prompt token that attends to `context` others."""
        ...

    def scratch_values(self, tensor: int) -> int:
        """Values that a rank computes anew of each cached token that a chunk attends to."""
        ...


@dataclass(frozen=True, slots=True)
class GroupedHeads:
    """Grouped-query attention: Llama, Qwen. A KV head is never halved, so ranks share them."""

    heads: int
    kv_heads: int
    size: int

    def split(self, hidden: int) -> int:
        return 2 * hidden * self.size * (self.heads + self.kv_heads)

    def whole(self, hidden: int) -> int:  # noqa: ARG002
        return 0

    def kv_bytes(self, dtype: str, tensor: int) -> float:
        value_bytes = 1 if dtype == "fp8" else 2
        return 2 * self.size * math.ceil(self.kv_heads / tensor) * value_bytes

    def decode_flops(self, context: float, tensor: int) -> float:
        return 4 * self.size * context * self.heads / tensor

    def prefill_flops(self, context: float, tensor: int) -> float:
        return self.decode_flops(context, tensor)

    def scratch_values(self, tensor: int) -> int:  # noqa: ARG002
        return 0


@dataclass(frozen=True, slots=True)
class Indexer:
    """DeepSeek Sparse Attention (V3.2): cheap heads choose the tokens that are attended to."""

    heads: int
    size: int
    top_k: int

    def parameters(self, hidden: int, q_rank: int) -> int:
        return q_rank * self.heads * self.size + hidden * (self.size + self.heads)

    @property
    def kv_bytes(self) -> float:
        return self.size + 4 * self.size / FP8_SCALE_GROUP

    def flops(self, context: float) -> float:
        return 2 * self.heads * self.size * context


@dataclass(frozen=True, slots=True)
class Latent:
    """Multi-head latent attention: DeepSeek V2 and V3. All heads read one latent per token,
    so each rank caches all of it: tensor parallelism shrinks nothing."""

    heads: int
    q_rank: int  # 0: queries are not compressed (V2-Lite)
    kv_rank: int
    nope: int
    rope: int
    value: int
    indexer: Indexer | None = None

    def split(self, hidden: int) -> int:
        queries = (self.q_rank or hidden) * self.heads * (self.nope + self.rope)
        return queries + self.heads * (
            self.kv_rank * (self.nope + self.value) + self.value * hidden
        )

    def whole(self, hidden: int) -> int:
        down = hidden * (self.q_rank + self.kv_rank + self.rope)
        return down + (self.indexer.parameters(hidden, self.q_rank) if self.indexer else 0)

    def kv_bytes(self, dtype: str, tensor: int) -> float:  # noqa: ARG002
        latent: float = (self.kv_rank + self.rope) * (1 if dtype == "fp8" else 2)
        if self.indexer is None:
            return latent
        if dtype == "fp8":  # fp8_ds_mla: scales beside the latent, and the rotary part in bf16
            latent = self.kv_rank + 4 * self.kv_rank / FP8_SCALE_GROUP + 2 * self.rope
        return latent + self.indexer.kv_bytes

    def decode_flops(self, context: float, tensor: int) -> float:
        """Scores over latent and rotary part, values from the latent ("absorbed")."""
        heads = self.heads / tensor
        if self.indexer is None:
            return 2 * heads * (2 * self.kv_rank + self.rope) * context
        attended = min(context, self.indexer.top_k)
        sparse = 2 * max(heads, SPARSE_HEADS) * (2 * self.kv_rank + self.rope) * attended
        return sparse + self.indexer.flops(context)

    def prefill_flops(self, context: float, tensor: int) -> float:
        if self.indexer is not None:
            return self.decode_flops(context, tensor)
        return 2 * self.heads / tensor * (self.nope + self.rope + self.value) * context

    def scratch_values(self, tensor: int) -> int:
        return self.heads // tensor * (self.nope + self.value)


@dataclass(frozen=True, slots=True)
class Experts:
    """The mixture of experts in all layers but the first `dense_layers`."""

    routed: int
    per_token: int
    shared: int
    width: int
    dense_layers: int

    def touched(self, tokens: float) -> float:
        """How many of a layer's experts `tokens` tokens are expected to use, chosen evenly.

        >>> round(Experts(256, 8, 1, 2048, 3).touched(4), 1)
        30.5
        """
        return self.routed * (1 - (1 - self.per_token / self.routed) ** tokens)


@dataclass(frozen=True, slots=True)
class Parts:
    """One number for each part of a model: parameters, or bytes."""

    attention_whole: float = 0
    attention_split: float = 0
    router: float = 0
    shared: float = 0
    routed: float = 0
    dense: float = 0
    embeddings: float = 0
    mtp: float = 0

    @property
    def total(self) -> float:
        return sum(astuple(self))

    @property
    def without_mtp(self) -> float:
        return self.total - self.mtp


@dataclass(frozen=True, slots=True)
class Shape:
    """A model, as its config.json describes it. `width` is of dense layers, 0 without any."""

    name: str
    layers: int
    hidden: int
    vocab: int
    width: int
    attention: Attention
    max_model_len: int
    experts: Experts | None = None
    is_tied: bool = False  # one matrix for both embeddings
    mtp_layers: int = 0

    @property
    def moe_layers(self) -> int:
        return self.layers - self.experts.dense_layers if self.experts else 0

    @property
    def dense_layers(self) -> int:
        return self.layers - self.moe_layers

    @property
    def head(self) -> int:
        """Parameters of one embedding matrix."""
        return self.vocab * self.hidden

    @property
    def layer(self) -> Parts:
        """Parameters of one layer with experts."""
        experts = self.experts or Experts(0, 0, 0, 0, 0)
        expert = 3 * self.hidden * experts.width
        return Parts(
            attention_whole=self.attention.whole(self.hidden),
            attention_split=self.attention.split(self.hidden),
            router=self.hidden * experts.routed,
            shared=experts.shared * expert,
            routed=experts.routed * expert,
        )

    @property
    def parameters(self) -> Parts:
        """All of them. An MTP layer is one more layer, a projection of two hidden states to
        one, and its own copy of both embeddings."""
        layer = self.layer
        mtp = layer.total + 2 * self.hidden**2 + 2 * self.head
        return Parts(
            attention_whole=self.layers * layer.attention_whole,
            attention_split=self.layers * layer.attention_split,
            router=self.moe_layers * layer.router,
            shared=self.moe_layers * layer.shared,
            routed=self.moe_layers * layer.routed,
            dense=self.dense_layers * 3 * self.hidden * self.width,
            embeddings=self.head * (1 if self.is_tied else 2),
            mtp=self.mtp_layers * mtp,
        )

    @property
    def used_per_token(self) -> float:
        """Parameters that one token is multiplied with: its experts, one embedding of two."""
        every = self.parameters
        used = every.total - every.mtp - every.embeddings + self.head
        if self.experts:
            used -= every.routed * (1 - self.experts.per_token / self.experts.routed)
        return used
