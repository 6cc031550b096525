"""Rules that others publish, each as a table."""

import pytest

from serve_app.sim.scaling.rivals import HpaQueue, HpaUsage, LlmD, Mean, ServeDefault, Static
from tests.sim.scaling.made import seen


def decided(scaler, what, seconds):
    """What is set in the end, where `what` stays as it is and orders are served at once."""
    ordered = what.ordered
    for now in range(seconds):
        ordered = scaler.decide(seen_like(what, ordered), now=float(now)).replicas
    return ordered


def seen_like(what, ordered):
    slots = what.load.replicas[0].slots if what.load.replicas else 10
    return seen(
        ordered,
        running=what.running,
        waiting=what.waiting,
        slots=slots,
        ttft=what.ttft_p90,
        tpot=what.tpot_p90,
    )


@pytest.mark.parametrize(
    ("what", "seconds", "replicas", "why"),
    [
        (seen(4, running=20, waiting=21), 30, 4, "an up waits for 30 s"),
        (seen(4, running=20, waiting=21), 31, 6, "41 ongoing ÷ 8, rounded up"),
        (seen(4, running=8), 600, 4, "a down waits for 600 s"),
        (seen(4, running=8), 601, 1, "and then goes all the way"),
        (seen(4, running=32), 700, 4, "as many as are wanted"),
        (seen(0, waiting=3), 1, 1, "the first one starts at once"),
        (seen(0, ordered=3, waiting=3), 1, 3, "those that load are kept"),
        (seen(1), 601, 0, "the last one goes too; the minimum is the replay's"),
    ],
)
def test_serve_default(what, seconds, replicas, why):
    if what.ready:
        assert decided(ServeDefault(8.0), what, seconds) == replicas, why
    else:
        assert ServeDefault(8.0).decide(what, now=0.0).replicas == replicas, why


@pytest.mark.parametrize(
    ("what", "seconds", "replicas", "why"),
    [
        (seen(4, waiting=31), 1, 7, "31 wait ÷ 5, rounded up, at once"),
        (seen(4, waiting=21), 1, 4, "within a tenth of the target"),
        (seen(4, waiting=100), 1, 8, "no more than twice as many in 15 s"),
        (seen(4, running=40), 300, 4, "nothing waits: it holds for 300 s"),
        (seen(4, running=40), 320, 1, "and then goes to the minimum, however busy it is"),
    ],
)
def test_hpa_queue(what, seconds, replicas, why):
    assert decided(HpaQueue(5.0), what, seconds) == replicas, why


@pytest.mark.parametrize(
    ("what", "seconds", "replicas", "why"),
    [
        (seen(4, running=40), 1, 5, "4 full ones ÷ 0.8"),
        (seen(4, running=34), 1, 4, "85 % is within a tenth of 80 %"),
        (seen(4, running=20), 320, 3, "2 ÷ 0.8, rounded up, after 300 s"),
    ],
)
def test_hpa_usage(what, seconds, replicas, why):
    assert decided(HpaUsage(0.8), what, seconds) == replicas, why


def test_hpa_usage_counts_loading_replicas_as_idle_on_the_way_up():
    assert HpaUsage(0.8).decide(seen(4, ordered=6, running=40), now=0.0).replicas == 6
    assert HpaUsage(0.8).decide(seen(4, ordered=4, running=40), now=0.0).replicas == 5


@pytest.mark.parametrize(
    ("s", "ordered", "ready", "advice", "why"),
    [
        (0.50, 4, 4, 4, "between the thresholds"),
        (0.66, 4, 4, 5, "20 % above: 20 % more, rounded up"),
        (2.00, 4, 4, 15, "the most that it ever asks for: 3.6 times"),
        (1.10, 8, 4, 8, "twice too much for 4, and 4 more load: enough"),
        (0.60, 8, 4, 8, "and not fewer, though 4 would do with half of that"),
        (1.32, 8, 4, 10, "credit for those that load: 1.2 × 8"),
        (0.20, 4, 4, 2, "half of what it should be"),
        (0.35, 4, 4, 4, "less than one replica too many"),
        (0.00, 4, 4, 0, "no traffic"),
        (0.66, 4, 0, 5, "none is ready: no credit"),
    ],
)
def test_llm_d(s, ordered, ready, advice, why):
    assert LlmD().advice(s, ordered, ready) == advice, why


def test_llm_d_follows_the_worse_of_both_latencies_and_caps_it():
    for what in (seen(4, ttft=9.0, tpot=0.5), seen(4, ttft=0.1, tpot=9.0)):
        assert "s = 2.00: advice 15" in LlmD().decide(what, now=0.0).reason


def test_llm_d_with_another_target_has_its_lower_threshold_in_proportion():
    assert LlmD(up=1.1).advice(0.90, 4, 4) == 4
    assert LlmD(up=1.1).advice(0.40, 4, 4) == 2


def test_static_is_what_it_is():
    assert decided(Static(3), seen(4, running=40, waiting=99), 10) == 3


def test_a_mean_forgets_what_is_older_than_its_window():
    mean = Mean(3.0)
    assert [mean.add(n, now=float(at)) for at, n in enumerate([3, 6, 9, 12])] == [3, 4.5, 6, 9]
