"""Traffic rises and falls, engines take 20 s to load: through Serve's autoscaler and a gateway.

An hour and a half of it at 60 times its speed, for two models at once: one that always has a
replica, and one that is at zero when nobody asks. Afterwards the simulator plays what was sent.
"""

import asyncio
import copy
import re
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

import pytest

from serve_app.config import GatewayTunables
from tests.ray.fleet import Seen, steps, watch
from tests.ray.policies import AGE, START
from tests.ray.replayed import differences, load_time_s, simulated
from tests.ray.serve_run import importable, serve_run, variant
from tests.ray.traffic import Asked, Told, play, steady

pytestmark = pytest.mark.ray

PORT = 18144
LOAD_S = 20.0
HEARTBEAT_S = 1.0
BEAT_S = GatewayTunables().beat_interval_s
# Four sequences at once, 50 ms a token: 40 tokens take 2 s, and a replica does 2 requests a second;
# 1.4 where one in twenty is ten times as long.
ENGINE = {"decode_step_s": 0.05, "max_num_seqs": 4, "load_s": LOAD_S}
FROM_ONE = [
    *steady(0.5, from_s=0, to_s=10),
    *steady(3.0, from_s=10, to_s=70, long_every=20),
    *steady(0.5, from_s=70, to_s=90),
]
FROM_ZERO = steady(2.0, from_s=0, to_s=60, long_every=20)
MOST = 12


@dataclass(frozen=True)
class Played:
    """What became of the requests for one model, its replicas meanwhile and after, and those
    of the simulator."""

    told: list[Told]
    seen: list[Seen]
    replay: list[Seen]
    log: str

    @property
    def wanted(self) -> list[int]:
        return [wanted for _, wanted, _ in self.seen]

    @property
    def serving(self) -> list[int]:
        return [serving for *_, serving in self.seen]


def two_models(document: dict[str, Any]) -> None:
    document["http_options"]["port"] = PORT
    engine, gateway = document["applications"]
    engines = [copy.deepcopy(engine) | {"name": name} for name in ("one", "zero")]
    for least, application in zip((1, 0), engines, strict=True):
        application["args"] |= {"names": [application["name"]], "simulated": ENGINE}
        deployment = application["deployments"][0]
        deployment["graceful_shutdown_timeout_s"] = 60  # the longest stream takes 20 s
        scaling = deployment["autoscaling_config"]
        scaling |= {"min_replicas": least, "initial_replicas": least, "max_replicas": MOST}
        scaling["downscale_to_zero_delay_s"] = 2
    document["applications"] = [*engines, gateway]
    gateway["args"]["models"] = {"one": "one", "zero": "zero"}
    gateway["deployments"][0]["user_config"] = {"heartbeat_interval_s": HEARTBEAT_S}


def watched(document: dict[str, Any]) -> None:
    two_models(document)
    for application in document["applications"][:2]:
        policy = application["deployments"][0]["autoscaling_config"]["policy"]
        policy["policy_function"] = "tests.ray.policies:Watches"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    folder = tmp_path_factory.mktemp("live")
    file = variant("simulated.yaml", folder / "live.yaml", watched)
    with serve_run(file, folder / "log", port=PORT, variables=importable(folder)) as running:
        running.until(lambda: running.replicas("one") == 1, "one replica", timeout_s=120)
        began = time.monotonic()
        with (
            watch(running, "one", began=began) as of_one,
            watch(running, "zero", began=began) as of_zero,
        ):
            told = asyncio.run(_play_both(running.url, began))
            for name, least in (("one", 1), ("zero", 0)):
                settles = lambda name=name, least=least: running.replicas(name) == least  # noqa: E731
                running.until(settles, f"{name} at {least}", timeout_s=60)
        log = running.log
    decisions = [line for line in log.splitlines() if "autoscaling of" in line]
    print("\n".join([*map(str, steps(of_one)), *map(str, steps(of_zero)), *decisions]))
    plain = variant("simulated.yaml", folder / "plain.yaml", two_models)
    seen, traces = (of_one, of_zero), (FROM_ONE, FROM_ZERO)
    return {
        model: Played(told[k], seen[k], _replayed(plain, model, traces[k], told[k], seen[k]), log)
        for k, model in enumerate(("one", "zero"))
    }


async def _play_both(url: str, began: float) -> list[list[Told]]:
    return await asyncio.gather(
        play(url, "one", FROM_ONE, began=began), play(url, "zero", FROM_ZERO, began=began)
    )


def _replayed(
    file: Path, model: str, trace: list[Asked], told: list[Told], seen: list[Seen]
) -> list[Seen]:
    sent, load_s = list(zip(trace, told, strict=True)), load_time_s(seen)
    replay = simulated(file, model, sent, load_s=load_s, until_s=seen[-1][0])
    print(f"{model}, {load_s:.1f} s from order to service, simulated:", *steps(replay), sep="\n")
    return replay


@pytest.mark.parametrize("model", ["one", "zero"])
def test_no_request_fails_and_none_is_cut(played: dict[str, Played], model: str) -> None:
    assert {told.status for told in played[model].told} == {200}
    assert [told for told in played[model].told if not told.is_whole] == []


def test_one_replica_becomes_several_and_one_again(played: dict[str, Played]) -> None:
    serving = played["one"].serving
    assert (serving[0], serving[-1]) == (1, 1)
    assert max(serving) >= 3  # 3 requests a second, and a replica does 1.4


def test_no_replica_becomes_several_and_none_again(played: dict[str, Played]) -> None:
    serving = played["zero"].serving
    assert (serving[0], serving[-1]) == (0, 0)
    assert max(serving) >= 2


@pytest.mark.parametrize("model", ["one", "zero"])
def test_replicas_over_time_follow_the_simulators(played: dict[str, Played], model: str) -> None:
    """Within one replica and five seconds, from order to service what it was here."""
    live, replay = played[model].seen, played[model].replay

    assert list(differences(live, replay)) == [], (steps(live), steps(replay))


@pytest.mark.parametrize("model", ["one", "zero"])
def test_replicas_that_load_are_not_ordered_twice(played: dict[str, Played], model: str) -> None:
    """Two are full of what arrives, four with growth and room to spare, and what waits when they
    come needs one more for half a minute; twice as many would be ten of the twelve allowed."""
    assert max(played[model].wanted) <= 7


def test_who_is_held_while_the_first_replica_loads_hears_heartbeats(
    played: dict[str, Played],
) -> None:
    first = played["zero"].told[0]
    assert first.ended_s - first.began_s >= LOAD_S
    assert first.heartbeats >= 0.8 * LOAD_S / HEARTBEAT_S


def test_what_replicas_say_of_their_start_begins_at_their_order(played: dict[str, Played]) -> None:
    """Before they load a process starts, and imports this package."""
    starts = [float(start) for start in re.findall(rf"{START}: ([0-9.]+) s", played["one"].log)]

    assert min(starts) > LOAD_S + 0.5


def test_what_the_policy_sees_is_no_older_than_two_seconds(played: dict[str, Played]) -> None:
    """But for one look in twenty: twelve replicas start on what may be two busy cores."""
    ages = [float(age) for age in re.findall(rf"{AGE}: ([0-9.]+) s", played["one"].log)]

    assert len(ages) > 500
    assert quantiles(ages, n=20)[18] + BEAT_S < 2.0  # a depth may have been as old as a beat
