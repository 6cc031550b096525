"""Who holds which block of a simulated KV cache, and which blocks are kept for their prefix.

A block is private to one sequence, or shared under a hash that stands for its tokens and
all tokens before them. A shared block that nobody holds stays as *idle*, and is the first
to go when room is needed, oldest first.

    held (private + shared) + idle <= capacity

Pure: no clock, no event loop. All counts are blocks.
"""

from collections.abc import Iterable


def block_hashes(token_ids: tuple[int, ...], block_tokens: int) -> tuple[int, ...]:
    """One hash per whole block, each of its own tokens and all before them."""
    hashes: list[int] = []
    parent = 0
    for end in range(block_tokens, len(token_ids) + 1, block_tokens):
        parent = hash((parent, token_ids[end - block_tokens : end]))
        hashes.append(parent)
    return tuple(hashes)


class KvCache:
    """A fixed number of blocks, reference-counted where sequences share a prefix."""

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError("kv_tokens is less than one block of block_tokens; raise kv_tokens")
        self.capacity = capacity
        self.held = 0
        self._references: dict[int, int] = {}
        self._idle: dict[int, None] = {}

    def __repr__(self) -> str:
        return f"<KvCache {self.held}/{self.capacity} blocks held, {len(self._idle)} idle>"

    def claim(self, hashes: Iterable[int], blocks: int) -> list[int] | None:
        """Hold `blocks` blocks and return those that are shared: the longest cached prefix of
        `hashes`. None, and nothing is held, when there is no room."""
        shared = self._cached_prefix(hashes)
        woken = sum(block in self._idle for block in shared)
        if self.held + woken + blocks - len(shared) > self.capacity:
            return None
        for block in shared:
            self._references[block] = self._references.get(block, 0) + 1
            self._idle.pop(block, None)
        self.held += woken
        self.grow(blocks - len(shared))
        return shared

    def grow(self, blocks: int) -> bool:
        """Hold `blocks` more private blocks, at the expense of idle ones; False if none is left."""
        if self.held + blocks > self.capacity:
            return False
        self.held += blocks
        while self.held + len(self._idle) > self.capacity:
            del self._idle[next(iter(self._idle))]
        return True

    def publish(self, block: int) -> bool:
        """Share a private block under its hash; False if another copy already has that name."""
        if block in self._references or block in self._idle:
            return False
        self._references[block] = 1
        return True

    def release(self, shared: list[int], *, private: int) -> None:
        """Let go of a sequence's blocks. A prefix outlives its tail, so the tail idles first."""
        self.held -= private
        for block in reversed(shared):
            self._references[block] -= 1
            if not self._references[block]:
                del self._references[block]
                self._idle[block] = None
                self.held -= 1

    def check_invariants(self, shared: Iterable[int], *, private: int) -> None:
        """Raise AssertionError unless exactly these blocks, one per holder, are held."""
        holders = list(shared)
        assert sum(self._references.values()) == len(holders)
        assert set(self._references) == set(holders)
        assert self.held == len(self._references) + private
        assert self.held + len(self._idle) <= self.capacity
        assert not self._references.keys() & self._idle.keys()

    def _cached_prefix(self, hashes: Iterable[int]) -> list[int]:
        prefix: list[int] = []
        for block in hashes:
            if block not in self._references and block not in self._idle:
                break
            prefix.append(block)
        return prefix
