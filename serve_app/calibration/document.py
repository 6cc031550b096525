"""The calibration file: rates, what they were measured on, every point with its residual, and
the loads that were not used for the fit."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from serve_app.calibration.fit import Speeds, fit
from serve_app.calibration.points import Decode, Load, Prompt, Reading, Sent


@dataclass(frozen=True, slots=True)
class Sizes:
    """The part of a replica's rates that an endpoint says of itself."""

    kv_tokens: int
    max_num_seqs: int
    chunk_tokens: int
    steps_ahead: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """Everything that was measured of one endpoint."""

    sizes: Sizes
    prompts: Sequence[Prompt]
    decodes: Sequence[Decode]
    readings: Sequence[Reading]
    loads: Sequence[Load]

    @property
    def speeds(self) -> Speeds:
        return fit(self.prompts, self.decodes, self.readings)

    @property
    def residuals(self) -> tuple[list[float], list[float], list[float]]:
        """Of prompts, decode steps and steps that read: fitted ÷ measured - 1."""
        speeds = self.speeds
        return (
            [speeds.ttft_s(prompt.tokens) / prompt.ttft_s - 1 for prompt in self.prompts],
            [speeds.step_s(decode.sequences) / decode.step_s - 1 for decode in self.decodes],
            [
                speeds.reading_step_s(read.tokens, max(1, read.decoding)) / read.step_s - 1
                for read in self.readings
            ],
        )


def document(found: Calibration, measured: dict[str, Any]) -> dict[str, Any]:
    """As JSON has it; `measured` says on what, when and how."""
    prompts, decodes, readings = found.residuals
    return {
        "rates": asdict(found.speeds) | asdict(found.sizes),
        "measured": measured,
        "prompts": _points(found.prompts, prompts),
        "decodes": _points(found.decodes, decodes),
        "readings": _points(found.readings, readings),
        "loads": [asdict(load) for load in found.loads],
    }


def loads_of(document: dict[str, Any]) -> list[Load]:
    """Raises `KeyError`, `TypeError` or `ValueError` where they are not as written."""
    return [
        Load(float(load["share"]), tuple(Sent(**request) for request in load["requests"]))
        for load in document["loads"]
    ]


def _points(
    points: Sequence[Prompt | Decode | Reading], residuals: list[float]
) -> list[dict[str, Any]]:
    pairs = zip(points, residuals, strict=True)
    return [{**asdict(point), "residual": residual} for point, residual in pairs]
