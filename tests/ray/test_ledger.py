"""The ledger as Serve runs it: two gateways share a limit, also when its replica is killed."""

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest
import ray
from ray import serve
from ray.serve.handle import DeploymentHandle

from serve_app.core.limiter import Limiter
from serve_app.core.tenant import Identity, RateLimits, Tenant
from serve_app.errors import RateLimited
from serve_app.serving.ledger import LedgerClient, by_handle, ledger

pytestmark = pytest.mark.ray

LIMIT = 6000
WHO = Identity(Tenant("acme", limits=RateLimits(tokens_per_min=LIMIT)))
LATEST_S = 30.0


@pytest.fixture(scope="module")
def handle() -> Iterator[DeploymentHandle]:
    """Serve on a cluster of its own in this process, with a ledger and nothing else."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_AUTH_MODE", "disabled")
        environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
        environment.delenv("RAY_ADDRESS", raising=False)
        ray.init(
            "local",
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=100 * 2**20,
            log_to_driver=False,
        )
        try:
            serve.start(proxy_location="Disabled")
            yield serve.run(ledger(), name="gateway", route_prefix=None)
        finally:
            serve.shutdown()
            ray.shutdown()


class Gateway:
    """The part of a gateway that keeps limits, exchanging twice a second."""

    def __init__(self, name: str, handle: DeploymentHandle) -> None:
        self.limiter = Limiter(name, gateways=2)
        self.client = LedgerClient(by_handle(handle), self.limiter)
        self._loop = asyncio.create_task(self._exchange())

    async def _exchange(self) -> None:
        while True:
            await self.client.exchange_once()
            await asyncio.sleep(0.5)

    async def use(self, tokens: int) -> bool:
        """Whether that many were let in; they are spent."""
        try:
            reservation = await self.client.reserve(WHO, tokens)
        except RateLimited:
            return False
        reservation.settle(tokens, now=time.monotonic())
        return True

    async def until(self, condition: Callable[[], bool]) -> float:
        start = time.monotonic()
        while not condition():
            assert time.monotonic() - start < LATEST_S
            await asyncio.sleep(0.05)
        return time.monotonic() - start

    def stop(self) -> None:
        self._loop.cancel()


async def use_all(gateways: list[Gateway], for_s: float = 0.0) -> int:
    """Ask in turns for as long, then until both refuse; returns what was let in."""
    used, refused, end = 0, 0, time.monotonic() + for_s
    while refused < 6 or time.monotonic() < end:
        for gateway in gateways:
            is_in = await gateway.use(50)
            used, refused = used + 50 * is_in, 0 if is_in else refused + 1
        await asyncio.sleep(0.01)
    return used


def kill_ledger() -> None:
    """As a node that dies does: without a word."""
    actors = ray.util.list_named_actors(all_namespaces=True)
    [name] = [a["name"] for a in actors if "#Ledger#" in a["name"]]
    ray.kill(ray.get_actor(name, namespace="serve"))


def test_two_gateways_share_a_limit_and_the_ledger_may_die(handle: DeploymentHandle) -> None:
    async def scenario() -> None:
        gateways = [Gateway("a", handle), Gateway("b", handle)]
        a, b = gateways
        for gateway in gateways:
            await gateway.until(lambda g=gateway: g.limiter._heard_at is not None)

        start = time.monotonic()
        used = await use_all(gateways)
        per_s = LIMIT / 60
        assert used <= LIMIT + per_s * (time.monotonic() - start)
        assert used >= 0.95 * LIMIT

        kill_ledger()
        await a.until(lambda: a.limiter.is_alone)
        await b.until(lambda: b.limiter.is_alone)
        used += await use_all(gateways, for_s=1.0)
        assert used <= LIMIT + per_s * (time.monotonic() - start)

        gone_s = await a.until(lambda: not a.limiter.is_alone)
        await b.until(lambda: not b.limiter.is_alone)
        print(f"the ledger was back after {gone_s:.1f} s")
        used += await use_all(gateways, for_s=3.0)
        seconds = time.monotonic() - start
        assert 0.9 * (LIMIT + per_s * seconds) <= used <= LIMIT + per_s * seconds
        for gateway in gateways:
            gateway.limiter.check_invariants(now=time.monotonic())
            gateway.stop()

    asyncio.run(scenario())


def test_an_exchange_costs_milliseconds(handle: DeploymentHandle) -> None:
    async def scenario() -> list[float]:
        gateway = LedgerClient(by_handle(handle), Limiter("c", gateways=3))
        times = []
        for _ in range(200):
            start = time.monotonic()
            assert await gateway.exchange_once()
            times.append(time.monotonic() - start)
        return sorted(times)

    times = asyncio.run(scenario())
    print(f"p50 {1000 * times[100]:.1f} ms, p99 {1000 * times[198]:.1f} ms")
    assert times[100] < 0.1
