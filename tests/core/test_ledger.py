"""Over all gateways a limit holds: exactly while the ledger answers, nearly while it does not.

Runs of ten times the limit's traffic, and more, on a virtual clock; messages take time and
get lost. `excess` looks at every window of time, in parts of the burst.
"""

from collections.abc import Callable

import pytest

from tests.core.virtual_gateways import Traffic, World

RUN_S = 130.0

Shape = Callable[[int], Traffic]
"""Traffic for a number of gateways."""


def even(gateways: int) -> Traffic:
    return lambda now, number: 10 / gateways


def skewed(gateways: int) -> Traffic:
    return lambda now, number: 10 if number == 0 else 0


def mostly_one(gateways: int) -> Traffic:
    return lambda now, number: 10 if number == 0 else 0.05


def switching(gateways: int) -> Traffic:
    return lambda now, number: 10 if int(now / 7) % gateways == number else 0


def wild(gateways: int) -> Traffic:
    """Another rate every 3 s at every gateway, from a table that looks like dice."""
    rates = (10, 0, 30, 0.1, 10, 3, 0, 30)
    return lambda now, number: rates[hash((int(now / 3), number)) % len(rates)]


def idle_then_burst(gateways: int) -> Traffic:
    """The bucket fills up, then everybody comes at once."""
    return lambda now, number: 10 if now % 50 > 30 else 0


BUSY = [(even, 1), (even, 5), (skewed, 3), (mostly_one, 4), (switching, 2), (wild, 3), (wild, 5)]


@pytest.mark.parametrize(("shape", "gateways"), [*BUSY, (idle_then_burst, 4)])
def test_no_token_is_granted_twice(shape: Shape, gateways: int) -> None:
    """The rate and one burst, in every window however short, and not a token more."""
    world = World(gateways, shape(gateways), delay_s=0.1).run(RUN_S)

    assert world.excess(slack=1.0, shortest_s=0.0) <= 0


@pytest.mark.parametrize(("shape", "gateways"), BUSY)
def test_no_token_is_lost_while_there_is_demand(shape: Shape, gateways: int) -> None:
    """With messages lost, too; and few are needed."""
    world = World(gateways, shape(gateways), delay_s=0.1, loss=0.1).run(RUN_S)

    assert world.excess(slack=1.05, shortest_s=60.0) <= 0
    assert world.used(5.0, RUN_S) >= 0.95
    assert world.exchanges / RUN_S <= 4 * gateways


@pytest.mark.parametrize("gateways", [1, 3])
def test_many_small_requests_ask_no_more_often(gateways: int) -> None:
    """Hundreds a second, of which a tenth is let in when the burst is used up."""
    world = World(gateways, even(gateways), sizes=(1, 2)).run(8.0)
    before = world.exchanges
    world.run(14.0)

    assert world.refused > 3_000
    assert (world.exchanges - before) / 6.0 <= 4 * gateways


@pytest.mark.parametrize("gateways", [1, 3, 5])
def test_large_requests_get_through_gateways_that_hold_little(gateways: int) -> None:
    """Up to the whole limit in one request: as much is used as of one bucket in one place."""
    world = World(gateways, even(gateways), sizes=(2000, 6000), delay_s=0.05).run(600.0)

    assert world.excess(slack=1.0, shortest_s=0.0) <= 0
    assert world.used(0.0, 600.0) >= 0.95


@pytest.mark.parametrize(("shape", "gateways"), BUSY)
def test_without_a_ledger_every_gateway_keeps_to_its_part(shape: Shape, gateways: int) -> None:
    world = World(gateways, shape(gateways))
    world.lose_ledger()
    world.run(RUN_S)

    assert world.excess(slack=1.0, shortest_s=0.0) <= 0


@pytest.mark.parametrize(("shape", "gateways"), [*BUSY, (idle_then_burst, 4)])
def test_a_ledger_that_starts_anew_learns_what_is_used(shape: Shape, gateways: int) -> None:
    """After being gone for less than it takes to notice, and for longer."""
    world = World(gateways, shape(gateways), delay_s=0.05, loss=0.05)
    world.at(25.0, lambda: world.lose_ledger(for_s=0.2))
    world.at(60.0, lambda: world.lose_ledger(for_s=30.0))
    world.run(RUN_S)

    assert world.excess(slack=1.05, shortest_s=60.0) <= 0
    assert not any(gateway.limiter.is_alone for gateway in world.gateways.values())


@pytest.mark.parametrize("shape", [even, switching, wild])
def test_gateways_come_and_go(shape: Shape) -> None:
    world = World(3, shape(3), delay_s=0.05, loss=0.05)
    for number, joins, leaves in ((3, 10, 70), (4, 25, 50), (5, 50, 100)):
        world.at(joins, lambda number=number: world.join(number))
        world.at(leaves, lambda number=number: world.leave(number))
    world.at(30.0, lambda: world.leave(0))
    world.at(80.0, lambda: world.join(0))
    world.run(RUN_S)

    assert world.excess(slack=1.05, shortest_s=60.0) <= 0
    assert world.used(5.0, RUN_S) >= 0.95


def test_who_stays_below_the_limit_is_never_refused() -> None:
    world = World(3, lambda now, number: 1 / 6, sizes=(200, 900)).run(RUN_S)

    assert world.refused == 0
    assert world.used(0.0, RUN_S) >= 0.4
    assert world.exchanges / RUN_S <= 4 * 3
