"""A part of a trace, on a clock of its own."""

import pytest

from serve_app.traces.errors import TraceError
from serve_app.traces.files import FileTrace
from serve_app.traces.part import Part
from serve_app.traces.recorded import Recorded

TRACE = FileTrace("t", tuple(Recorded(at, 10, 1) for at in (0.0, 3600.0, 5400.0, 9000.0)))


def times(part, *between):
    return [request.at_s for request in (part.between(*between) if between else part)]


def test_the_whole_is_what_is_asked_for_by_default():
    assert times(Part(TRACE)) == [0, 3600, 5400, 9000]
    assert Part(TRACE).seconds == 9000


def test_a_part_begins_at_its_own_second_0():
    part = Part(TRACE, from_hour=1, hours=1)
    assert times(part) == [0, 1800]
    assert part.seconds == 3600


def test_a_faster_clock_shortens_times_and_the_trace():
    part = Part(TRACE, from_hour=1, speed_up=10)
    assert times(part) == [0, 180, 540]
    assert part.seconds == 540
    assert times(part, 180, 540) == [180]


def test_more_hours_than_there_are_are_those_that_there_are():
    assert Part(TRACE, from_hour=2, hours=9).seconds == 1800


def test_a_part_after_the_end_is_refused():
    with pytest.raises(TraceError, match=r"t has 2\.50 hours, and none from 3 on"):
        Part(TRACE, from_hour=3)
