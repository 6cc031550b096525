"""Ten times more than the engine can do, for a minute, through two gateways: what it can do it
does, who matters is served, and the rest hear at once when to come back."""

import asyncio
import random
import statistics
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.ray.serve_run import BIN, ServeRun, serve_run, variant, way_in

pytestmark = pytest.mark.ray

MODEL = "simulated"
PORT = 18120
STEP_S, TOKENS, SEQUENCES = 0.05, 40, 8
CAPACITY_PER_S = SEQUENCES / (STEP_S * TOKENS)
OVERLOAD, OVERLOAD_S = 10, 60.0
URGENT_PER_S = 0.6 * CAPACITY_PER_S


def two_tenants(document: dict[str, Any], keys: Path) -> None:
    """Two gateways before one engine; `urgent` may go first, `bulk` may not."""
    document["http_options"]["port"] = PORT
    engine, gateway = document["applications"]
    engine["args"]["simulated"] = {
        "decode_step_s": STEP_S,
        "decode_step_per_seq_s": 0.0,
        "max_num_seqs": SEQUENCES,
    }
    engine["deployments"][0]["autoscaling_config"].update(min_replicas=1, max_replicas=1)
    gateway["deployments"][0]["num_replicas"] = 2
    gateway["deployments"][0]["user_config"] = {
        "auth": {"keys_file": str(keys)},
        "tenants": {"urgent": {"priority": "high"}, "bulk": {}, "ops": {"operator": True}},
        "queue": {"max_requests": 40, "deadline_s": 4.0},
    }


def new_key(keys: Path, tenant: str) -> str:
    command = [BIN / "serve-app", "keys", "create", "--tenant", tenant, "--file", keys]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@dataclass(frozen=True)
class Overloaded:
    running: ServeRun
    keys: dict[str, str]

    def metric(self, name: str) -> float:
        """Summed over labels, of the gateway that answers."""
        return self.running.metric(name)


@pytest.fixture(scope="module")
def overloaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Overloaded]:
    folder = tmp_path_factory.mktemp("overload")
    keys = folder / "keys.yaml"
    made = {tenant: new_key(keys, tenant) for tenant in ("urgent", "bulk", "ops")}
    file = variant("simulated.yaml", folder / "s.yaml", lambda d: two_tenants(d, keys))
    variables = way_in("haproxy", folder / "variables.env", ports_from=PORT + 1)
    with serve_run(
        file, folder / "log", port=PORT, variables=variables, key=made["ops"]
    ) as running:
        running.until(
            lambda: all(running.metric("gateway_ready_replicas") == 1 for _ in range(8)),
            "gateways",
            timeout_s=90,
        )
        yield Overloaded(running, made)


@dataclass(frozen=True, slots=True)
class Answer:
    tenant: str
    status: int
    seconds: float
    ended: float
    retry_after: str | None


class Client:
    """Asks, and notes how that ended."""

    def __init__(self, it: Overloaded, http: httpx.AsyncClient) -> None:
        self._keys, self._http = it.keys, http
        self.answers: list[Answer] = []

    async def ask(self, tenant: str) -> None:
        began = time.perf_counter()
        answer = await self._http.post(
            "/v1/chat/completions",
            json={
                "model": MODEL,
                "max_tokens": TOKENS,
                "messages": [{"role": "user", "content": "one two three"}],
            },
            headers={
                "authorization": f"Bearer {self._keys[tenant]}",
                "x-priority": "high",  # bulk's ceiling makes it normal
            },
        )
        ended = time.perf_counter()
        retry_after = answer.headers.get("retry-after")
        self.answers.append(Answer(tenant, answer.status_code, ended - began, ended, retry_after))

    async def keep_busy(self, *, until: float) -> None:
        while time.perf_counter() < until:
            await self.ask("bulk")

    async def arrive(self, tenant: str, *, per_s: float, until: float, dice: random.Random) -> None:
        """Open loop: arrivals do not wait for answers."""
        at, asking = time.perf_counter(), set()
        while (at := at + dice.expovariate(per_s)) < until:
            await asyncio.sleep(at - time.perf_counter())
            asking.add(asyncio.create_task(self.ask(tenant)))
        await asyncio.gather(*asking)


async def peak_per_s(it: Overloaded, http: httpx.AsyncClient) -> float:
    """Answers a second when the engine is just full."""
    client, seconds = Client(it, http), 10.0
    until = time.perf_counter() + seconds
    await asyncio.gather(*(client.keep_busy(until=until) for _ in range(SEQUENCES + 4)))
    done = [a.ended for a in client.answers if a.status == 200]
    return (len(done) - 1) / (max(done) - min(done))


async def overload(it: Overloaded, http: httpx.AsyncClient) -> tuple[list[Answer], float]:
    """All answers, and those with 200 a second."""
    client, dice = Client(it, http), random.Random(7)
    until = time.perf_counter() + OVERLOAD_S
    bulk_per_s = OVERLOAD * CAPACITY_PER_S - URGENT_PER_S
    await asyncio.gather(
        client.arrive("urgent", per_s=URGENT_PER_S, until=until, dice=dice),
        client.arrive("bulk", per_s=bulk_per_s, until=until, dice=dice),
    )
    done = [a.ended for a in client.answers if a.status == 200]
    return client.answers, (len(done) - 1) / (max(done) - min(done))


def test_ten_times_overload(overloaded: Overloaded) -> None:
    async def scenario() -> tuple[float, list[Answer], float]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=overloaded.running.url, timeout=60, limits=limits
        ) as http:
            peak = await peak_per_s(overloaded, http)
            return peak, *await overload(overloaded, http)

    memory_before = overloaded.metric("process_resident_memory_bytes")
    peak, answers, goodput = asyncio.run(scenario())
    overloaded.running.until(lambda: nobody_waits(overloaded), "empty queue", timeout_s=5)

    urgent = [a.status for a in answers if a.tenant == "urgent"]
    refused = [a for a in answers if a.status == 429]
    quantiles = statistics.quantiles([a.seconds for a in refused], n=100)
    p50_s, p99_s = quantiles[49], quantiles[98]
    print(f"peak {peak:.2f}/s, goodput {goodput:.2f}/s, urgent {urgent.count(200)}/{len(urgent)}")
    print(f"{len(refused)}/{len(answers)} refused, after {p50_s * 1e3:.1f}, {p99_s * 1e3:.1f} ms")
    assert {a.status for a in answers} <= {200, 429, 503}
    assert goodput >= 0.9 * peak
    assert urgent.count(200) >= 0.994 * len(urgent)
    assert len(refused) > 0.5 * len(answers)
    assert all(int(a.retry_after or 0) >= 1 for a in refused)
    # On a quiet machine that is the p99 (docs/log.md); other work on it may take its cores.
    assert p50_s <= 0.05
    assert p99_s <= 0.5
    assert overloaded.metric("process_resident_memory_bytes") < 1.2 * memory_before


def nobody_waits(it: Overloaded) -> bool:
    """Whichever gateway answers; six times is both, but for one time in 32."""
    return not any(it.metric("gateway_depth") for _ in range(6))


def test_bulk_is_not_shut_out_by_who_goes_first(overloaded: Overloaded) -> None:
    tokens = {
        tenant: sum(
            float(line.split()[-1])
            for line in overloaded.running.get("/metrics")[1].splitlines()
            if line.startswith("gateway_tenant_tokens_total")
            and f'tenant="{tenant}"' in line
            and 'kind="output"' in line
        )
        for tenant in ("urgent", "bulk")
    }

    assert tokens["bulk"] > 0.1 * tokens["urgent"] > 0
