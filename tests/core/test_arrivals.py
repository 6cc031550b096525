"""Tokens per second over a window that slides."""

import pytest

from serve_app.core.arrivals import ArrivalRate


def test_a_steady_stream_is_measured_as_it_is() -> None:
    rate = ArrivalRate()
    for tenth in range(300):
        rate.add(50, now=tenth / 10)

    assert rate.per_s(now=30.0) == pytest.approx(500, rel=0.11)  # a bucket of ten


def test_who_has_just_begun_to_count_divides_by_the_time_that_it_did() -> None:
    rate = ArrivalRate()
    for second in range(4):
        rate.add(500, now=100.0 + second)

    assert rate.per_s(now=104.0) == pytest.approx(500)


def test_one_request_alone_is_no_flood() -> None:
    rate = ArrivalRate()
    rate.add(700, now=5.0)

    assert rate.per_s(now=5.0) == pytest.approx(700)
    assert rate.per_s(now=14.9) == pytest.approx(700 / 9.9)


def test_what_is_older_than_the_window_is_forgotten() -> None:
    rate = ArrivalRate()
    assert rate.per_s(now=0.0) == 0.0
    rate.add(700, now=0.0)
    rate.add(30, now=100.0)

    assert rate.per_s(now=101.0) == pytest.approx(3)
    assert rate.per_s(now=111.0) == 0.0
    assert repr(rate) == "<ArrivalRate 0 tokens in the window>"
