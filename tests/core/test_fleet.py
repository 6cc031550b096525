"""Snapshots are what was reported, with what this gateway runs counted in."""

from serve_app.core.fleet import Fleet, Load
from serve_app.core.request import Request
from serve_app.core.routing import Replica, Routing


def fleet(*names: str, slots: int = 20, running: int = 3) -> Fleet:
    it = Fleet()
    it.observe(
        [Replica(name, slots, running, 0.0, kv_tokens=1000, reserved_tokens=100) for name in names],
        ttft_target_s=2.0,
    )
    return it


def test_a_snapshot_counts_what_others_and_what_this_gateway_runs() -> None:
    it = fleet("r")
    it.count("r", Load(1, sequences=2, reserved_tokens=50, prefill_tokens=30))

    snapshot = it.replica("r")
    assert (snapshot.running, snapshot.reserved_tokens, snapshot.prefill_tokens) == (5, 150, 30)
    assert repr(it) == "<Fleet of 1, 1 run>"


def test_a_fresh_report_takes_the_place_of_the_last() -> None:
    it = fleet("r")
    assert it.replica("r").running == 3
    it.observe([Replica("r", 20, 7, 1.0)], ttft_target_s=2.0)

    assert it.replica("r").running == 7


def test_what_ended_counts_no_more() -> None:
    it = fleet("r")
    load = Load(1, sequences=2, reserved_tokens=50, prefill_tokens=30)
    it.count("r", load)
    it.replica("r")
    it.count("r", load, sign=-1)

    assert it.replica("r").running == 3
    assert it.loads == {}


def test_a_replica_that_comes_back_still_runs_what_it_ran() -> None:
    it = fleet("r")
    it.count("r", Load(1, sequences=2))
    it.lose("r")
    assert (len(it), it.replicas()) == (0, [])

    it.observe([Replica("r", 20, 1, 1.0)], ttft_target_s=2.0)
    assert it.replica("r").running == 3


def test_late_first_tokens_lower_the_slots_that_are_seen() -> None:
    it = fleet("r")
    for second in range(20):
        it.heard_first_token("r", 9.0, prompt_tokens=10, now=float(second))

    assert it.replica("r").free == 2


def test_a_limit_is_of_what_this_gateway_runs_whatever_others_do() -> None:
    it = fleet("r")
    for second in range(20):
        it.heard_first_token("r", 9.0, prompt_tokens=10, now=float(second))
    it.observe([Replica("r", 20, 15, 1.0)], ttft_target_s=2.0)

    assert it.replica("r").free == 2  # or it would hear no first token, and never find out


def test_one_that_first_tokens_limit_is_not_taken_for_fuller_than_one_that_runs_more() -> None:
    it = fleet("busy", "limited", slots=200)
    it.count("busy", Load(17, sequences=17))
    it.count("limited", Load(1, sequences=1))
    for second in range(20):
        it.heard_first_token("limited", 9.0, prompt_tokens=10, now=float(second))

    assert it.replica("limited").free == 1
    short = Request("a", 0.0, 10.0, prompt_tokens=10, output_tokens=10)
    picked = Routing().pick(short, it.replicas())
    assert picked is not None
    assert picked.id == "limited"


def test_how_fast_prompts_are_read_is_learned_of_replicas_that_are_known() -> None:
    it = fleet("r")
    it.prefilled("r", 5.0, uncached_tokens=10)
    it.prefilled("nobody", 5.0, uncached_tokens=10)
    for second in range(20):
        it.heard_first_token("r", 9.0, prompt_tokens=100, now=float(second))

    assert it.replica("r").slots == 20


def test_a_new_target_holds_for_replicas_that_are_known() -> None:
    it = fleet("r")
    it.observe([Replica("r", 20, 3, 0.0)], ttft_target_s=20.0)
    for second in range(20):
        it.heard_first_token("r", 9.0, prompt_tokens=10, now=float(second))

    assert it.replica("r").slots == 20


def test_one_that_is_out_of_service_is_forgotten_with_its_limit() -> None:
    it = fleet("r", "other")
    for second in range(20):
        it.heard_first_token("r", 9.0, prompt_tokens=10, now=float(second))
    it.retain({"other"})
    it.heard_first_token("r", 9.0, prompt_tokens=10, now=30.0)
    it.observe([Replica("r", 20, 3, 0.0)], ttft_target_s=2.0)

    assert [replica.id for replica in it.replicas()] == ["other", "r"]
    assert it.replica("r").slots == 20
