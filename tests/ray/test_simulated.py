"""deployments/simulated.yaml: the gateway, two replicas and Serve between them."""

import asyncio
import json
import random
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.ray.serve_run import ServeRun, serve_run, variant

pytestmark = pytest.mark.ray

MODEL = "simulated"
PORT = 8100


def slow_and_faulty(document: dict[str, Any]) -> None:
    """20 ms a token, two slots, and engines that die when told to."""
    document["http_options"]["port"] = PORT
    engine = document["applications"][0]
    engine["args"]["simulated"] = {"faults": True, "decode_step_s": 0.02, "max_num_seqs": 4}
    engine["deployments"][0]["autoscaling_config"]["max_replicas"] = 2


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeRun]:
    folder = tmp_path_factory.mktemp("simulated")
    file = variant("simulated.yaml", folder / "simulated.yaml", slow_and_faulty)
    with serve_run(file, folder / "serve_run.log", port=PORT) as running:
        running.until(lambda: running.replicas(MODEL) == 2, "two replicas", timeout_s=120)
        yield running


def body(prompt: str = "one two three", **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}]
    return {"model": MODEL, "messages": messages, "max_tokens": 100, **fields}


def is_idle(running: ServeRun) -> bool:
    names = ("gateway_running", "gateway_depth", "engine_running", "engine_waiting")
    return not any(running.metric(name) for name in names)


def test_it_is_up_in_seconds(simulated: ServeRun) -> None:
    assert simulated.get("/ready")[0] == 200
    assert simulated.metric("engine_slots") == 8  # two replicas, four sequences each


def test_two_hundred_clients_that_leave_at_random_leave_nothing_behind(
    simulated: ServeRun,
) -> None:
    dice = random.Random(7)

    async def crowd() -> None:
        at_once = asyncio.Semaphore(50)
        async with httpx.AsyncClient(base_url=simulated.url) as client:
            await asyncio.gather(*(_leave(client, dice, at_once) for _ in range(200)))

    asyncio.run(crowd())
    simulated.until(lambda: is_idle(simulated), "idle gateway and engines", timeout_s=5)
    assert simulated.metric("gateway_requests_total") >= 150  # the rest left before it was read


async def _leave(
    client: httpx.AsyncClient, dice: random.Random, at_once: asyncio.Semaphore
) -> None:
    """Ask for a long answer, streamed or not, and hang up while it waits, prefills or runs."""
    async with at_once:
        asked = body(stream=dice.random() < 0.5, max_tokens=2000)
        task = asyncio.create_task(client.post("/v1/chat/completions", json=asked))
        await asyncio.wait([task], timeout=dice.uniform(0.2, 1.5))
        task.cancel()
        await asyncio.wait([task])


def test_a_replica_that_dies_ends_its_streams_with_an_error_and_the_rest_goes_on(
    simulated: ServeRun,
) -> None:
    def all_run() -> bool:
        return simulated.metric("gateway_running") == 4

    async def scenario() -> tuple[list[str], list[int]]:
        async with httpx.AsyncClient(base_url=simulated.url, timeout=60) as client:
            streams = [
                asyncio.create_task(client.post("/v1/chat/completions", json=body(stream=True)))
                for _ in range(4)
            ]
            await asyncio.to_thread(simulated.until, all_run, "four streams", 10)
            await client.post("/v1/chat/completions", json=body("simulate: die", max_tokens=1))
            answers = await asyncio.gather(*streams)
            later = [client.post("/v1/chat/completions", json=body(max_tokens=2)) for _ in range(4)]
            return [a.text for a in answers], [a.status_code for a in await asyncio.gather(*later)]

    texts, statuses = asyncio.run(scenario())
    for text in texts:
        last = [line for line in text.splitlines() if line][-1].removeprefix("data: ")
        assert last == "[DONE]" or json.loads(last)["error"]["code"] == "engine_dead"
    assert set(statuses) <= {200, 503}
    simulated.until(lambda: simulated.replicas(MODEL) == 2, "replaced replicas", timeout_s=60)
