"""A policy that raises or hangs inside holds the replicas, and stops nobody."""

import threading
import time
from collections.abc import Callable

import pytest

from serve_app.core.autoscaling import Decision, Load
from serve_app.serving.decider import Decider
from tests.serving.scripted import ManualClock

PATIENCE_S = 5.0


def load(target: int = 2) -> Load:
    return Load((), target)


def wants(replicas: int) -> Callable[[Load], Decision]:
    return lambda load: Decision(replicas, "load", f"{load.target} → {replicas}")


class Stuck:
    """A policy that hangs until it is let go, and counts who has come in."""

    def __init__(self) -> None:
        self.lets_go = threading.Event()
        self.entered = 0

    def __call__(self, load: Load) -> Decision:
        self.entered += 1
        self.lets_go.wait()
        return Decision(4, "load", "2 → 4")


def heard(it: Decider, target: int = 2, *, beyond: str = "undecided") -> Decision:
    """The answer once its cause is another than `beyond`; the policy has a thread of its own."""
    deadline = time.monotonic() + 5.0
    while (said := it.ask(load(target))).cause == beyond:
        assert time.monotonic() < deadline, said
    return said


def test_the_first_answer_is_a_hold_and_the_next_one_is_the_policys() -> None:
    it = Decider(wants(3))

    assert it.ask(load()).replicas == 2
    assert heard(it) == Decision(3, "load", "2 → 3")


def test_an_answer_for_another_target_is_not_used() -> None:
    it = Decider(wants(0))
    assert heard(it, target=1).replicas == 0

    assert it.ask(load(3)).replicas == 3  # Serve has ordered two more meanwhile


def test_an_answer_from_long_ago_is_not_used() -> None:
    clock = ManualClock()
    it = Decider(wants(0), clock=clock)
    assert heard(it, target=1).replicas == 0

    clock.now = 60.0  # Serve has not asked while it started the first replica
    assert it.ask(load(1)).replicas == 1


@pytest.mark.parametrize("error", [RuntimeError("boom"), MemoryError(), SystemExit(1)])
def test_a_policy_that_raises_holds_and_says_how(error: BaseException) -> None:
    def fails(_: Load) -> Decision:
        raise error

    said = heard(Decider(fails))

    assert (said.replicas, said.cause) == (2, "failed")
    assert repr(error) in said.reason


def test_a_policy_that_hangs_holds_says_where_and_is_not_asked_again() -> None:
    clock, stuck = ManualClock(), Stuck()
    it = Decider(stuck, patience_s=PATIENCE_S, clock=clock)
    assert it.ask(load()).cause == "undecided"

    clock.now = PATIENCE_S + 0.1
    said = it.ask(load())
    stuck.lets_go.set()

    assert (said.replicas, said.cause, stuck.entered) == (2, "hung", 1)
    assert "has not answered for 5 s" in said.reason
    assert ".py:" in said.reason


def test_when_it_answers_again_it_is_asked_again() -> None:
    clock, stuck = ManualClock(), Stuck()
    it = Decider(stuck, clock=clock)
    it.ask(load())
    clock.now = 60.0
    assert it.ask(load()).cause == "hung"

    stuck.lets_go.set()
    assert heard(it, beyond="hung").replicas == 2  # what it says of a minute ago is not used
    assert heard(it).replicas == 4


def test_while_a_policy_hangs_nobody_waits_for_it() -> None:
    stuck = Stuck()
    it = Decider(stuck)
    began = time.perf_counter()
    for _ in range(1000):
        it.ask(load())
    took_s = time.perf_counter() - began
    stuck.lets_go.set()

    assert took_s < 1.0
    assert stuck.entered == 1
