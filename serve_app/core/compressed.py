"""DeepSeek V4's attention: one shared head for keys and values, cached for groups of tokens.

Every layer sees a short window of single tokens. Most see further: some a state for each four
tokens, of which an indexer picks the best, some a state for each 128, all of which they read.
All numbers are means over the layers. From vllm/models/deepseek_v4/ (attention.py, compressor.py)
and transformers' modeling_deepseek_v4.py.
"""

from dataclasses import dataclass

from serve_app.core.attention import Indexer

STATE_BYTES = {"fp8": 584, "auto": 1024}  # of 512 values: fp8_ds_mla with its scales, or bf16
FINE, COARSE = 4, 128  # tokens that share a state
PARTIAL_BYTES = 2 * 4  # of a value of an unfinished state: sum and score, float32


@dataclass(frozen=True, slots=True)
class Compressed:
    """`fine` and `coarse` of `layers` layers see more than the window."""

    heads: int
    q_rank: int
    size: int
    groups: int
    o_rank: int
    indexer: Indexer
    window: int
    layers: int
    fine: int
    coarse: int

    def split(self, hidden: int) -> float:
        """Queries, and the output in two steps, the first of them by group."""
        heads = self.heads * self.size
        return self.q_rank * heads + heads * self.o_rank + self.groups * self.o_rank * hidden

    def whole(self, hidden: int) -> float:
        """Down-projections, the compressors (values and scores; twice as wide in fine layers),
        and the indexer, which has a fine compressor of its own."""
        index = self.q_rank * self.indexer.heads * self.indexer.size
        index += hidden * (self.indexer.heads + 4 * self.indexer.size)
        fine, coarse = hidden * 4 * self.size + index, hidden * 2 * self.size
        return hidden * (self.q_rank + self.size) + self._mean(fine, coarse)

    def kv_bytes(self, dtype: str, tensor: int) -> float:  # noqa: ARG002
        state = STATE_BYTES[dtype]
        return self._mean((state + self.indexer.kv_bytes) / FINE, state / COARSE)

    def sequence_bytes(self, dtype: str) -> float:
        """The window, and the states that are not finished yet: of two groups in fine layers."""
        values = self.size * PARTIAL_BYTES
        partial = self._mean(4 * FINE * values, COARSE * values)
        return self.window * STATE_BYTES[dtype] + partial

    def read_bytes(self, context: float, dtype: str, tensor: int) -> float:  # noqa: ARG002
        state = STATE_BYTES[dtype]
        groups = context / FINE
        fine = min(groups, self.indexer.top_k) * state + groups * self.indexer.kv_bytes
        return min(context, self.window) * state + self._mean(fine, context / COARSE * state)

    def decode_flops(self, context: float, tensor: int) -> float:
        each = 4 * self.heads / tensor * self.size
        groups = context / FINE
        fine = each * min(groups, self.indexer.top_k) + self.indexer.flops(groups)
        return each * min(context, self.window) + self._mean(fine, each * context / COARSE)

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

    def _mean(self, fine: float, coarse: float) -> float:
        return (self.fine * fine + self.coarse * coarse) / self.layers
