"""How fast a HPA follows its metric's advice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.sim.scaling.hpa import SYNC_S, Behavior, Hpa
from serve_app.sim.scaling.rivals import LLM_D_BEHAVIOR


def followed(behavior, start, advices, *, least=1, most=100):
    """What is set after each sync."""
    hpa, current, found = Hpa(behavior), start, []
    for sync, advice in enumerate(advices):
        current = hpa.replicas(advice, current, least=least, most=most, now=sync * SYNC_S)
        found.append(current)
    return found


@pytest.mark.parametrize(
    ("start", "advices", "found", "why"),
    [
        (1, [50, 50, 50, 50], [5, 10, 20, 40], "four pods, or as many again, every 15 s"),
        (4, [5, 5], [5, 5], "up without a delay"),
        (8, [2] * 22, [8] * 20 + [2] * 2, "down when the highest advice of 300 s is"),
        (8, [2] * 10 + [7] + [2] * 20, [8] * 20 + [7] * 10 + [2], "a peak holds for another 300 s"),
        (8, [0] * 22, [8] * 20 + [1] * 2, "never below the minimum"),
        (90, [500], [100], "never above the maximum"),
    ],
)
def test_kubernetes_defaults(start, advices, found, why):
    assert followed(Behavior(), start, advices) == found, why


@pytest.mark.parametrize(
    ("start", "advices", "found", "why"),
    [
        (4, [9, 9, 9, 9], [4, 4, 8, 8], "up when it was wanted for 30 s, as many again"),
        (2, [50] * 9, [2, 2, 6, 6, 6, 6, 12, 12, 12], "at most four pods, or all again, in 60 s"),
        (4, [9, 3, 9, 9, 9], [4, 4, 4, 8, 8], "a dip begins it anew"),
        (8, [1] * 32, [8] * 12 + [7] * 8 + [6] * 8 + [5] * 4, "down one pod in 120 s, after 180 s"),
    ],
)
def test_llm_ds_behavior(start, advices, found, why):
    assert followed(LLM_D_BEHAVIOR, start, advices) == found, why


def test_it_looks_every_15_s():
    hpa = Hpa(Behavior())
    assert [now for now in range(40) if hpa.is_due(float(now))] == [0, 15, 30]


@given(
    behavior=st.sampled_from([Behavior(), LLM_D_BEHAVIOR]),
    start=st.integers(1, 20),
    advices=st.lists(st.integers(0, 60), max_size=40),
)
def test_it_stays_within_its_bounds_and_its_pace(behavior, start, advices):
    before = start
    for after in followed(behavior, start, advices, least=1, most=20):
        assert 1 <= after <= 20
        assert after - before <= max(behavior.up_pods, before)
        assert before - after <= (behavior.down_pods or 20)
        before = after


@given(start=st.integers(1, 20), advices=st.lists(st.integers(0, 60), max_size=40))
def test_more_is_never_followed_by_less(start, advices):
    less = followed(Behavior(), start, advices)
    more = followed(Behavior(), start, [advice + 3 for advice in advices])
    assert all(a <= b for a, b in zip(less, more, strict=True))
