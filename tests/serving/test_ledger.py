"""A gateway asks the ledger for what it does not hold, and waits when it does not answer."""

import asyncio
from collections.abc import Awaitable

import pytest
from ray.exceptions import RayError

from serve_app.core import ledger as core
from serve_app.core.exchange import SILENCE_S, WARM_UP_S, Answer, Message
from serve_app.core.limiter import Limiter
from serve_app.core.tenant import Identity, RateLimits, Tenant
from serve_app.errors import RateLimited
from serve_app.serving.ledger import RETRY_S, TIMEOUT_S, Exchange, Ledger, LedgerClient
from tests.serving.virtual_time import run

WHO = Identity(Tenant("acme", limits=RateLimits(tokens_per_min=6000)))


class Road:
    """To a ledger in this process; counts exchanges, and can be closed."""

    def __init__(self) -> None:
        self.ledger = core.Ledger("one", now=-WARM_UP_S)
        self.count = 0
        self.is_open = True

    async def __call__(self, message: Message) -> Answer:
        self.count += 1
        await asyncio.sleep(0.01)
        if not self.is_open:
            raise RayError("the actor died")
        return self.ledger.exchange(message, now=now())


def now() -> float:
    return asyncio.get_running_loop().time()


def clients(count: int) -> tuple[list[LedgerClient], Road]:
    road = Road()
    return [LedgerClient(road, Limiter(f"g{i}"), clock=now) for i in range(count)], road


def test_without_a_ledger_there_is_nobody_to_ask() -> None:
    async def scenario() -> None:
        it = LedgerClient(None, Limiter("g"))
        await it.reserve(WHO, 6000)
        assert not await it.exchange_once()
        with pytest.raises(RateLimited):
            await it.reserve(WHO, 6000)

    run(scenario())


def test_what_is_not_here_is_asked_for() -> None:
    async def scenario() -> None:
        (a, b), road = clients(2)
        await a.reserve(WHO, 4000)
        await b.reserve(WHO, 1500)
        with pytest.raises(RateLimited):  # refused without asking again
            await b.reserve(WHO, 4000)
        assert road.count == 2

    run(scenario())


def test_requests_that_come_together_ask_together() -> None:
    async def scenario() -> None:
        (it,), road = clients(1)
        await asyncio.gather(*(it.reserve(WHO, 100) for _ in range(50)))
        assert road.count <= 2

    run(scenario())


def test_a_client_that_leaves_while_it_waits_takes_nothing() -> None:
    async def scenario() -> None:
        (it,), road = clients(1)
        leaves = asyncio.create_task(it.reserve(WHO, 4000))
        stays = asyncio.create_task(it.reserve(WHO, 6000))
        await asyncio.sleep(0)
        leaves.cancel()
        assert (await stays).tokens == 6000
        assert leaves.cancelled()
        assert road.count <= 2

    run(scenario())


def test_when_the_ledger_is_silent_requests_wait_until_the_gateway_goes_by_its_share(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        (it,), road = clients(1)
        await it.reserve(WHO, 10)
        road.is_open = False
        reservation = await it.reserve(WHO, 1000)
        assert reservation.tokens == 1000
        assert now() <= 0.1 + SILENCE_S + 2 * RETRY_S
        before = road.count
        await it.reserve(WHO, 1000)
        assert road.count == before  # alone, it asks nobody but in the loop
        for _ in range(3):
            assert not await it.exchange_once()

        road.is_open = True
        assert await it.exchange_once()

    with caplog.at_level("INFO", logger="ray.serve"):
        run(scenario())
    said = [record.message for record in caplog.records if "ledger" in record.message]
    assert said == [
        "the ledger is silent (RayError('the actor died')): limits hold by shares",
        "the ledger answers again",
    ]


def test_an_answer_that_does_not_come_is_not_waited_for_for_ever() -> None:
    async def scenario() -> None:
        def never(message: Message) -> Awaitable[Answer]:
            return asyncio.get_running_loop().create_future()

        exchange: Exchange = never
        it = LedgerClient(exchange, Limiter("g"), clock=now)
        assert not await it.exchange_once()
        assert now() == TIMEOUT_S

    run(scenario())


def test_the_deployment_answers_messages() -> None:
    async def scenario() -> Answer:
        return await Ledger().exchange(Message("g", 1, "", 0.0, []))

    answer = run(scenario())
    assert (answer.gateways, answer.is_ready) == (1, False)
