"""What a run found: per target and level, and against the first target."""

from dataclasses import dataclass
from datetime import UTC, datetime

from serve_app.bench.answer import Measurement
from serve_app.bench.level import Level
from serve_app.bench.metrics import Spread, ratios, summary
from serve_app.bench.plan import Plan
from serve_app.bench.target import Target


@dataclass(frozen=True)
class Results:
    """All measurements of complete rounds. `plan` names the models; `started_at` is Unix time."""

    plan: Plan
    started_at: float
    measurements: tuple[Measurement, ...]
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"serve-app bench, {datetime.fromtimestamp(self.started_at, UTC):%F %R} UTC"

    @property
    def rounds(self) -> int:
        """Complete ones; fewer than planned when the run was stopped."""
        return 1 + max(measurement.round for measurement in self.measurements)

    @property
    def has_errors(self) -> bool:
        return any(answer.error for m in self.measurements for answer in m.answers)

    def of(self, target: Target, level: Level) -> list[Measurement]:
        """The rounds of one target at one level, in their order."""
        return [m for m in self.measurements if (m.target, m.level) == (target.name, level)]

    def summary(self, target: Target, level: Level) -> dict[str, float]:
        """The numbers of all rounds together, by the keys in `metrics`."""
        return summary(self.of(target, level), self.plan.slo, target.price)

    def by_round(self, target: Target, level: Level) -> list[dict[str, float]]:
        """The same numbers, of each round."""
        return [summary([m], self.plan.slo, target.price) for m in self.of(target, level)]

    def ratios(self, target: Target, level: Level) -> dict[str, Spread]:
        """This target over the first, round by round."""
        first = self.plan.targets[0]
        return ratios(self.by_round(target, level), self.by_round(first, level))
