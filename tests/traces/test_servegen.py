"""Arrivals that are drawn from what ServeGen publishes of its clients."""

import random
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.traces.errors import TraceError
from serve_app.traces.servegen import WINDOW_S, Window, read
from tests.traces.made import servegen

DAY_S = 86_400.0
STEADY = (0, 0.5, "Gamma", 1.0, 2.0)
BURSTY = (600, 0.2, "Weibull", 0.3, 0.5)


@given(
    per_s=st.integers(1, 3000).map(lambda requests: requests / WINDOW_S),
    kind=st.sampled_from(["Gamma", "Weibull"]),
    shape=st.floats(0.02, 3),
    scale=st.floats(0.001, 300),
    seed=st.integers(0, 99),
)
def test_a_window_has_as_many_arrivals_as_the_file_says_in_order_and_inside(
    per_s, kind, shape, scale, seed
):
    times = Window(1200.0, per_s, kind, shape, scale).arrivals_s(random.Random(seed))

    assert len(times) == round(per_s * WINDOW_S)
    assert times == sorted(times)
    assert times[0] >= 1200
    assert times[-1] <= 1200 + WINDOW_S


@pytest.mark.parametrize(("kind", "shape"), [("Gamma", 0.2), ("Weibull", 0.5)])
def test_gaps_are_as_uneven_as_the_distribution(kind, shape):
    window = Window(0.0, 50.0, kind, shape, 0.02 / shape if kind == "Gamma" else 0.01)
    times = window.arrivals_s(random.Random(1))
    gaps = [after - before for before, after in pairwise(times)]
    mean = sum(gaps) / len(gaps)
    cv = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5 / mean

    assert cv == pytest.approx(5**0.5, rel=0.1)


def test_the_rate_of_each_window_is_the_clients_together(tmp_path):
    trace = read(servegen(tmp_path / "t", [STEADY, BURSTY], [STEADY]))
    windows = Counter(int(r.at_s // WINDOW_S) for r in trace.between(0, DAY_S))

    assert windows == {0: 600, 1: 120}
    assert trace.seconds == 1200


def test_arrivals_come_in_order_and_name_their_client(tmp_path):
    trace = read(servegen(tmp_path / "t", [STEADY], [BURSTY], [STEADY]))
    asked = list(trace.between(0, DAY_S))

    assert asked == sorted(asked, key=lambda request: request.at_s)
    assert {request.tenant for request in asked} == {"client-0", "client-1", "client-2"}


def test_lengths_have_the_densities_of_the_file(tmp_path):
    asked = list(read(servegen(tmp_path / "t", [STEADY])).between(0, DAY_S))
    prompts = Counter(request.input_tokens for request in asked)

    assert set(prompts) == {10, 30}
    assert prompts[10] == pytest.approx(150, abs=40)
    assert {request.output_tokens for request in asked} == {5}


def test_the_same_seed_gives_the_same_again_and_another_one_something_else(tmp_path):
    folder = servegen(tmp_path / "t", [STEADY, BURSTY])
    first, again, other = (read(folder, seed=seed) for seed in (1, 1, 2))
    whole = list(first.between(0, DAY_S))

    assert whole == list(first.between(0, DAY_S)) == list(again.between(0, DAY_S))
    assert whole != list(other.between(0, DAY_S))


@given(cut=st.floats(0, 1200))
def test_two_parts_are_the_whole(cut, tmp_path_factory):
    folder = servegen(tmp_path_factory.getbasetemp() / "parts", [STEADY, BURSTY], [STEADY])
    trace = read(folder)

    parts = [*trace.between(0, cut), *trace.between(cut, DAY_S)]
    assert parts == list(trace.between(0, DAY_S))


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        (
            "chunk-0-trace.csv",
            "0,0.5,1,Gamma,1,2\n600,0.5,1,Pareto,1,2",
            "trace.csv:2 is no window",
        ),
        ("chunk-0-trace.csv", "0,0.5,1,Gamma,1", "trace.csv:1 is no window"),
        ("chunk-0-trace.csv", "0,0.5,1,Gamma,0,2", "shape or scale 0"),
        ("chunk-0-trace.csv", "7,0.5,1,Gamma,1,2", "no start of a window"),
        ("chunk-0-trace.csv", "0,nan,1,Gamma,1,2", "trace.csv:1 is no window"),
        ("chunk-0-trace.csv", "0,-1,1,Gamma,1,2", "is below 0"),
        ("chunk-0-trace.csv", "0,0,0,,0,0", "holds no requests"),
        ("chunk-0-trace.csv", "43200,0.5,1,Gamma,1,2", "has no lengths for second 43200"),
        ("chunk-0-dataset.json", "{", "dataset.json has no densities"),
        ("chunk-0-dataset.json", '{"0": {}}', "KeyError"),
        ("chunk-0-dataset.json", "[]", "dataset.json has no densities"),
    ],
)
def test_what_is_wrong_in_a_folder_is_one_line_with_the_file(tmp_path, file, text, said):
    folder = servegen(tmp_path / "t", [STEADY])
    (folder / file).write_text(text)

    with pytest.raises(TraceError) as refused:
        read(folder)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
