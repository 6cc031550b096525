"""Who gets in, on what terms, and how the bill is settled.

    request   what somebody asks for, as it will wait and be charged
    reserve   the limits of tenant and key have room for it (`limiter`)    → Permit
    settle    what was used is charged, and the forecast learns from it
    abandon   nothing was used: the tokens go back

A permit ends exactly once: the first of `settle` and `abandon` counts.
"""

from dataclasses import dataclass
from typing import Protocol

from serve_app.core.forecast import Forecast
from serve_app.core.rate_limit import charge
from serve_app.core.request import Request
from serve_app.core.tenant import Identity, Priority


@dataclass(frozen=True, slots=True)
class Asked:
    """What a screened request asks for. `prompt_tokens` is an estimate; `max_tokens` is for
    each sequence, None for as many as fit; `timeout_s` is the client's own patience."""

    id: str
    sequences: int
    prompt_tokens: int
    max_tokens: int | None
    streams: bool = False
    priority: Priority = Priority.NORMAL
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class Used:
    """What a request used, in tokens; `cached_tokens` of the prompt were in the prefix cache."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0


class Reservation(Protocol):
    """What the limits of a tenant and a key have set aside for one request."""

    def settle(self, tokens: int, *, now: float) -> None: ...

    def abandon(self, *, now: float) -> None: ...


class Permit:
    """An admitted request, and what it has reserved."""

    def __init__(
        self,
        request: Request,
        asked: Asked,
        reservation: Reservation,
        admission: "Admission",
    ) -> None:
        self.request = request
        self.has_run = False  # on a replica, whatever became of it
        self._asked = asked
        self._reservation = reservation
        self._admission = admission
        self._is_ended = False

    def settle(self, used: Used, *, is_complete: bool, now: float) -> None:
        """Charge what was used; a complete answer also says how long answers get."""
        if self._end():
            tokens = charge(
                prompt_tokens=used.prompt_tokens,
                cached_tokens=used.cached_tokens,
                output_tokens=used.output_tokens,
                cached_weight=self._admission.cached_weight,
            )
            self._reservation.settle(tokens, now=now)
            if is_complete and used.output_tokens:
                self._admission.learn(self._asked, used, self.request.tenant)

    def abandon(self, *, now: float) -> None:
        """Give the tokens back."""
        if self._end():
            self._reservation.abandon(now=now)

    def _end(self) -> bool:
        is_first, self._is_ended = not self._is_ended, True
        return is_first


class Admission:
    """The terms of one model. `max_model_len` is the longest sequence that its engine takes."""

    def __init__(
        self, *, expected_output_tokens: int, deadline_s: float, cached_weight: float
    ) -> None:
        self.deadline_s = deadline_s
        self.cached_weight = cached_weight
        self.max_model_len: int | None = None
        self.forecast = Forecast(expected_output_tokens)

    def request(self, asked: Asked, identity: Identity, *, now: float) -> Request:
        """What is to be reserved and to wait: no longer than its client or we allow."""
        wait_s = min(self.deadline_s, asked.timeout_s or self.deadline_s)
        tenant = identity.tenant
        prompt_tokens = self._prompt_tokens(asked, tenant.name)
        return Request(
            asked.id,
            arrived_at=now,
            deadline_at=now + wait_s,
            sequences=asked.sequences,
            prompt_tokens=prompt_tokens,
            output_tokens=self._output_tokens(asked, tenant.name),
            tenant=tenant.name,
            weight=tenant.weight,
            priority=tenant.priority(asked.priority),
            cached_tokens=self.forecast.cached_tokens(prompt_tokens, tenant.name),
            streams=asked.streams,
        )

    def learn(self, asked: Asked, used: Used, tenant: str) -> None:
        """An answer is complete."""
        self.forecast.observe_output(used.output_tokens // asked.sequences, tenant)
        if used.prompt_tokens:
            self.forecast.observe_prompt(asked.prompt_tokens, used.prompt_tokens, tenant)
            self.forecast.observe_cached(used.cached_tokens, used.prompt_tokens, tenant)

    def _prompt_tokens(self, asked: Asked, tenant: str) -> int:
        """A prompt that is too long is refused by the engine, and takes no more than there is."""
        expected = self.forecast.prompt_tokens(asked.prompt_tokens, tenant)
        if self.max_model_len is None:
            return expected
        return min(expected, asked.sequences * self.max_model_len)

    def _output_tokens(self, asked: Asked, tenant: str) -> int:
        expected = self.forecast.output_tokens(asked.max_tokens, tenant)
        if self.max_model_len is None:
            return expected
        room = self.max_model_len - asked.prompt_tokens // asked.sequences
        return min(expected, max(0, room))
