"""Which points nobody beats."""

from array import array

import pytest

from serve_app.sim.scaling.fleet import Story
from serve_app.sim.simulate.frontier import better, verdicts
from serve_app.sim.simulate.played import Played, played
from serve_app.sim.simulate.policies import Policy


def run(name: str, share: float, hours: float, target: float | None = None) -> Played:
    met = array("d", [0.0] * round(1000 * share) + [9.0] * round(1000 * (1 - share)))
    times = array("d", [0.0] * 1000)
    story = Story(10, 60.0, times, met, times, times, replica_s=3600 * hours)
    return played(Policy(name, target), 30.0, 2, story)


OURS = run("queue-depth", 0.99, 8.0)


@pytest.mark.parametrize(
    ("other", "is_better", "why"),
    [
        (run("llm-d", 0.995, 7.0), True, "more for less"),
        (run("llm-d", 0.99, 7.9), True, "as much for less"),
        (run("llm-d", 0.991, 8.0), True, "more for as much"),
        (run("llm-d", 0.99, 8.0), False, "the same"),
        (run("llm-d", 0.98, 7.0), False, "less for less"),
        (run("llm-d", 0.999, 9.0), False, "more for more"),
        (run("queue-depth", 0.999, 7.0, 0.9), False, "its own"),
        (run("oracle", 0.999, 7.0), False, "who knows the trace is no rival"),
    ],
)
def test_a_point_is_dominated_by_another_policy_that_gives_as_much_for_less(other, is_better, why):
    assert (better(OURS, [OURS, other]) is other) == is_better, why


def test_the_cheapest_of_those_that_dominate_is_named():
    cheap, dear = run("llm-d", 0.99, 6.0, 0.7), run("hpa-queue", 1.0, 7.0)
    assert better(OURS, [dear, OURS, cheap]) is cheap


def test_each_policy_has_a_verdict():
    tight, rival = run("queue-depth", 0.999, 9.0, 0.5), run("llm-d", 0.95, 8.5)
    assert list(verdicts([OURS, tight, rival, run("oracle", 0.99, 6.0)])) == [
        (
            "queue-depth at its default: no point of another policy has as much attainment for as "
            "little; 0 of its 2 points are dominated"
        ),
        (
            "llm-d at its default: dominated by queue-depth, 99.00% for 8.00 replica-hours; "
            "1 of its 1 points are dominated"
        ),
    ]
