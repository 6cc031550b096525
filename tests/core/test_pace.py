"""How fast an engine decodes and how busy it is with prompts."""

import pytest

from serve_app.core.pace import Pace, Timings
from serve_app.core.report import ReplicaLoad


def decodes(pace: Pace, *, sequences: int, step_s: float, from_s: float, to_s: float) -> None:
    """Steps of so many sequences, one after the other."""
    for step in range(round((to_s - from_s) / step_s)):
        now = from_s + (step + 1) * step_s
        pace.stepped(decoded=sequences, decoding_s=sequences * step_s, now=now)


def test_before_the_first_step_nothing_is_known() -> None:
    pace = Pace()
    assert (pace.tpot_s(now=9.0), pace.alone_tpot_s, pace.reading(now=9.0)) == (0.0, 0.0, 0.0)
    assert repr(pace) == "<Pace of 0 buckets, 0.0000 s alone>"


def test_tpot_is_the_mean_over_the_tokens_of_the_window() -> None:
    pace = Pace()
    decodes(pace, sequences=3, step_s=0.02, from_s=0.0, to_s=4.0)
    assert pace.tpot_s(now=4.0) == pytest.approx(0.02)

    decodes(pace, sequences=3, step_s=0.05, from_s=4.0, to_s=14.0)
    assert pace.tpot_s(now=14.0) == pytest.approx(0.05)
    assert pace.tpot_s(now=30.0) == 0.0


def test_the_fastest_so_far_is_kept() -> None:
    pace = Pace()
    decodes(pace, sequences=1, step_s=0.02, from_s=0.0, to_s=4.0)
    decodes(pace, sequences=9, step_s=0.05, from_s=4.0, to_s=60.0)

    assert pace.alone_tpot_s == pytest.approx(0.02)


def test_timings_are_all_of_it() -> None:
    pace = Pace()
    assert pace.timings(slowdown=2.0, now=0.0) == Timings(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)

    decodes(pace, sequences=3, step_s=0.02, from_s=0.0, to_s=4.0)
    for tpot_s in (0.02, 0.03, 0.05, 0.09):
        pace.answers.ended(tpot_s, now=4.0)
    timings = pace.timings(slowdown=2.0, now=4.0)
    assert (timings.tpot_s, timings.alone_tpot_s) == (pytest.approx(0.02), pytest.approx(0.02))
    assert (timings.slow_tpot_s, timings.late) == (0.09, 0.5)
    assert timings.answers_per_s == pytest.approx(4 / 30)


def test_an_engine_of_five_tokens_a_second_is_known_too() -> None:
    pace = Pace()
    decodes(pace, sequences=1, step_s=0.2, from_s=0.0, to_s=6.0)

    assert pace.alone_tpot_s == pytest.approx(0.2)


def test_one_short_step_is_not_the_fastest() -> None:
    pace = Pace()
    pace.stepped(decoded=1, decoding_s=0.0001, now=0.0)
    decodes(pace, sequences=4, step_s=0.02, from_s=1.0, to_s=9.0)

    assert pace.alone_tpot_s == pytest.approx(0.02, rel=0.15)


def test_what_is_forgotten_without_another_step_may_have_been_the_fastest() -> None:
    pace = Pace()
    pace.stepped(decoded=100, decoding_s=1.0, now=0.0)
    assert pace.tpot_s(now=60.0) == 0.0
    assert pace.alone_tpot_s == pytest.approx(0.01)


def test_reading_is_the_share_of_the_window_with_a_prompt() -> None:
    pace = Pace()
    for step in range(100):
        reading_s = 0.1 if step % 4 == 0 else 0.0
        pace.stepped(decoded=0, decoding_s=0.0, reading_s=reading_s, now=step / 10)

    assert pace.reading(now=9.9) == pytest.approx(0.25, abs=0.05)
    pace.stepped(decoded=0, decoding_s=0.0, reading_s=60.0, now=10.0)
    assert pace.reading(now=10.0) == 1.0


def test_timings_are_what_a_report_takes_by_name() -> None:
    told = Timings(tpot_s=0.02, alone_tpot_s=0.01, reading=0.5, slow_tpot_s=0.03, late=0.1)
    report = ReplicaLoad(1, 2, 0.0, **told._asdict())
    assert (report.tpot_s, report.slow_tpot_s, report.late) == (0.02, 0.03, 0.1)
