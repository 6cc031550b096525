"""What OpenAI's clients read about their limits."""

import pytest

from serve_app.core.limiter import Limiter
from serve_app.core.tenant import Identity, RateLimits, Tenant
from serve_app.serving.rate_headers import duration, rate_headers


def headers(of_tenant: RateLimits, of_key: RateLimits, *, tokens: int = 100) -> dict[str, str]:
    who = Identity(Tenant("acme", limits=of_tenant), "k", of_key)
    limiter = Limiter("g")
    limiter.reserve(who, tokens, now=0.0)
    found = rate_headers(limiter.states(who, now=0.0))
    return {name.decode().removeprefix("x-ratelimit-"): value.decode() for name, value in found}


def test_limits_that_are_not_there_are_not_told() -> None:
    assert headers(RateLimits(), RateLimits()) == {}
    assert headers(RateLimits(concurrent=3), RateLimits()) == {}
    assert headers(RateLimits(requests_per_min=60), RateLimits()) == {
        "limit-requests": "60",
        "remaining-requests": "59",
        "reset-requests": "1s",
    }


def test_the_tighter_of_tenant_and_key_is_told() -> None:
    assert headers(
        RateLimits(requests_per_min=60, tokens_per_min=6000),
        RateLimits(requests_per_min=600, tokens_per_min=1000),
    ) == {
        "limit-requests": "60",
        "remaining-requests": "59",
        "reset-requests": "1s",
        "limit-tokens": "1000",
        "remaining-tokens": "900",
        "reset-tokens": "6s",
    }


def test_a_day_that_is_nearly_used_up_is_tighter_than_a_minute() -> None:
    assert headers(RateLimits(tokens_per_min=6000, tokens_per_day=150), RateLimits()) == {
        "limit-tokens": "150",
        "remaining-tokens": "50",
        "reset-tokens": "16h0m0s",
    }


def test_a_debt_leaves_nothing_and_takes_longer_to_reset() -> None:
    told = headers(RateLimits(tokens_per_min=600), RateLimits(), tokens=700)

    assert (told["remaining-tokens"], told["reset-tokens"]) == ("0", "1m10s")


@pytest.mark.parametrize(
    ("seconds", "written", "why"),
    [
        (0.0, "0s", "nothing to wait for"),
        (0.12, "120ms", "below a second"),
        (0.0004, "1ms", "rounded up, or a client would come too early"),
        (1.0, "1s", "no fraction where there is none"),
        (360.0, "6m0s", "seconds are always there"),
        (3723.5, "1h2m3.5s", "all of it"),
        (59.9996, "1m0s", "rounded before it is split"),
        (86400.0, "24h0m0s", "there are no days"),
    ],
)
def test_durations_are_written_as_openai_writes_them(
    seconds: float, written: str, why: str
) -> None:
    assert duration(seconds) == written, why
