"""Slots come from what the engine reports."""

import pytest

from serve_app.core.concurrency import slots


@pytest.mark.parametrize(
    ("kv_tokens", "max_num_seqs", "max_model_len", "expected_tokens", "slots_wanted", "why"),
    [
        (10_000, 256, 8192, 1000, 10, "ten requests of 1,000 tokens fill the cache"),
        (10_000, 4, 8192, 1000, 4, "the engine runs no more than max_num_seqs"),
        (10_000, 256, 500, 1000, 20, "no request is longer than the model allows"),
        (100, 256, 8192, 1000, 1, "one request may always try"),
    ],
)
def test_slots(
    kv_tokens: int,
    max_num_seqs: int,
    max_model_len: int,
    expected_tokens: int,
    slots_wanted: int,
    why: str,
) -> None:
    found = slots(
        kv_tokens=kv_tokens,
        max_num_seqs=max_num_seqs,
        max_model_len=max_model_len,
        expected_tokens=expected_tokens,
        overcommit=1.0,
    )
    assert found == slots_wanted, why
