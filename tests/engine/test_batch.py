import pytest

from serve_app.engine.batch import Batch, Sequence
from serve_app.engine.kv_cache import block_hashes

BLOCK = 4


def batch(**knobs):
    defaults = {
        "kv_tokens": 1000,
        "block_tokens": BLOCK,
        "max_num_seqs": 8,
        "prefill_tokens_per_s": 100.0,
        "decode_step_s": 0.5,
        "decode_step_per_seq_s": 0.01,
    }
    return Batch(**(defaults | knobs))


def prompt(*blocks, output_tokens=1, tail=1):
    """A prompt of whole blocks, named by what is in them, and `tail` tokens more."""
    ids = tuple(token for block in blocks for token in [block] * BLOCK)
    return Sequence(len(ids) + tail, output_tokens, block_hashes(ids, BLOCK))


def run_to_end(work):
    steps = []
    while work:
        steps.append(work.step())
    return steps


@pytest.mark.parametrize(
    ("decodes", "prompt_tokens", "duration_s", "reason"),
    [
        (1, 0, 0.5, "one sequence takes decode_step_s"),
        (3, 0, 0.52, "each further one adds decode_step_per_seq_s"),
        (0, 50, 0.5, "a prompt alone costs only its tokens"),
        (3, 50, 1.02, "a prompt in the same step delays those that decode"),
    ],
)
def test_a_step_lasts_as_long_as_its_decodes_and_its_prefill(
    decodes, prompt_tokens, duration_s, reason
):
    work = batch()
    for _ in range(decodes):
        work.add(Sequence(2, 3))
    if decodes:
        work.step()
    if prompt_tokens:
        work.add(Sequence(prompt_tokens, 1))
    assert work.step().duration_s == pytest.approx(duration_s), reason


def test_the_first_token_comes_with_the_last_chunk_of_the_prompt():
    work = batch(chunk_tokens=10)
    long = Sequence(25, 2)
    work.add(long)
    assert [len(work.step().produced) for _ in range(3)] == [0, 0, 1]
    assert long.produced == 1


def test_decodes_go_on_while_a_long_prompt_is_computed_in_chunks():
    work = batch(chunk_tokens=10)
    short, long = Sequence(2, 9), Sequence(25, 1)
    work.add(short)
    work.step()
    work.add(long)
    assert [work.step().produced for _ in range(3)] == [[short], [short], [short, long]]


def test_prompts_share_one_chunk_first_come_first_served():
    work = batch(chunk_tokens=10)
    first, second = Sequence(8, 5), Sequence(8, 5)
    work.add(first)
    work.add(second)
    assert work.step().produced == [first]
    assert (first.computed, second.computed) == (8, 2)


def test_no_more_than_max_num_seqs_run_and_the_next_starts_when_one_finishes():
    work = batch(max_num_seqs=2)
    for output_tokens in (1, 3, 3):
        work.add(Sequence(2, output_tokens))
    seen = []
    while work:
        work.step()
        seen.append((len(work.running), len(work.waiting)))
    assert seen == [(1, 1), (2, 0), (1, 0), (0, 0)]


def test_a_sequence_whose_tokens_do_not_fit_waits_and_nobody_overtakes_it():
    work = batch(kv_tokens=5 * BLOCK)
    work.add(Sequence(3 * BLOCK, 2))
    work.add(Sequence(3 * BLOCK, 2))
    work.add(Sequence(1, 2))
    work.step()
    assert (len(work.running), len(work.waiting)) == (1, 2)


@pytest.mark.parametrize(
    ("prompt_tokens", "output_tokens", "reason"),
    [
        (30, 11, "together they exceed the cache"),
        (0, 1, "an empty prompt has no logits to go on"),
        (1, 0, "no output is no work"),
    ],
)
def test_a_sequence_that_could_never_run_is_refused(prompt_tokens, output_tokens, reason):
    with pytest.raises(ValueError, match="at most the KV cache's 40"):
        batch(kv_tokens=40).add(Sequence(prompt_tokens, output_tokens))


def test_when_blocks_run_out_the_newest_is_preempted_and_still_loses_no_token():
    work = batch(kv_tokens=4 * BLOCK)
    old, new = Sequence(7, 6), Sequence(7, 6)
    work.add(old)
    work.add(new)
    finished = [s for step in run_to_end(work) for s in step.finished]
    assert work.preempted == 1
    assert finished == [old, new]
    assert (old.produced, new.produced) == (6, 6)


def test_a_preempted_sequence_computes_its_prompt_and_output_again():
    work = batch(kv_tokens=4 * BLOCK)
    work.add(Sequence(7, 6))
    work.add(Sequence(7, 6))
    undisturbed = batch()
    undisturbed.add(Sequence(7, 6))
    undisturbed.add(Sequence(7, 6))
    slow, fast = run_to_end(work), run_to_end(undisturbed)
    assert sum(s.duration_s for s in slow) > sum(s.duration_s for s in fast)
    assert sum(len(s.produced) for s in slow) == sum(len(s.produced) for s in fast) == 12


def test_a_repeated_prompt_computes_only_what_the_cache_does_not_hold():
    work = batch()
    for sequence, cached, duration_s in [
        (prompt("a", "b"), 0, 0.09),
        (prompt("a", "b", tail=2), 8, 0.02),
        (prompt("a", "c"), 4, 0.05),
        (prompt("c", "b"), 0, 0.09),
    ]:
        work.add(sequence)
        step = work.step()
        assert sequence.cached == cached
        assert step.duration_s == pytest.approx(duration_s)
    assert (work.cached_tokens, work.started_tokens) == (12, 9 + 10 + 9 + 9)


def test_the_last_token_of_a_prompt_is_computed_even_when_all_of_it_is_cached():
    work = batch()
    for cached in (0, 4):
        sequence = prompt("a", "b", tail=0)
        work.add(sequence)
        work.step()
        assert sequence.cached == cached


def test_running_sequences_hold_a_common_prefix_once():
    work = batch(kv_tokens=10 * BLOCK)
    work.add(prompt("a", "b", "c", output_tokens=3))
    work.step()
    work.add(prompt("a", "b", "c", output_tokens=3))
    work.step()
    assert work.kv_usage == pytest.approx((3 + 1 + 1) / 10)
    work.check_invariants()


def test_an_answer_is_in_the_cache_when_the_conversation_comes_back():
    ids = tuple(range(12))
    first = Sequence(4, 8, block_hashes(ids, BLOCK))
    work = batch()
    work.add(first)
    run_to_end(work)
    second = Sequence(13, 1, block_hashes((*ids, 99), BLOCK))
    work.add(second)
    work.step()
    assert second.cached == 8  # the last token of an answer is never computed


def test_aborting_frees_blocks_and_place_at_once_and_twice_is_harmless():
    work = batch(max_num_seqs=1)
    running, waiting = Sequence(10, 5), Sequence(10, 5)
    work.add(running)
    work.add(waiting)
    work.step()
    for sequence in (running, running, waiting):
        work.abort(sequence)
    assert not work
    assert work.kv_usage == 0.0
    work.check_invariants()


def test_it_says_what_it_holds():
    work = batch(max_num_seqs=1)
    work.add(Sequence(10, 5))
    work.add(Sequence(10, 5))
    work.step()
    assert repr(work) == "<Batch 1 running, 1 waiting, 12/1000 kv tokens>"
