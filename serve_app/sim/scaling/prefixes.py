"""What the KV cache of a replayed replica holds, in tokens: of running sequences, and prefixes.

The same rules as `engine.kv_cache`, counted in tokens instead of small blocks: a prefix block is
shared by all that begin with it, stays when nobody uses it, and goes, the oldest first, when
there is no room for something else.
"""

from collections import OrderedDict
from collections.abc import Sequence


class KvTokens:
    """Room for `capacity` tokens; prefix blocks are `block_tokens` long."""

    def __init__(self, capacity: int, block_tokens: int) -> None:
        self.capacity = capacity
        self.block_tokens = block_tokens
        self.own = 0  # tokens of running sequences outside prefix blocks
        self._used: dict[int, int] = {}  # prefix block → sequences that use it
        self._idle: OrderedDict[int, None] = OrderedDict()  # the longest unused is first

    def __repr__(self) -> str:
        return f"<KvTokens {self.held}/{self.capacity} held, {len(self._idle)} idle blocks>"

    @property
    def held(self) -> int:
        """Tokens that running sequences need; idle prefixes count as free."""
        return self.own + len(self._used) * self.block_tokens

    def cached(self, blocks: Sequence[int]) -> int:
        """How many of `blocks` are here, from the first on."""
        count = 0
        for block in blocks:
            if block not in self._used and block not in self._idle:
                break
            count += 1
        return count

    def share(self, blocks: Sequence[int]) -> None:
        """One more sequence uses these blocks."""
        for block in blocks:
            self._idle.pop(block, None)
            self._used[block] = self._used.get(block, 0) + 1
        self.shrink()

    def unshare(self, blocks: Sequence[int]) -> None:
        """One less does; who was last leaves them idle, the end of the prefix to go first."""
        for block in reversed(blocks):
            self._used[block] -= 1
            if not self._used[block]:
                del self._used[block]
                self._idle[block] = None

    def shrink(self) -> None:
        """Forget idle prefixes until all fits."""
        while self._idle and self.held + len(self._idle) * self.block_tokens > self.capacity:
            self._idle.popitem(last=False)
