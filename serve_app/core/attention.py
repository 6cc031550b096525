"""One layer's attention: its parameters, what it caches of a token, and its work.

What tensor parallelism divides is `split`, what each rank holds whole is `whole`: vLLM
replicates the down-projections of a DeepSeek model (model_executor/models/deepseek_v2.py).
"""

import math
from dataclasses import dataclass
from typing import Protocol

FP8_SCALE_GROUP = 128  # values of a cached latent that share one 4-byte scale in fp8_ds_mla
SPARSE_HEADS = 64  # the sparse kernels pad the heads of a rank to this many


class Attention(Protocol):
    """One layer's attention. KV and work are per token."""

    @property
    def heads(self) -> int: ...

    def split(self, hidden: int) -> float:
        """Parameters that tensor parallelism divides."""
        ...

    def whole(self, hidden: int) -> float:
        """Parameters that every tensor-parallel rank holds."""
        ...

    def kv_bytes(self, dtype: str, tensor: int) -> float:
        """Bytes that one of `tensor` ranks caches of a token."""
        ...

    def sequence_bytes(self, dtype: str) -> float:
        """Bytes that a rank caches of a sequence, however long it is."""
        ...

    def read_bytes(self, context: float, dtype: str, tensor: int) -> float:
        """Bytes of its cache that a rank reads for a token after `context` others."""
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

    def chunk_values(self, tensor: int) -> float:
        """Queries and outputs of one rank's heads for a token of a chunk."""
        ...

    def summed_values(self, tensor: int) -> float:
        """What one rank's heads sum up for a token of a decode step."""
        ...

    def exchanged_values(self, tensor: int) -> float:
        """Queries and sums of one rank's heads for a token: what ranks with other parts of the
        context (decode context parallelism) send each other."""
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

    def sequence_bytes(self, dtype: str) -> float:  # noqa: ARG002
        return 0.0

    def read_bytes(self, context: float, dtype: str, tensor: int) -> float:
        return self.kv_bytes(dtype, tensor) * context

    def decode_flops(self, context: float, tensor: int) -> float:
        return 4 * self.size * context * self.heads / tensor

    def prefill_flops(self, context: float, tensor: int) -> float:
        return self.decode_flops(context, tensor)

    def scratch_values(self, tensor: int) -> int:  # noqa: ARG002
        return 0

    def chunk_values(self, tensor: int) -> float:
        return 2 * self.size * self.heads / tensor

    def summed_values(self, tensor: int) -> float:
        return self.size * self.heads / tensor

    def exchanged_values(self, tensor: int) -> float:
        return 2 * self.size * self.heads / tensor


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

    def sequence_bytes(self, dtype: str) -> float:  # noqa: ARG002
        return 0.0

    def read_bytes(self, context: float, dtype: str, tensor: int) -> float:
        """All of it; a sparse model reads every index, and the rest of its best tokens."""
        size = self.kv_bytes(dtype, tensor)
        if self.indexer is None:
            return size * context
        index, attended = self.indexer.kv_bytes, min(context, self.indexer.top_k)
        return (size - index) * attended + index * context

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

    def chunk_values(self, tensor: int) -> float:
        return (self.nope + self.rope + self.value) * self.heads / tensor

    def summed_values(self, tensor: int) -> float:
        return self.kv_rank * self.heads / tensor

    def exchanged_values(self, tensor: int) -> float:
        return (2 * self.kv_rank + self.rope) * self.heads / tensor
