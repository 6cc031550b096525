"""A trace as arrivals."""

import pytest

from serve_app.sim.scaling.recorded import Traffic
from serve_app.traces.files import FileTrace
from serve_app.traces.part import Part
from serve_app.traces.recorded import Recorded


def traffic(*requests, longest=None):
    return Traffic(Part(FileTrace("t", requests)), longest)


@pytest.mark.parametrize(
    ("lengths", "longest", "found", "why"),
    [
        ((100, 20), None, (100, 20), "no limit is known"),
        ((100, 20), 120, (100, 20), "it fits"),
        ((100, 20), 110, (90, 20), "the prompt is cut first"),
        ((100, 200), 150, (1, 149), "then the answer, and a token of each is left"),
        ((0, 0), 150, (1, 1), "nothing is asked with nothing"),
    ],
)
def test_what_is_too_long_is_cut(lengths, longest, found, why):
    [arrival] = traffic(Recorded(0.0, *lengths), longest=longest)
    assert (arrival.prompt_tokens, arrival.output_tokens) == found, why


def test_what_is_cut_is_counted():
    requests = [Recorded(0.0, 100, 20), Recorded(1.0, 100, 21), Recorded(2.0, 10, 1)]
    assert traffic(*requests, longest=120).clipped() == 1
    assert traffic(*requests).clipped() == 0


def test_only_whole_blocks_of_what_is_left_of_a_prompt_are_shared():
    request = Recorded(0.0, 1500, 24, (7, 8, 9))
    assert next(iter(traffic(request))).blocks == (7, 8)
    assert next(iter(traffic(request, longest=1047))).blocks == (7,)
