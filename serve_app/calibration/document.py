"""The calibration file: rates, what they were measured on, every point with its residual, and
the loads that were not used for the fit."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from serve_app.calibration.fit import Speeds, fit
from serve_app.calibration.points import Decode, Load, Prompt, Sent


@dataclass(frozen=True, slots=True)
class Sizes:
    """The part of a replica's rates that an endpoint says of itself."""

    kv_tokens: int
    max_num_seqs: int
    chunk_tokens: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """Everything that was measured of one endpoint."""

    sizes: Sizes
    prompts: Sequence[Prompt]
    decodes: Sequence[Decode]
    loads: Sequence[Load]

    @property
    def speeds(self) -> Speeds:
        return fit(self.prompts, self.decodes)


def document(found: Calibration, measured: dict[str, Any]) -> dict[str, Any]:
    """As JSON has it; `measured` says on what, when and how."""
    speeds = found.speeds
    return {
        "rates": asdict(speeds) | asdict(found.sizes),
        "measured": measured,
        "prompts": [_point(p, p.ttft_s, speeds.ttft_s(p.tokens)) for p in found.prompts],
        "decodes": [_point(d, d.step_s, speeds.step_s(d.sequences)) for d in found.decodes],
        "loads": [asdict(load) for load in found.loads],
    }


def loads_of(document: dict[str, Any]) -> list[Load]:
    """Raises `KeyError`, `TypeError` or `ValueError` where they are not as written."""
    return [
        Load(float(load["share"]), tuple(Sent(**request) for request in load["requests"]))
        for load in document["loads"]
    ]


def _point(point: Prompt | Decode, measured_s: float, fitted_s: float) -> dict[str, Any]:
    return {**asdict(point), "residual": fitted_s / measured_s - 1}
