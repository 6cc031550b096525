"""How much may wait: of all, of a class, of a tenant."""

import pytest

from serve_app.core.tenant import ANONYMOUS, Priority
from serve_app.errors import QueueFull
from tests.core.asker import Asker, queue

HIGH, NORMAL, LOW = Priority


@pytest.mark.parametrize(
    ("waiting", "asked", "refusal", "why"),
    [
        ([(NORMAL, "a", 1)] * 10, (NORMAL, "b", 1), "10 requests are waiting and 10 may", "full"),
        ([(LOW, "a", 1)] * 10, (NORMAL, "b", 1), None, "those who wait for it do not count"),
        ([(HIGH, "a", 1)] * 10, (NORMAL, "b", 1), "10 requests are waiting", "but higher ones do"),
        ([(NORMAL, "a", 60)], (NORMAL, "b", 41), "60 tokens are waiting, this", "in tokens"),
        ([(NORMAL, "a", 60)], (NORMAL, "b", 40), None, "just fits"),
        ([], (NORMAL, "b", 500), None, "or a request larger than the bound could never run"),
    ],
)
def test_bounds(
    waiting: list[tuple[Priority, str, int]],
    asked: tuple[Priority, str, int],
    refusal: str | None,
    why: str,
) -> None:
    ask = Asker(queue(requests=10, tokens=100))
    for priority, tenant, tokens in waiting:
        ask.push(priority, tenant, tokens=tokens)
    priority, tenant, tokens = asked
    if refusal is None:
        ask.push(priority, tenant, tokens=tokens)
        return
    with pytest.raises(QueueFull, match=refusal) as full:
        ask.push(priority, tenant, tokens=tokens)
    assert full.value.retry_after_s == 7.0, why
    assert f"{tenant}{ask.count}" not in ask.it


def fill(ask: Asker, *tenants: str, tokens: int = 1) -> dict[str, int]:
    """Let the tenants push in turn until all are refused; how much each got in."""
    let_in = dict.fromkeys(tenants, 0)
    refused: set[str] = set()
    while len(refused) < len(tenants):
        for tenant in tenants:
            try:
                ask.push(NORMAL, tenant, tokens=tokens)
            except QueueFull:
                refused.add(tenant)
            else:
                let_in[tenant] += 1
    return let_in


@pytest.mark.parametrize(
    ("share", "tenants", "each", "why"),
    [
        (0.5, 1, 50, "a tenant alone fills its share"),
        (0.5, 4, 20, "four leave room for a fifth as large as they are"),
        (0.8, 1, 80, "a larger share"),
        (1.0, 1, 100, "everything"),
    ],
)
def test_tenants_that_flood_leave_room_for_one_that_comes(
    share: float, tenants: int, each: int, why: str
) -> None:
    names = [f"t{i}" for i in range(tenants)]
    for bound in ({"requests": 100}, {"tokens": 100}):
        ask = Asker(queue(**bound, tenant_share=share))
        assert fill(ask, *names) == pytest.approx(dict.fromkeys(names, each), abs=1), why
        if share < 1.0:
            ask.push(NORMAL, "comes")


def test_a_refusal_says_that_it_is_the_tenant_who_has_too_much() -> None:
    ask = Asker(queue(requests=10, tenant_share=0.5))
    for _ in range(5):
        ask.push(NORMAL)

    with pytest.raises(QueueFull, match="5 requests are waiting for your organisation and 4 may"):
        ask.push(NORMAL)


def test_without_keys_everybody_is_one_tenant_who_may_fill_everything() -> None:
    assert fill(Asker(queue(requests=10, tenant_share=0.5)), ANONYMOUS) == {ANONYMOUS: 10}
