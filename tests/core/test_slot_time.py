"""Seconds in a slot per token."""

import pytest

from serve_app.core.slot_time import SlotTime


def test_nothing_is_known_before_a_call_with_tokens_has_ended() -> None:
    slots = SlotTime()
    assert slots.token_s == 0.0
    slots.ended(3.0, 1, tokens=0)
    assert slots.token_s == 0.0


def test_every_sequence_of_a_call_holds_a_slot() -> None:
    slots = SlotTime()
    slots.ended(2.0, 4, tokens=400)

    assert slots.token_s == pytest.approx(0.02)
    assert repr(slots) == "<SlotTime 0.0200 s per token>"


def test_a_call_weighs_by_its_tokens() -> None:
    slots = SlotTime()
    for _ in range(200):
        slots.ended(1.0, 1, tokens=10)  # alone, 0.1 s per token
        slots.ended(19.0, 1, tokens=990)

    assert slots.token_s == pytest.approx(20 / 1000, rel=0.02)


def test_calls_of_long_ago_fade() -> None:
    slots = SlotTime()
    slots.ended(1000.0, 1, tokens=100)
    for _ in range(500):
        slots.ended(1.0, 1, tokens=100)

    assert slots.token_s == pytest.approx(0.01, rel=0.01)
