"""Events happen at their time, in order, and nothing after the end."""

from serve_app.sim.clock import Clock


def test_events_happen_by_time_and_then_in_the_order_they_were_set() -> None:
    clock, seen = Clock(), []
    for name, at in [("c", 2.0), ("a", 1.0), ("b", 1.0)]:
        clock.at(at, lambda name=name: seen.append((name, clock.now)))
    clock.run(until_s=5.0)

    assert seen == [("a", 1.0), ("b", 1.0), ("c", 2.0)]
    assert repr(clock) == "<Clock 5.000 s, 0 events ahead>"


def test_what_is_due_at_the_end_or_later_stays_ahead() -> None:
    clock, seen = Clock(), []
    clock.at(3.0, lambda: seen.append(clock.now))
    clock.run(until_s=3.0)
    assert seen == []

    clock.run(until_s=3.5)
    assert seen == [3.0]


def test_the_past_is_now() -> None:
    clock, seen = Clock(), []
    clock.run(until_s=3.0)
    clock.at(1.0, lambda: seen.append(clock.now))
    clock.run(until_s=4.0)

    assert seen == [3.0]


def test_what_happens_every_second_does() -> None:
    clock, seen = Clock(), []
    clock.every(1.0, lambda: seen.append(clock.now))
    clock.run(until_s=3.5)

    assert seen == [0.0, 1.0, 2.0, 3.0]
