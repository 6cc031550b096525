import pytest

from serve_app.engine.kv_cache import KvCache, block_hashes


def fill(cache, *hashes):
    """Compute blocks and let go of them: they idle, in the order of a sequence's blocks."""
    shared = cache.claim(hashes, len(hashes))
    published = [block for block in hashes[len(shared) :] if cache.publish(block)]
    cache.release(shared + published, private=0)


def cached(cache, *hashes):
    """How many leading blocks are there; looking does not hold them."""
    shared = cache.claim(hashes, len(hashes))
    cache.release(shared, private=len(hashes) - len(shared))
    return len(shared)


def test_a_cache_without_a_whole_block_is_refused():
    with pytest.raises(ValueError, match="raise kv_tokens"):
        KvCache(0)


def test_a_prefix_is_found_up_to_the_first_block_that_is_missing():
    cache = KvCache(10)
    fill(cache, 1, 2, 3)
    assert cached(cache, 1, 2, 9, 3) == 2


def test_idle_blocks_go_oldest_first_and_the_tail_of_a_prefix_before_its_head():
    cache = KvCache(5)
    fill(cache, 1, 2)
    fill(cache, 3, 4)
    cache.grow(2)
    assert [cached(cache, 1), cached(cache, 3, 4)] == [1, 2]
    cache.release([], private=2)
    cache.grow(3)
    assert cached(cache, 3, 4) == 2


def test_a_block_that_somebody_holds_never_goes():
    cache = KvCache(3)
    fill(cache, 1, 2)
    held = cache.claim((1, 2), 2)
    assert held == [1, 2]
    assert cache.grow(1)
    assert not cache.grow(1)
    assert cache.claim((1, 2, 3), 3) is None
    cache.check_invariants(held, private=1)


def test_a_claim_without_room_holds_nothing():
    cache = KvCache(3)
    fill(cache, 1, 2)
    assert cache.claim((1, 2), 4) is None
    assert cache.held == 0
    cache.check_invariants([], private=0)


def test_a_second_copy_of_a_block_stays_private():
    cache = KvCache(4)
    cache.grow(2)
    assert cache.publish(1)
    assert not cache.publish(1)
    cache.check_invariants([1], private=1)


def test_shared_blocks_count_once_however_many_hold_them():
    cache = KvCache(4)
    fill(cache, 1, 2)
    for _ in range(3):
        cache.claim((1, 2), 2)
    assert repr(cache) == "<KvCache 2/4 blocks held, 0 idle>"
    cache.check_invariants([1, 2] * 3, private=0)


def test_block_hashes_stand_for_all_that_comes_before():
    same = block_hashes((1, 2, 3, 4, 5, 6, 7), 3)
    other = block_hashes((9, 2, 3, 4, 5, 6, 7), 3)
    assert len(same) == len(other) == 2
    assert not set(same) & set(other)
