"""Serve's hook around the policy, asked as Serve asks it."""

import logging
import time
from typing import Any

import pytest
from ray.serve._private.common import DeploymentID, ReplicaID, TimeStampedValue
from ray.serve.config import AutoscalingConfig, AutoscalingContext

from serve_app.core.autoscaling import Decision
from serve_app.core.report import Load
from serve_app.serving.autoscaler import ScaleOnQueueDepth
from serve_app.serving.reports import KINDS

ENGINE = DeploymentID("Engine", "app")
REPLICA = ReplicaID("r", ENGINE)
IDLE = dict.fromkeys(KINDS, 0.0) | {"slots": 10.0}


def context(
    *reports: dict[str, float], target: int, age_s: float = 0.0, least: int = 0, most: int = 8
) -> AutoscalingContext:
    """What Serve says of replicas that have reported this."""
    replicas = [ReplicaID(f"r{number}", ENGINE) for number in range(len(reports))]
    raw: dict[str, dict[ReplicaID, Any]] = {}
    for replica, report in zip(replicas, reports, strict=True):
        for name, value in report.items():
            older = TimeStampedValue(time.time() - age_s - 1, 1e6)
            newest = TimeStampedValue(time.time() - age_s, value)
            raw.setdefault(name, {})[replica] = [older, newest]
    return AutoscalingContext(
        deployment_id=ENGINE,
        deployment_name="Engine",
        app_name="app",
        current_num_replicas=len(replicas),
        target_num_replicas=target,
        running_replicas=replicas,
        total_num_requests=0.0,
        total_queued_requests=0.0,
        aggregated_metrics={},
        raw_metrics=raw,
        capacity_adjusted_min_replicas=least,
        capacity_adjusted_max_replicas=most,
        policy_state={},
        last_scale_up_time=None,
        last_scale_down_time=None,
        current_time=time.time(),
        config=AutoscalingConfig(),
    )


class Told:
    """In the place of the core's policy: remembers what it was shown, and answers."""

    def __init__(self, answer: Decision | Exception) -> None:
        self.answer = answer
        self.loads: list[Load] = []

    def decide(self, load: Load, *, now: float) -> Decision:
        self.loads.append(load)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def asked(answer: Decision | Exception) -> tuple[ScaleOnQueueDepth, Told]:
    it, told = ScaleOnQueueDepth(), Told(answer)
    it.policy = told  # type: ignore[assignment]
    return it, told


def settled(it: ScaleOnQueueDepth, seen: AutoscalingContext) -> int:
    """What it says once the policy, in a thread of its own, has been heard."""
    it(seen)
    it._decider._thread.join()
    replicas, state = it(seen)
    it._decider._thread.join()
    assert state == {}
    return replicas


def test_the_policy_sees_the_newest_report_of_each_replica_and_the_bounds() -> None:
    it, told = asked(Decision(3, "load", "1 → 3"))
    report = {"running": 5, "slots": 10, "depth": 7, "depth_tokens": 900}
    report |= {"arriving_tokens_per_s": 12.5, "kv_usage": 0.25, "load_s": 42.0, "token_s": 0.01}

    assert settled(it, context(report, target=1, least=1, most=5)) == 3
    (replica,) = told.loads[0].replicas
    assert (replica.running, replica.slots, replica.depth, replica.depth_tokens) == (5, 10, 7, 900)
    assert (replica.arriving_tokens_per_s, replica.kv_usage) == (12.5, 0.25)
    assert (replica.load_s, replica.token_s) == (42.0, 0.01)
    assert time.time() - replica.reported_at < 5
    assert (told.loads[0].target, told.loads[0].least, told.loads[0].most) == (1, 1, 5)


def test_a_replica_that_hears_no_gateway_is_no_data_like_a_silent_one() -> None:
    it, told = asked(Decision(2, "load", "2 → 2"))
    without_depth = {name: value for name, value in IDLE.items() if name != "depth"}

    settled(it, context(without_depth, {}, IDLE, target=3))
    assert [replica.reported_at > 0 for replica in told.loads[0].replicas] == [False, False, True]


def test_a_policy_that_raises_holds_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    it, _ = asked(RuntimeError("boom"))
    with caplog.at_level(logging.INFO, logger="ray.serve"):
        answers = {settled(it, context(IDLE, target=4)) for _ in range(5)}

    assert answers == {4}
    assert [record.message for record in caplog.records] == [
        "autoscaling of app: hold: the policy failed with RuntimeError('boom')"
    ]


def test_knobs_that_are_misspelt_hold_and_are_named(caplog: pytest.LogCaptureFixture) -> None:
    it = ScaleOnQueueDepth(target_latee=0.5)
    with caplog.at_level(logging.INFO, logger="ray.serve"):
        assert settled(it, context(IDLE, target=4)) == 4

    assert "target_latee" in caplog.text


def test_a_context_that_cannot_be_read_holds() -> None:
    it, _ = asked(Decision(1, "load", ""))
    seen = context(IDLE, target=4)
    seen.running_replicas = None  # type: ignore[assignment]

    assert it(seen) == (4, {})


def test_each_change_is_logged_once_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    it, _ = asked(Decision(3, "load", "1 → 3: many wait"))
    with caplog.at_level(logging.INFO, logger="ray.serve"):
        for _ in range(3):
            settled(it, context(IDLE, target=1))
        settled(it, context(IDLE, target=3))

    assert [record.message for record in caplog.records] == ["autoscaling of app: 1 → 3: many wait"]


def test_with_no_replica_and_nobody_waiting_it_stays_at_zero() -> None:
    assert settled(ScaleOnQueueDepth(), context(target=0)) == 0


def test_no_replica_and_one_on_its_way_is_no_reason_to_call_it_back() -> None:
    assert settled(ScaleOnQueueDepth(), context(target=1)) == 1


def test_silence_of_all_replicas_holds() -> None:
    assert settled(ScaleOnQueueDepth(), context(IDLE, IDLE, target=5, age_s=60)) == 5


def test_a_policy_that_was_born_just_now_holds_an_idle_fleet() -> None:
    """As after a restart of Serve's controller: what it knew is gone."""
    fleet = context(*[IDLE] * 6, target=6)
    it = ScaleOnQueueDepth()
    for _ in range(20):
        assert settled(it, fleet) == 6
