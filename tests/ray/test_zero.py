"""A model that is scaled to zero: its requests are held, hear heartbeats, and are served."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from serve_app.core.start import PHASES
from tests.ray.serve_run import ServeRun, deploy, serve_run, variant

pytestmark = pytest.mark.ray

MODEL = "simulated"
PORT = 18130
LOAD_S = 4.0
ASKED = {"model": MODEL, "messages": [{"role": "user", "content": "one two three"}]}


def from_zero(document: dict[str, Any]) -> None:
    document["http_options"]["port"] = PORT
    engine, gateway = document["applications"]
    engine["args"]["simulated"] = {"load_s": LOAD_S}
    scaling = engine["deployments"][0]["autoscaling_config"]
    scaling |= {"min_replicas": 0, "initial_replicas": 0, "max_replicas": 1}
    scaling |= {"downscale_to_zero_delay_s": 2}
    gateway["deployments"][0]["user_config"] = {"heartbeat_interval_s": 0.5}


@pytest.fixture(scope="module")
def at_zero(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeRun]:
    folder = tmp_path_factory.mktemp("zero")
    file = variant("simulated.yaml", folder / "zero.yaml", from_zero)
    with serve_run(file, folder / "log", port=PORT) as running:
        running.until(lambda: running.get("/health")[0] == 200, "gateway", timeout_s=90)
        yield running


def test_a_request_for_a_model_at_zero_is_held_with_heartbeats_and_served(
    at_zero: ServeRun,
) -> None:
    assert at_zero.replicas(MODEL) == 0
    began = time.monotonic()
    body = {**ASKED, "stream": True, "max_tokens": 8}
    with httpx.stream("POST", f"{at_zero.url}/v1/chat/completions", json=body, timeout=60) as told:
        text = told.read()
    took_s = time.monotonic() - began

    assert told.status_code == 200
    assert took_s >= LOAD_S
    assert text.count(b": heartbeat\n\n") >= 4
    assert text.endswith(b"data: [DONE]\n\n")


def test_while_a_replica_loads_ready_says_what_it_does(at_zero: ServeRun) -> None:
    at_zero.until(lambda: at_zero.replicas(MODEL) == 0, "zero replicas", timeout_s=60)
    found: list[dict[str, Any]] = []

    def is_told() -> bool:
        found[:] = json.loads(at_zero.get("/ready")[1])["models"][MODEL].get("starting", ())
        return any(replica["phase"] == PHASES["weights"] for replica in found)

    with ThreadPoolExecutor(1) as pool:
        body = {**ASKED, "max_tokens": 2}
        url = f"{at_zero.url}/v1/chat/completions"
        answer = pool.submit(httpx.post, url, json=body, timeout=60)
        at_zero.until(is_told, "a word of the replica that loads", timeout_s=30)
        assert answer.result().status_code == 200

    [replica] = found
    assert 0 <= replica["seconds"]["weights"] <= LOAD_S + 1


def test_when_nobody_asks_it_goes_back_to_zero_and_comes_up_for_the_next(
    at_zero: ServeRun,
) -> None:
    at_zero.until(lambda: at_zero.replicas(MODEL) == 0, "zero replicas", timeout_s=60)

    answer = httpx.post(
        f"{at_zero.url}/v1/chat/completions", json={**ASKED, "max_tokens": 2}, timeout=60
    )

    assert answer.status_code == 200


def test_a_client_that_leaves_while_its_model_is_at_zero_leaves_nothing_behind(
    at_zero: ServeRun,
) -> None:
    at_zero.until(lambda: at_zero.replicas(MODEL) == 0, "zero replicas", timeout_s=60)

    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{at_zero.url}/v1/chat/completions", json=ASKED, timeout=0.1)
    at_zero.until(lambda: at_zero.metric("gateway_depth") == 0, "empty queue", timeout_s=10)


def test_new_limits_hold_without_a_restart_and_without_a_dropped_request(
    at_zero: ServeRun, tmp_path: Path
) -> None:
    """`serve deploy` of another user_config, while a stream is open."""
    statuses: list[tuple[int, bool]] = []

    def ask() -> None:
        body = {**ASKED, "stream": True, "max_tokens": 300}
        url = f"{at_zero.url}/v1/chat/completions"
        with httpx.stream("POST", url, json=body, timeout=60) as told:
            statuses.append((told.status_code, told.read().endswith(b"data: [DONE]\n\n")))

    asking = threading.Thread(target=ask)
    asking.start()
    at_zero.until(lambda: at_zero.metric("gateway_running") == 1, "a stream", timeout_s=60)
    started = at_zero.metric("process_start_time_seconds")

    def stricter(document: dict[str, Any]) -> None:
        from_zero(document)
        config = document["applications"][1]["deployments"][0]["user_config"]
        config |= {"limits": {"max_tokens": 7}}

    deploy(variant("simulated.yaml", tmp_path / "stricter.yaml", stricter), at_zero)
    refused = {**ASKED, "max_tokens": 8}
    url = f"{at_zero.url}/v1/chat/completions"
    at_zero.until(
        lambda: httpx.post(url, json=refused, timeout=60).status_code == 400, "new limit", 30
    )
    asking.join()

    assert statuses == [(200, True)]
    assert at_zero.metric("process_start_time_seconds") == started
