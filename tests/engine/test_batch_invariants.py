from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.engine.batch import Batch, Sequence
from serve_app.engine.kv_cache import block_hashes

BLOCK = 4


def batch(*, blocks, max_num_seqs, chunk_tokens):
    return Batch(
        kv_tokens=blocks * BLOCK,
        block_tokens=BLOCK,
        max_num_seqs=max_num_seqs,
        prefill_tokens_per_s=100.0,
        decode_step_s=0.5,
        decode_step_per_seq_s=0.01,
        chunk_tokens=chunk_tokens,
    )


def sequence(families, tail, output_tokens):
    """Few families, so that prompts share prefixes."""
    ids = tuple(family for family in families for _ in range(BLOCK))
    return Sequence(len(ids) + tail, output_tokens, block_hashes(ids, BLOCK))


sequences = st.builds(
    sequence, st.lists(st.integers(0, 1), max_size=3), st.integers(1, BLOCK), st.integers(1, 12)
)
events = st.lists(
    st.one_of(
        sequences,
        st.just("step"),
        st.integers(0, 20).map(lambda index: ("abort", index)),
    ),
    max_size=40,
)


class Ledger:
    """Plays events into a batch and keeps the books that the batch must agree with."""

    def __init__(self, work):
        self.work = work
        self.added, self.aborted, self.finished = [], [], []

    def play(self, event):
        match event:
            case Sequence():
                self.work.add(event)
                self.added.append(event)
            case ("abort", index) if index < len(self.added):
                self.work.abort(self.added[index])
                self.aborted.append(self.added[index])
            case "step":
                self.step()
        self.work.check_invariants()
        assert 0.0 <= self.work.kv_usage <= 1.0

    def step(self):
        before = {s: s.produced for s in (*self.work.running, *self.work.waiting)}
        step = self.work.step()
        for sequence, tokens in before.items():
            assert sequence.produced - tokens == step.produced.count(sequence)
        assert set(step.finished) <= set(step.produced)
        assert bool(before) == (step.duration_s > 0)
        self.finished += step.finished


@settings(deadline=None, max_examples=60)
@given(events, st.integers(7, 12), st.integers(1, 4), st.integers(1, 9))
def test_every_sequence_finishes_once_or_is_aborted_and_no_token_is_lost(
    script, blocks, max_num_seqs, chunk_tokens
):
    work = batch(blocks=blocks, max_num_seqs=max_num_seqs, chunk_tokens=chunk_tokens)
    ledger = Ledger(work)
    for event in script:
        ledger.play(event)
    while work:
        ledger.play("step")
    assert len(ledger.finished) == len(set(ledger.finished))
    assert set(ledger.finished) | set(ledger.aborted) == set(ledger.added)
    assert all(s.produced == s.output_tokens for s in ledger.finished)
    assert work.kv_usage == 0.0


@settings(deadline=None, max_examples=60)
@given(st.lists(sequences, min_size=1, max_size=12), st.integers(1, 4))
def test_a_free_place_is_never_left_empty_while_memory_is_ample(waiting, max_num_seqs):
    work = batch(blocks=200, max_num_seqs=max_num_seqs, chunk_tokens=1000)
    for sequence in waiting:
        work.add(sequence)
    left = len(waiting)
    while work:
        step = work.step()
        assert len(work.running) + len(step.finished) == min(max_num_seqs, left)
        left -= len(step.finished)
