"""A policy that raises, and one that hangs, inside: Serve's controller and everybody else go on."""

import copy
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.ray.serve_run import ServeRun, deploy, importable, serve_run, serve_status, variant

pytestmark = pytest.mark.ray

PORT = 18142
HUNG_AFTER_S = 5.0


def two_broken(document: dict[str, Any]) -> None:
    """Two engines with a broken policy each."""
    document["http_options"]["port"] = PORT
    engine, gateway = document["applications"]
    document["applications"] = [named(engine, "raises"), named(engine, "hangs"), gateway]
    for broken, policy in zip(document["applications"], ("Raises", "Hangs"), strict=False):
        function = {"policy_function": f"tests.ray.policies:{policy}"}
        broken["deployments"][0]["autoscaling_config"]["policy"] = function
    gateway["args"]["models"] = {name: name for name in ("raises", "hangs")}


def and_a_healthy_one(document: dict[str, Any]) -> None:
    """After one whose policy cannot even be made."""
    misspelt, healthy = (named(document["applications"][0], n) for n in ("misspelt", "healthy"))
    scaling = misspelt["deployments"][0]["autoscaling_config"]
    scaling["policy"]["policy_kwargs"] = {"target_latee": 0.5}
    two_broken(document)
    document["applications"] += [misspelt, healthy]
    document["applications"][2]["args"]["models"]["healthy"] = "healthy"


def named(engine: dict[str, Any], name: str) -> dict[str, Any]:
    engine = copy.deepcopy(engine) | {"name": name}
    engine["args"] |= {"names": [name]}
    engine["deployments"][0]["autoscaling_config"] |= {"min_replicas": 1}
    return engine


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeRun]:
    folder = tmp_path_factory.mktemp("broken")
    file = variant("simulated.yaml", folder / "broken.yaml", two_broken)
    with serve_run(file, folder / "log", port=PORT, variables=importable(folder)) as running:
        running.until(lambda: running.get("/health")[0] == 200, "gateway", timeout_s=90)
        yield running


def test_engines_whose_policy_is_broken_serve(broken: ServeRun) -> None:
    for name in ("raises", "hangs"):
        broken.until(lambda name=name: broken.replicas(name) == 1, f"{name} to serve", 60)
        assert ask(broken, name) == 200
    broken.until(lambda: "made to raise" in broken.log, "log line", 30)
    broken.until(lambda: "has not answered" in broken.log, "log line", HUNG_AFTER_S + 30)


def test_another_application_is_deployed_and_serves_as_ever(
    broken: ServeRun, tmp_path: Path
) -> None:
    status = partial(serve_status, broken)
    deploy(variant("simulated.yaml", tmp_path / "healthy.yaml", and_a_healthy_one), broken)

    took_s = broken.until(lambda: broken.replicas("healthy") == 1, "healthy to serve", 60)

    assert took_s < 30  # its process, and a new one for the gateway, which has a new model
    assert ask(broken, "healthy") == 200
    assert [ask(broken, name) for name in ("raises", "hangs")] == [200, 200]
    broken.until(lambda: status("misspelt")["status"] == "DEPLOY_FAILED", "refusal", 30)
    assert "target_latee: unknown key; did you mean target_late?" in status("misspelt")["message"]
    assert broken.log.count("made to raise") == 1
    assert broken.log.count("has not answered") == 1


def ask(running: ServeRun, model: str) -> int:
    messages = [{"role": "user", "content": "one two three"}]
    body = {"model": model, "messages": messages, "max_tokens": 4}
    return httpx.post(f"{running.url}/v1/chat/completions", json=body, timeout=30).status_code
