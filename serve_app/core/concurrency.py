"""How many sequences a replica should run: its slots.

    slots = overcommit × min(max_num_seqs, kv_tokens / expected_tokens)

Fewer waste the batch, more make vLLM preempt: it throws away KV cache that it has
computed, and computes it again. The number comes from what the engine reports, never
from a constant.
"""


def slots(
    *,
    kv_tokens: int,
    max_num_seqs: int,
    max_model_len: int,
    expected_tokens: int,
    overcommit: float,
) -> int:
    """Sequences to dispatch to one replica; at least 1.

    >>> slots(kv_tokens=560_000, max_num_seqs=1024, max_model_len=65_536,
    ...       expected_tokens=4096, overcommit=1.1)
    150
    """
    fit = kv_tokens / min(expected_tokens, max_model_len)
    return max(1, int(overcommit * min(max_num_seqs, fit)))
