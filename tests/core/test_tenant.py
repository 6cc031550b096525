"""What the operator says of a tenant bounds what its requests get."""

import pytest

from serve_app.core.tenant import Priority, Tenant


@pytest.mark.parametrize(
    ("ceiling", "asked", "given", "why"),
    [
        (Priority.NORMAL, Priority.HIGH, Priority.NORMAL, "no more than the ceiling"),
        (Priority.HIGH, Priority.HIGH, Priority.HIGH, "as much as the ceiling"),
        (Priority.HIGH, Priority.LOW, Priority.LOW, "less is always given"),
    ],
)
def test_a_request_gets_the_priority_it_asks_for_up_to_the_ceiling(
    ceiling: Priority, asked: Priority, given: Priority, why: str
) -> None:
    assert Tenant("a", ceiling=ceiling).priority(asked) is given, why


@pytest.mark.parametrize(
    ("models", "may", "why"),
    [
        (frozenset(), True, "no list is every model"),
        (frozenset({"m"}), True, "on the list"),
        (frozenset({"other"}), False, "not on the list"),
    ],
)
def test_a_tenant_may_use_the_models_on_its_list(
    models: frozenset[str], may: bool, why: str
) -> None:
    assert Tenant("a", models=models).may_use("m") is may, why
