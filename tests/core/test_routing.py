"""Filter, score, pick: as tables."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.request import Request
from serve_app.core.routing import Replica, Routing, free_kv, free_slots, prefill_most

ROUTING = Routing(kv_headroom=0.1, slot_headroom=0.1)


def replica(
    name: str = "r",
    *,
    slots: int = 20,
    running: int = 1,
    kv_tokens: int = 1000,
    reserved_tokens: int = 0,
    kv_usage: float = 0.0,
    reads: int = 0,
    prefill_tokens: int = 0,
    seen_at: float = 0.0,
    carries: float = math.inf,
    is_healthy: bool = True,
) -> Replica:
    return Replica(
        name,
        slots=slots,
        running=running,
        seen_at=seen_at,
        kv_tokens=kv_tokens,
        reserved_tokens=reserved_tokens,
        prefill_most=reads,
        prefill_tokens=prefill_tokens,
        kv_usage=kv_usage,
        carries=carries,
        is_healthy=is_healthy,
    )


def request(tokens: int = 100, *, sequences: int = 1) -> Request:
    return Request("a", 0.0, 9.0, sequences, prompt_tokens=tokens)


@pytest.mark.parametrize(
    ("asked", "at", "has_room", "fills", "why"),
    [
        (request(), replica(), True, True, "almost idle"),
        (request(), replica(running=17), True, True, "one slot left, beside the two that are kept"),
        (request(), replica(running=18), False, True, "two are kept"),
        (request(), replica(running=20), False, False, "none left"),
        (request(), replica(slots=9, running=8), True, True, "a tenth of nine is none"),
        (request(sequences=4), replica(running=15), False, True, "three are not four"),
        (
            request(sequences=30),
            replica(running=0),
            True,
            True,
            "more than there are: idle will do",
        ),
        (request(sequences=30), replica(running=1), False, False, "but one is not idle"),
        (request(), replica(reserved_tokens=800), True, True, "900 of 1000, and 100 are kept"),
        (request(), replica(reserved_tokens=801), False, True, "one more is in the headroom"),
        (request(), replica(reserved_tokens=901), False, False, "1001 are too many"),
        (request(5000), replica(running=0), True, True, "larger than any: an idle one will do"),
        (request(5000), replica(), False, False, "and no other"),
        (request(5000), replica(kv_tokens=0), True, True, "nothing is known of the KV cache"),
        (
            request(),
            replica(kv_usage=0.95),
            False,
            True,
            "what is used counts, not what was planned",
        ),
        (request(), replica(kv_usage=1.1, running=0), True, True, "old prefixes make room"),
    ],
)
def test_room(asked: Request, at: Replica, has_room: bool, fills: bool, why: str) -> None:
    assert ROUTING.has_room(asked, at) is has_room, why
    assert ROUTING.has_room(asked, at, may_fill=True) is fills, why


@pytest.mark.parametrize(
    ("step_tokens", "steps_ahead", "most", "why"),
    [
        (8192, 0, 8192, "those of the next step"),
        (8192, 1, 24_576, "one runs, one is decided on, one is on its way back"),
        (0, 1, 0, "what a step reads is unknown"),
    ],
)
def test_prompts_that_keep_steps_full(
    step_tokens: int, steps_ahead: int, most: int, why: str
) -> None:
    assert prefill_most(step_tokens, steps_ahead=steps_ahead) == most, why


@pytest.mark.parametrize(
    ("at", "is_open", "for_those_who_fill", "why"),
    [
        (replica(), True, True, "slots are free"),
        (replica(running=18), False, True, "two are kept"),
        (replica(running=20), False, False, "full"),
        (replica(running=25), False, False, "its limit was lowered"),
        (replica(reads=100, prefill_tokens=99), True, True, "its next step is not full yet"),
        (replica(reads=100, prefill_tokens=100), False, False, "now it is"),
        (
            replica(reads=0, prefill_tokens=999),
            True,
            True,
            "how much it reads in a step is unknown",
        ),
    ],
)
def test_open(at: Replica, is_open: bool, for_those_who_fill: bool, why: str) -> None:
    assert ROUTING.is_open(at, may_fill=False) is is_open, why
    assert ROUTING.is_open(at) is for_those_who_fill, why


@pytest.mark.parametrize(
    ("replicas", "wanted", "why"),
    [
        ([replica("a", running=9), replica("b", running=1)], "b", "more free slots"),
        ([replica("a"), replica("b", reserved_tokens=500)], "a", "more free KV cache"),
        ([replica("a"), replica("b", kv_usage=0.5)], "a", "used counts like reserved"),
        ([replica("a"), replica("b")], "b", "the same on every gateway"),
        ([replica("a"), replica("b", kv_tokens=0)], "b", "unknown is taken for free"),
        ([replica("a", running=20), replica("b", running=17)], "b", "the only one with room"),
        ([replica("a", running=20)], None, "no room"),
        ([], None, "nobody there"),
    ],
)
def test_pick(replicas: list[Replica], wanted: str | None, why: str) -> None:
    picked = ROUTING.pick(request(), replicas)
    assert (picked.id if picked else None) == wanted, why


@pytest.mark.parametrize(
    ("replicas", "usable", "why"),
    [
        ([replica("a"), replica("b", is_healthy=False)], "a", "an unhealthy one is out"),
        ([replica("a", seen_at=5.0), replica("b")], "a", "b has been silent for ten seconds"),
        ([replica("a"), replica("b")], "ab", "all are silent: a guess beats an outage"),
        ([replica("a", is_healthy=False)], "", "but not a replica that said it is ill"),
    ],
)
def test_usable(replicas: list[Replica], usable: str, why: str) -> None:
    assert "".join(r.id for r in ROUTING.usable(replicas, now=8.0)) == usable, why


def test_scores_lie_between_none_and_all() -> None:
    replicas = [replica(running=0), replica(running=20, reserved_tokens=1000)]

    assert list(free_slots(request(), replicas)) == [1.0, 0.0]
    assert list(free_kv(request(), replicas)) == [1.0, 0.0]


@pytest.mark.parametrize(
    ("running", "carries", "wanted", "why"),
    [
        ((8, 6, 4), 8, "c", "18 run of 24 that are carried: the least busy"),
        ((12, 7, 5), 8, "c", "24 run: the least busy of those below 6"),
        ((14, 6, 6), 8, "a", "all are above it: where they are late anyway"),
        ((20, 6, 6), 8, "c", "and once that one is full, of the others the last by name"),
        ((14, 9, 8), math.inf, "c", "nothing is known"),
    ],
)
def test_overload_makes_one_replica_late_and_spares_the_others(
    running: tuple[int, ...], carries: float, wanted: str, why: str
) -> None:
    fleet = [
        replica(name, running=n, kv_tokens=0, carries=carries)
        for name, n in zip("abc", running, strict=True)
    ]
    picked = Routing().pick(request(), fleet, may_fill=True, is_over=Routing().is_over(fleet))
    assert picked is not None, why
    assert picked.id == wanted, why


@given(st.integers(2, 6), st.floats(4.0, 15.0), st.integers(1, 150))
def test_in_overload_no_more_than_one_replica_fills_up_at_a_time(
    count: int, carries: float, requests: int
) -> None:
    """Whoever comes is sent on, and nobody leaves."""
    names = "abcdef"[:count]
    running = dict.fromkeys(names, 0)
    for _ in range(min(requests, 20 * count)):
        fleet = [replica(n, running=running[n], kv_tokens=0, carries=carries) for n in names]
        over = Routing().is_over(fleet)
        picked = Routing().pick(request(), fleet, may_fill=True, is_over=over)
        assert picked is not None
        running[picked.id] += 1
    filling = [n for n in running.values() if math.ceil(carries) + 1 < n < 20]
    assert len(filling) <= 1


def test_nobody_has_room_in_overload_either() -> None:
    fleet = [replica(running=20, carries=4)]
    assert Routing().is_over(fleet)
    assert Routing().pick(request(), fleet, is_over=True) is None
