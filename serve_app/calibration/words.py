"""Speeds in words, for who reads a calibration or what is made of one."""

from typing import Protocol

from serve_app.core.curve import Steps


class Speeds(Protocol):
    """What a calibration has fitted, or the engine model takes."""

    @property
    def prefill_tokens_per_s(self) -> float: ...
    @property
    def decode_steps(self) -> Steps: ...
    @property
    def overhead_s(self) -> float: ...
    @property
    def read_step_s(self) -> float: ...
    @property
    def beside(self) -> float: ...
    @property
    def reading(self) -> Steps: ...


def steps(decode_steps: Steps) -> str:
    """The first and the last one.

    >>> steps(((1, 0.0082), (8, 0.0163), (256, 0.0595)))
    'decode step 8.2 ms of 1 sequence to 59.5 ms of 256'
    """
    (fewest, shortest_s), (most, longest_s) = decode_steps[0], decode_steps[-1]
    sequences = "sequence" if fewest == 1 else "sequences"
    return (
        f"decode step {shortest_s * 1e3:.1f} ms of {fewest} {sequences} "
        f"to {longest_s * 1e3:.1f} ms of {most}"
    )


def speeds(found: Speeds) -> str:
    """All of them, in a line."""
    return (
        f"prefill {found.prefill_tokens_per_s:.0f} tokens/s{_reading(found.reading)}, "
        f"{steps(found.decode_steps)}, {found.overhead_s * 1e3:.2f} ms a request, "
        f"{found.read_step_s * 1e3:.2f} ms a step that only reads, "
        f"{found.beside:.0%} of decoding in addition to reading"
    )


def _reading(points: Steps) -> str:
    if not points:
        return ""
    (_, shortest_s), (most, longest_s) = points[0], points[-1]
    return f" (a step {shortest_s * 1e3:.1f} ms of 1 token to {longest_s * 1e3:.1f} ms of {most})"
