"""Who may decide, by name."""

import pytest

from serve_app.checking.question import QuestionError
from serve_app.config import PolicyKnobs
from serve_app.sim.scaling.delay import Delays
from serve_app.sim.scaling.rivals import Static
from serve_app.sim.simulate.policies import (
    KINDS,
    NAMES,
    OURS,
    Ground,
    Policy,
    parse,
    swept,
    target_of,
)
from tests.sim.scaling.made import seen

GROUND = Ground(PolicyKnobs(), Delays(up_s=3.0, down_s=60.0), slots=10, peak=8)


def test_a_list_may_hold_a_policy_with_several_targets():
    assert parse("llm-d, llm-d=0.8,llm-d=0.80,oracle") == (
        Policy("llm-d"),
        Policy("llm-d", 0.8),
        Policy("oracle"),
    )
    assert [str(policy) for policy in parse("llm-d,llm-d=0.80")] == ["llm-d", "llm-d=0.8"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("queue-dept", "did you mean queue-depth?"),
        ("static_peak", "did you mean static-peak?"),
        ("", "there is no policy  (has:"),
        ("llm-d=", "the target of llm-d is ; it must be a number above 0"),
        ("llm-d=-1", "must be a number above 0"),
        ("oracle=1", "the oracle has no target"),
    ],
)
def test_what_is_no_policy_is_refused(text, said):
    with pytest.raises(QuestionError) as refused:
        parse(text)
    assert said in str(refused.value)


@pytest.mark.parametrize("name", KINDS)
def test_every_policy_decides(name):
    assert NAMES
    what = seen(4, running=30, waiting=40)
    assert Policy(name).scaler(GROUND).decide(what, now=0.0).replicas >= 0


def test_a_target_of_a_fixed_fleet_is_of_the_busiest_window():
    assert Policy("static-peak").scaler(GROUND) == Static(8)
    assert Policy("static-peak", 1.2).scaler(GROUND) == Static(10)


def test_ours_has_serves_delays_around_it():
    scaler = Policy("queue-depth").scaler(GROUND)
    what = seen(4, running=40, waiting=40)
    found = [scaler.decide(what, now=float(now)).replicas for now in range(4)]
    assert found[:3] == [4, 4, 4]
    assert found[3] > 4


def test_a_sweep_has_each_target_once_with_the_default_in_its_place():
    knobs = PolicyKnobs.model_validate({OURS: 0.5})
    found = swept(parse("queue-depth,oracle"), knobs)
    assert [str(policy) for policy in found] == [
        "queue-depth=0.1",
        "queue-depth=0.2",
        "queue-depth=0.3",
        "queue-depth",
        "queue-depth=0.6",
        "queue-depth=0.8",
        "queue-depth=1",
        "oracle",
    ]


def test_a_target_that_was_asked_for_is_a_point_of_the_sweep():
    found = swept(parse("llm-d=0.62,llm-d"), PolicyKnobs())
    assert [target_of(policy, PolicyKnobs()) for policy in found] == [
        0.55, 0.6, 0.62, 0.65, 0.7, 0.75, 0.8, 0.9
    ]  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_a_sweep_of_any_policy_is_a_curve_that_it_accepts(name):
    points = swept((Policy(name),), PolicyKnobs())
    assert 6 <= len(points) <= 8
    assert Policy(name) in points
    for point in points:
        point.scaler(GROUND).decide(seen(4, running=30, waiting=40), now=0.0)
    if name == "queue-depth":
        for point in points:
            PolicyKnobs.model_validate({OURS: target_of(point, PolicyKnobs())})
