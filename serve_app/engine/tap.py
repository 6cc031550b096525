"""The token ids behind the bytes of vLLM's app.

The app shows text. What the engine hands to the app is noted here on the way, per call,
and each message of the app takes along the ids that were noted before it.
"""

import contextvars
from collections.abc import AsyncGenerator
from typing import Any

from serve_app.engine.protocol import Frame, Usage

# Set by the reader of a call, and copied into the task in which the app runs.
current: contextvars.ContextVar["Tap | None"] = contextvars.ContextVar("tap", default=None)


class Tap:
    """The tokens of one call that its bytes have not carried yet, and what it cost so far."""

    def __init__(self) -> None:
        self._pending: dict[int, list[int]] = {}
        self._prompts: dict[str, tuple[int, int]] = {}
        self._output_tokens = 0

    def note(self, request_id: str, choice: int, output: Any) -> None:
        """Take one `RequestOutput` of vLLM's; `choice` is the first choice of its prompt."""
        self.note_prompt(request_id, output)
        for completion in output.outputs:
            ids = completion.token_ids
            self._output_tokens += len(ids)
            self._pending.setdefault(choice + completion.index, []).extend(ids)

    def note_prompt(self, request_id: str, output: Any) -> None:
        """Take the size of a prompt, which is all that an embedding costs."""
        prompt_tokens = len(output.prompt_token_ids or ())
        self._prompts[request_id] = (prompt_tokens, output.num_cached_tokens or 0)

    def frames(self, data: bytes, *, finished: bool) -> list[Frame]:
        """`data` with the pending tokens: one frame, and one more per further choice."""
        pending = [(choice, tuple(ids)) for choice, ids in self._pending.items()] or [(0, ())]
        self._pending.clear()
        *silent, (choice, ids) = pending
        usage = self.usage() if finished else None
        last = Frame(data, choice, ids, finished=finished, usage=usage)
        return [*(Frame(b"", other, others) for other, others in silent), last]

    def usage(self) -> Usage:
        prompts = self._prompts.values()
        return Usage(
            prompt_tokens=sum(total for total, _ in prompts),
            cached_tokens=sum(cached for _, cached in prompts),
            output_tokens=self._output_tokens,
        )


def tapped_llm() -> Any:
    """vLLM's `AsyncLLM`, noting what it generates in the tap of the call."""
    from vllm.v1.engine.async_llm import AsyncLLM  # noqa: PLC0415

    class TappedLLM(AsyncLLM):
        async def generate(
            self, prompt: Any, sampling_params: Any, request_id: str, **options: Any
        ) -> AsyncGenerator[Any, None]:
            tap = current.get()
            choice = _first_choice(request_id, sampling_params.n)
            async for output in super().generate(prompt, sampling_params, request_id, **options):
                if tap is not None:
                    tap.note(request_id, choice, output)
                yield output

        async def encode(
            self, prompt: Any, pooling_params: Any, request_id: str, **options: Any
        ) -> AsyncGenerator[Any, None]:
            tap = current.get()
            async for output in super().encode(prompt, pooling_params, request_id, **options):
                if tap is not None:
                    tap.note_prompt(request_id, output)
                yield output

    return TappedLLM


def _first_choice(request_id: str, n: int) -> int:
    """Completions number the prompts of one request `cmpl-…-0`, `-1`; each has `n` choices."""
    prompt = request_id.rsplit("-", 1)[-1] if request_id.startswith("cmpl-") else "0"
    return int(prompt) * n if prompt.isdecimal() else 0
