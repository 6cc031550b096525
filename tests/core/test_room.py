"""Room on replicas: KV cache, prompts to read, headroom, and claims of what fits nowhere."""

import random

import pytest

from serve_app.core.dispatch import MOST_CLAIMS, Dispatcher
from serve_app.core.queue import Bounds, Rules, WaitingQueue
from serve_app.core.request import Request
from serve_app.core.routing import Replica, Routing
from serve_app.core.tenant import Priority


def dispatcher(*, max_requests: int = 10, max_tokens: int = 10_000) -> Dispatcher:
    queue = WaitingQueue(Rules(Bounds(max_requests, max_tokens)))
    return Dispatcher(queue, Routing(), ttft_target_s=2.0)


def kv(name: str = "r", *, tokens: int = 100, running: int = 0) -> Replica:
    return Replica(name, 99, running, 0.0, kv_tokens=tokens)


def sized(name: str, tokens: int, *, tenant: str = "a", **more: object) -> Request:
    return Request(name, 0.0, 1e9, prompt_tokens=tokens, tenant=tenant, **more)  # type: ignore[arg-type]


def started(it: Dispatcher, *requests: Request) -> list[str]:
    for one in requests:
        it.submit(one, now=0.0)
    return [a.request.id for a in it.assign(now=0.0).assignments]


def test_kv_cache_is_set_aside_for_what_runs() -> None:
    it = dispatcher()
    it.observe([kv(tokens=100)])

    assert started(it, sized("a", 60), sized("b", 60)) == ["a"]
    it.release("a")
    assert started(it) == ["b"]


def test_an_answer_that_outgrows_its_forecast_takes_room_from_those_who_wait() -> None:
    it = dispatcher()
    it.observe([kv(tokens=100)])
    started(it, sized("a", 40))
    it.grown("a", 40)
    assert it.replicas[0].reserved_tokens == 40, "as much as was expected"

    it.grown("a", 60)
    assert it.replicas[0].reserved_tokens == 62, "and a tenth of what it has written"
    assert started(it, sized("b", 40)) == []
    it.check_invariants()


def test_a_replica_that_has_enough_to_read_gets_nothing_more_until_it_has_read_it() -> None:
    it = dispatcher()
    it.observe([Replica("r", 99, 0, 0.0, prefill_most=50)])
    streams = [sized(f"s{i}", 30, streams=True) for i in range(3)]
    assert started(it, *streams) == ["s0", "s1"]

    it.heard_first_token("s0", now=1.0)
    assert started(it) == ["s2"]


def test_what_comes_in_one_piece_says_nothing_of_its_first_token() -> None:
    it = dispatcher(max_requests=1000)
    it.observe([Replica("r", 99, 0, 0.0, prefill_most=50)])
    assert len(started(it, *(sized(f"s{i}", 30) for i in range(20)))) == 20

    for i in range(20):
        it.heard_first_token(f"s{i}", now=60.0 + i)
    assert it.replicas[0].slots == 99


def test_a_light_tenant_starts_at_once_where_one_that_floods_has_to_wait() -> None:
    routing = Routing(kv_headroom=0.1)
    it = Dispatcher(WaitingQueue(Rules(Bounds(999, 99_999))), routing, ttft_target_s=2.0)
    it.observe([kv(tokens=1000)])
    flood = [sized(f"f{i}", 50, tenant="flood") for i in range(50)]
    assert len(started(it, *flood)) == 18

    assert started(it, sized("light", 50, tenant="light")) == ["light"]
    assert started(it, sized("flood", 50, tenant="flood")) == []


def test_others_go_on_elsewhere_while_a_long_prompt_waits_for_its_replica() -> None:
    it = dispatcher()
    it.observe([kv("x"), kv("y")])
    started(it, sized("x1", 50), sized("y1", 50, tenant="b"))
    long, same = sized("long", 90), sized("same", 40)

    assert started(it, long, same, sized("other", 40, tenant="b")) == ["other"]
    it.release("other")
    assert started(it) == [], "nobody of its own tenant goes before it"


def test_only_so_many_claims_are_looked_at_when_everybody_is_waiting_for_room() -> None:
    it = dispatcher(max_requests=100)
    replicas = [kv(f"r{i:02}", tokens=100) for i in range(MOST_CLAIMS + 2)]
    it.observe(replicas)
    started(it, *(sized(f"runs{i}", 60, tenant=f"runs{i}") for i in range(len(replicas))))
    longs = [sized(f"long{i}", 90, tenant=f"t{i}") for i in range(MOST_CLAIMS + 1)]

    assert started(it, *longs, sized("small", 40, tenant="z")) == []
    it.withdraw("long0")
    assert started(it) == ["small"], "it fits beside what runs, and now it is looked at"


@pytest.mark.parametrize(
    ("priority", "ends", "why"),
    [
        (Priority.NORMAL, 120, "nine on its replica must end, and any of twenty is the next to"),
        (Priority.LOW, 9 / 0.02 + 120, "and it costs as much as nine, of 2 % of the service"),
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_a_long_prompt_is_not_starved_by_short_ones(
    priority: Priority, ends: float, why: str, seed: int
) -> None:
    rules = Rules(Bounds(999, 99_999), shares={Priority.LOW: 0.02})
    it = Dispatcher(WaitingQueue(rules), Routing(), ttft_target_s=2.0)
    it.observe([kv("x", tokens=1000), kv("y", tokens=1000)])
    rng, count = random.Random(seed), 0
    running: list[str] = []
    for turn in range(1000):
        if turn == 50:
            it.submit(sized("long", 900, tenant="reader", priority=priority), now=0.0)
            it.submit(sized("short", 50, tenant="low", priority=priority), now=0.0)
        while len(it.queue) < 20:
            count += 1
            it.submit(sized(f"{count}", 100, tenant="abc"[count % 3]), now=0.0)
        running += [a.request.id for a in it.assign(now=0.0).assignments]
        if "long" in running:
            break
        it.release(running.pop(rng.randrange(len(running))))
    assert turn <= 50 + ends, why


def test_a_request_of_more_sequences_than_the_gateways_part_runs_there_alone() -> None:
    routing = Routing()
    wide = sized("wide", 8, sequences=8)
    part = {"part": 5, "slots": 10, "running": 5, "seen_at": 0.0}

    assert routing.has_room(wide, Replica("r", mine=0, **part))
    assert not routing.has_room(wide, Replica("r", mine=1, **part))
    assert not routing.has_room(
        sized("narrow", 5, sequences=5), Replica("r", **part | {"running": 6})
    )


def test_a_request_whose_replica_was_lost_waits_again_though_the_queue_is_full() -> None:
    it = dispatcher(max_requests=1)
    it.submit(sized("first", 1), now=0.0)
    it.submit(sized("lost", 1), now=0.0, again=True)

    assert len(it.queue) == 2


def test_what_a_prompt_took_to_read_is_learned_when_its_usage_is_known() -> None:
    it = dispatcher(max_requests=100)
    it.observe([Replica("r", 99, 0, 0.0)])
    started(it, sized("first", 100, streams=True))
    it.heard_first_token("first", now=8.0)
    it.release("first", uncached_tokens=100)
    names = [f"r{number}" for number in range(30)]
    started(it, *(sized(name, 100, streams=True) for name in names))
    for number, name in enumerate(names):
        it.heard_first_token(name, now=9.0 + number / 100)

    assert it.replicas[0].slots == 99  # no later than two seconds and twice as long as the first
