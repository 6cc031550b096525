"""What a continuously batching engine does in one step, and how long that step takes.

Each step computes the next token of every running sequence, and up to `chunk_tokens` of
prompts, first come first served:

    duration_s = decode_step_s + (decodes - 1) * decode_step_per_seq_s    if any decodes
               + prefilled / prefill_tokens_per_s

A waiting sequence starts when a place in the batch and KV blocks for all its tokens are
free; nobody overtakes it. When a running sequence needs one more block and there is none,
the newest one is preempted: it loses its KV, keeps its tokens and waits at the front.

Pure: `step()` returns its duration and the caller spends it, by sleeping or by adding.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

from serve_app.engine.kv_cache import KvCache

CHUNK_TOKENS = 2048  # vLLM's max_num_batched_tokens for a server on most devices


@dataclass(slots=True, eq=False)
class Sequence:
    """A prompt and the tokens that follow it, until there are `output_tokens` of them.

    `blocks` are hashes of its whole blocks, each standing for everything before it too; they
    may reach into the output where that is known.
    """

    prompt_tokens: int
    output_tokens: int
    blocks: tuple[int, ...] = ()
    tokens: int = field(init=False)  # prompt and output so far
    computed: int = field(default=0, init=False)  # of those, how many have KV
    cached: int = field(default=0, init=False)  # prompt tokens found in the prefix cache
    room: int = field(default=0, init=False)  # tokens that its KV blocks can hold
    shared: list[int] = field(default_factory=list, init=False)  # blocks held under their hash
    published: int = field(default=0, init=False)  # leading `blocks` that were offered to others

    def __post_init__(self) -> None:
        self.tokens = self.prompt_tokens

    @property
    def produced(self) -> int:
        """Output tokens so far."""
        return self.tokens - self.prompt_tokens


@dataclass(frozen=True, slots=True)
class Step:
    """One step: each of `produced` has one more token; `finished` have left the batch. So many
    `decodes` were not the first token of their answer, and `prefilled` tokens were read."""

    duration_s: float
    produced: list[Sequence]
    finished: list[Sequence]
    decodes: int = 0
    prefilled: int = 0


class Batch:
    """Waiting and running sequences on one engine."""

    def __init__(
        self,
        *,
        kv_tokens: int,
        block_tokens: int,
        max_num_seqs: int,
        prefill_tokens_per_s: float,
        decode_step_s: float,
        decode_step_per_seq_s: float,
        chunk_tokens: int = CHUNK_TOKENS,
    ) -> None:
        self.waiting: OrderedDict[Sequence, None] = OrderedDict()
        self.running: dict[Sequence, None] = {}  # oldest first
        self.preempted = 0
        self.started_tokens = 0  # looked up in the prefix cache, over all starts
        self.cached_tokens = 0  # found there
        self._kv = KvCache(kv_tokens // block_tokens)
        self._block_tokens = block_tokens
        self._max_num_seqs = max_num_seqs
        self._prefill_tokens_per_s = prefill_tokens_per_s
        self._decode_step_s = decode_step_s
        self._decode_step_per_seq_s = decode_step_per_seq_s
        self._chunk_tokens = chunk_tokens

    def __repr__(self) -> str:
        kv = f"{self._kv.held * self._block_tokens}/{self.kv_tokens} kv tokens"
        return f"<Batch {len(self.running)} running, {len(self.waiting)} waiting, {kv}>"

    def __bool__(self) -> bool:
        return bool(self.running or self.waiting)

    @property
    def kv_tokens(self) -> int:
        """Tokens that the cache holds, in whole blocks."""
        return self._kv.capacity * self._block_tokens

    @property
    def kv_usage(self) -> float:
        """Share of the KV cache that sequences hold; idle prefixes count as free."""
        return self._kv.held / self._kv.capacity

    def add(self, sequence: Sequence) -> None:
        """Let a sequence wait. ValueError if it could never run, even alone."""
        total = sequence.prompt_tokens + sequence.output_tokens
        if sequence.prompt_tokens < 1 or sequence.output_tokens < 1 or total > self.kv_tokens:
            raise ValueError(
                f"{sequence.prompt_tokens} prompt and {sequence.output_tokens} output tokens: "
                f"both must be at least 1, and together at most the KV cache's {self.kv_tokens}"
            )
        self.waiting[sequence] = None

    def abort(self, sequence: Sequence) -> None:
        """Forget a sequence and free its KV; nothing happens if it already left."""
        self.waiting.pop(sequence, None)
        if sequence in self.running:
            self._leave(sequence)

    def step(self) -> Step:
        """Compute one step. With anything waiting or running, at least one token is computed."""
        self._make_room()
        produced: list[Sequence] = []
        decodes = prefilled = 0
        for sequence in chain(list(self.running), self._starting()):
            todo = sequence.tokens - sequence.computed
            if todo == 1:
                decodes += 1
            else:
                todo = min(todo, self._chunk_tokens - prefilled)
                prefilled += todo
            sequence.computed += todo
            if todo > 1 or not sequence.computed % self._block_tokens:
                self._publish(sequence)
            if sequence.computed == sequence.tokens:
                sequence.tokens += 1
                produced.append(sequence)
            if prefilled == self._chunk_tokens:  # only the newest can be inside its prompt
                break
        duration_s, finished = self._duration_s(decodes, prefilled), self._finish(produced)
        return Step(duration_s, produced, finished, decodes, prefilled)

    def check_invariants(self) -> None:
        """Raise AssertionError if a block or a sequence is lost, counted twice or over a limit."""
        self._kv.check_invariants(
            shared=[block for sequence in self.running for block in sequence.shared],
            private=sum(s.room // self._block_tokens - len(s.shared) for s in self.running),
        )
        assert len(self.running) <= self._max_num_seqs
        assert not self.running.keys() & self.waiting.keys()
        assert all(s.tokens - s.computed == 1 for s in list(self.running)[:-1])
        assert all(s.computed < s.tokens <= s.room + 1 for s in self.running)
        assert all(s.produced < s.output_tokens for s in chain(self.running, self.waiting))
        assert not any(s.computed or s.room or s.shared for s in self.waiting)

    def _duration_s(self, decodes: int, prefilled: int) -> float:
        duration_s = prefilled / self._prefill_tokens_per_s
        if decodes:
            duration_s += self._decode_step_s + (decodes - 1) * self._decode_step_per_seq_s
        return duration_s

    def _make_room(self) -> None:
        """Give every running sequence a place for its next token; preempt where there is none."""
        for sequence in [s for s in self.running if s.tokens > s.room]:
            while sequence in self.running and not self._kv.grow(1):
                self._preempt(next(reversed(self.running)))
            if sequence in self.running:
                sequence.room += self._block_tokens

    def _preempt(self, sequence: Sequence) -> None:
        self._leave(sequence)
        self.waiting[sequence] = None
        self.waiting.move_to_end(sequence, last=False)
        self.preempted += 1

    def _starting(self) -> Iterator[Sequence]:
        """Start waiting sequences, one per item that is taken, until the first that cannot."""
        while self.waiting and len(self.running) < self._max_num_seqs:
            sequence = next(iter(self.waiting))
            if not self._start(sequence):
                return
            yield sequence

    def _start(self, sequence: Sequence) -> bool:
        blocks = -(-sequence.tokens // self._block_tokens)
        # The last token is always computed: its logits make the next one.
        reusable = sequence.blocks[: (sequence.tokens - 1) // self._block_tokens]
        shared = self._kv.claim(reusable, blocks)
        if shared is None:
            return False
        del self.waiting[sequence]
        self.running[sequence] = None
        sequence.shared, sequence.published = shared, len(shared)
        sequence.room = blocks * self._block_tokens
        sequence.computed = len(shared) * self._block_tokens
        if not sequence.produced:
            sequence.cached = sequence.computed
        self.started_tokens += sequence.tokens
        self.cached_tokens += sequence.computed
        return True

    def _publish(self, sequence: Sequence) -> None:
        whole = sequence.computed // self._block_tokens
        for block in sequence.blocks[sequence.published : whole]:
            if self._kv.publish(block):
                sequence.shared.append(block)
        sequence.published = whole

    def _finish(self, produced: list[Sequence]) -> list[Sequence]:
        finished = [s for s in produced if s.tokens - s.prompt_tokens == s.output_tokens]
        for sequence in finished:
            self._leave(sequence)
        return finished

    def _leave(self, sequence: Sequence) -> None:
        del self.running[sequence]
        blocks = sequence.room // self._block_tokens
        self._kv.release(sequence.shared, private=blocks - len(sequence.shared))
        sequence.shared = []
        sequence.room = sequence.computed = 0
