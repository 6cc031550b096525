"""What is replayed: one deployment under one trace, every policy at every load time."""

from dataclasses import dataclass, replace

from serve_app.core.concurrency import slots
from serve_app.sim.scaling.demand import Survey
from serve_app.sim.scaling.fleet import Rates, Slo
from serve_app.sim.scaling.recorded import Traffic
from serve_app.sim.scaling.setup import Setup
from serve_app.sim.simulate.deployment import Deployment
from serve_app.sim.simulate.policies import Ground, Policy


@dataclass(frozen=True)
class Bounds:
    """Of the fleet, from the file or asked for."""

    least: int
    most: int


@dataclass(frozen=True)
class Question:
    """A whole question, with what was found out before the first run."""

    deployment: Deployment
    traffic: Traffic
    survey: Survey
    clipped: int
    rates: Rates
    slowdown: float  # of the deployment's own rates
    bounds: Bounds
    slo: Slo
    policies: tuple[Policy, ...]
    is_sweep: bool  # over targets
    load_times_s: tuple[float, ...]
    attainment: float  # what the oracle and a fixed fleet are to reach
    peak: int  # replicas that the busiest window needs
    initial: int  # and the first one, with which all begin unless the oracle says

    @property
    def ground(self) -> Ground:
        found = self.deployment
        return Ground(found.policy, found.delays, self.slots, self.peak)

    @property
    def slots(self) -> int:
        """Of a replica, for requests of the trace's mean size."""
        return slots(
            kv_tokens=self.rates.kv_tokens,
            max_num_seqs=self.rates.max_num_seqs,
            max_model_len=self.rates.kv_tokens,
            expected_tokens=self.survey.total.mean_tokens,
            overcommit=self.deployment.engine.overcommit,
        )

    @property
    def needed_hours(self) -> float:
        """Replica-hours that the traffic needs by arithmetic, without loading and bursts."""
        return self.survey.replica_hours(self.rates, self.slo)

    def setup(self, load_s: float, initial: int | None = None) -> Setup:
        plain = setup(self.deployment, self.rates, self.bounds, self.slo)
        return replace(plain, load_s=load_s, initial=initial or self.initial)


def setup(found: Deployment, rates: Rates, bounds: Bounds, slo: Slo) -> Setup:
    """Of replicas that load in no time."""
    return Setup(
        rates=rates,
        load_s=0.0,
        least=bounds.least,
        most=bounds.most,
        slo=slo,
        gateway=found.gateway,
        engine=found.engine,
    )
