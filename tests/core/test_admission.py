"""What a request is admitted as, and that its permit ends exactly once."""

import pytest

from serve_app.core.admission import Admission, Asked, Permit, Used
from serve_app.core.limiter import Limiter
from serve_app.core.tenant import Identity, Priority, RateLimits, Tenant

LIMIT = 1000
SOMEBODY = Identity(
    Tenant("somebody", 2.0, Priority.NORMAL, limits=RateLimits(tokens_per_day=LIMIT))
)


def admission() -> Admission:
    return Admission(expected_output_tokens=100, deadline_s=60.0, cached_weight=0.1)


def permit(it: Admission, limiter: Limiter, asked: Asked) -> Permit:
    request = it.request(asked, SOMEBODY, now=0.0)
    return Permit(request, asked, limiter.reserve(SOMEBODY, request.tokens, now=0.0), it)


def left(limiter: Limiter) -> float:
    [state] = limiter.states(SOMEBODY, now=0.0)
    return state.remaining


@pytest.mark.parametrize(
    ("asked", "expected", "why"),
    [
        (Asked("r", 1, 10, None), 100, "what the operator expects"),
        (Asked("r", 1, 10, 7), 7, "no more than it may have"),
        (Asked("r", 1, 460, None), 40, "no more than the model has room for"),
        (Asked("r", 1, 600, None), 0, "a prompt that is too long is the engine's to refuse"),
    ],
)
def test_the_output_that_is_expected(asked: Asked, expected: int, why: str) -> None:
    it = admission()
    it.max_model_len = 500

    assert it.request(asked, SOMEBODY, now=0.0).output_tokens == expected, why


def test_as_long_as_no_engine_was_heard_of_nothing_is_too_long() -> None:
    assert admission().request(Asked("r", 1, 9000, None), SOMEBODY, now=0.0).output_tokens == 100


@pytest.mark.parametrize(("timeout_s", "wait_s"), [(None, 60.0), (5.0, 5.0), (900.0, 60.0)])
def test_it_waits_as_long_as_the_client_wants_and_the_operator_allows(
    timeout_s: float | None, wait_s: float
) -> None:
    asked = Asked("r", 1, 10, 7, timeout_s=timeout_s)

    assert admission().request(asked, SOMEBODY, now=100.0).deadline_at == 100.0 + wait_s


def test_what_was_used_is_charged_and_the_rest_goes_back() -> None:
    it, limiter = admission(), Limiter("here")
    settled = permit(it, limiter, Asked("r", 1, 200, 300))
    assert left(limiter) == LIMIT - (200 + 100)  # the prompt, and what is expected

    settled.settle(Used(200, 100, 50), is_complete=True, now=0.0)
    assert left(limiter) == LIMIT - (100 + 10 + 50)


def test_what_was_not_used_goes_back_whole() -> None:
    it, limiter = admission(), Limiter("here")
    permit(it, limiter, Asked("r", 1, 200, 300)).abandon(now=0.0)

    assert left(limiter) == LIMIT


def test_the_first_end_of_a_permit_counts() -> None:
    it, limiter = admission(), Limiter("here")
    settled, abandoned = (permit(it, limiter, Asked(name, 1, 100, 100)) for name in "ab")
    settled.settle(Used(100, 0, 100), is_complete=False, now=0.0)
    settled.abandon(now=0.0)
    abandoned.abandon(now=0.0)
    abandoned.settle(Used(100, 0, 100), is_complete=True, now=0.0)

    assert left(limiter) == LIMIT - 200


def test_complete_answers_teach_length_size_and_what_is_cached() -> None:
    it, limiter = admission(), Limiter("here")
    for number in range(300):
        asked = Asked(str(number), 2, 100, None)
        taught = Permit(
            it.request(asked, SOMEBODY, now=0.0), asked, limiter.reserve(NOBODY, 1, now=0.0), it
        )
        taught.settle(Used(200, 150, 60), is_complete=True, now=0.0)

    request = it.request(Asked("r", 1, 100, None), SOMEBODY, now=0.0)
    assert request.output_tokens == pytest.approx(30, abs=3)  # of each of two sequences
    assert request.prompt_tokens == pytest.approx(200, abs=3)
    assert request.cached_tokens == pytest.approx(150, abs=3)


@pytest.mark.parametrize("used", [Used(100, 0, 9), Used(0, 0, 9)], ids=["cut off", "uncounted"])
def test_what_is_not_known_is_not_learned(used: Used) -> None:
    it, limiter = admission(), Limiter("here")
    permit(it, limiter, Asked("r", 1, 50, 100)).settle(
        used, is_complete=not used.prompt_tokens, now=0.0
    )

    assert it.forecast.prompt_tokens(50) == 50


NOBODY = Identity(Tenant("nobody"))
