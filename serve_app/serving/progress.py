"""How far an answer has come, and what it has cost, as its items pass by."""

from collections.abc import Callable

from serve_app.core.dispatch import Dispatcher
from serve_app.core.request import Request
from serve_app.engine.protocol import Frame, Items, Usage

Clock = Callable[[], float]


class Progress:
    """The answer to `request` so far. The dispatcher hears of the first token, and of answers
    that get longer than expected."""

    __slots__ = (
        "_clock",
        "_dispatcher",
        "_produced",
        "_usage",
        "has_failed",
        "has_started",
        "request",
    )

    def __init__(self, dispatcher: Dispatcher, request: Request, clock: Clock) -> None:
        self.request = request
        self.has_started = False
        self.has_failed = False
        self._dispatcher = dispatcher
        self._clock = clock
        self._produced = 0
        self._usage: Usage | None = None

    @property
    def cost(self) -> float | None:
        """What the engine did for it so far. None, what was expected, where that cannot be seen:
        of an answer in one piece that was cancelled."""
        costs, usage = self._dispatcher.queue.rules.costs, self._usage
        if usage is not None and not usage.prompt_tokens:
            return costs.of(uncached=0, cached=self.request.prompt_tokens, output=0)
        if usage is not None:
            uncached = usage.prompt_tokens - usage.cached_tokens
            return costs.of(
                uncached=uncached, cached=usage.cached_tokens, output=usage.output_tokens
            )
        if self.has_failed and not self._produced:
            return 0.0
        return costs.of_request(self.request, self._produced) if self.request.streams else None

    @property
    def uncached_tokens(self) -> int | None:
        """Of the prompt, what the engine had to compute; None until it says so."""
        usage = self._usage
        return usage.prompt_tokens - usage.cached_tokens if usage is not None else None

    def note(self, items: Items) -> bool:
        """Take what has come; true when the first token has."""
        self.has_started = True
        produced = 0
        for item in items:
            if isinstance(item, Frame):
                produced += len(item.token_ids)
                self._usage = item.usage
        is_first = bool(produced) and not self._produced
        if is_first:
            self._dispatcher.heard_first_token(self.request.id, now=self._clock())
        self._produced += produced
        if self._produced > self.request.sequences * self.request.output_tokens:
            self._dispatcher.grown(self.request.id, self.request.prompt_tokens + self._produced)
        return is_first
