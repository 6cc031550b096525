"""What is to be replayed; what makes no sense is a `QuestionError`."""

import argparse
import math
from dataclasses import dataclass

from serve_app.checking.question import QuestionError, pairs, positive, seconds
from serve_app.core.concurrency import slots
from serve_app.sim.scaling.demand import Survey, slowdown, slower, survey
from serve_app.sim.scaling.fleet import Rates, Slo
from serve_app.sim.scaling.recorded import Traffic
from serve_app.sim.scaling.replay import Setup
from serve_app.sim.simulate.deployment import Deployment, deployment
from serve_app.sim.simulate.policies import Ground, Policy, parse
from serve_app.sim.simulate.rates import rates_of
from serve_app.traces.formats import read
from serve_app.traces.part import Part


@dataclass(frozen=True)
class Question:
    """One deployment under one trace: every policy at every load time."""

    deployment: Deployment
    traffic: Traffic
    survey: Survey
    clipped: int
    rates: Rates
    slowdown: float  # of the deployment's own rates
    most: int
    slo: Slo
    policies: tuple[Policy, ...]
    load_times_s: tuple[float, ...]
    attainment: float  # what the oracle is to reach

    @property
    def peak(self) -> float:
        """Replicas that the busiest window needs, on average."""
        return self.survey.peak(self.rates, self.slo)

    @property
    def ground(self) -> Ground:
        found = self.deployment
        return Ground(found.policy, found.up_delay_s, found.down_delay_s, self.slots, self.peak)

    @property
    def slots(self) -> int:
        """Of a replica, for requests of the trace's mean size."""
        return slots(
            kv_tokens=self.rates.kv_tokens,
            max_num_seqs=self.rates.max_num_seqs,
            max_model_len=self.rates.kv_tokens,
            expected_tokens=self.survey.mean_tokens,
            overcommit=self.deployment.engine.overcommit,
        )

    @property
    def initial(self) -> int:
        """With how many all begin, unless the oracle says: what the first window needs."""
        needed = math.ceil(self.survey.first(self.rates, self.slo) - 1e-6)
        return min(self.most, max(1, self.deployment.least, needed))

    def setup(self, load_s: float, initial: int | None = None) -> Setup:
        return Setup(
            rates=self.rates,
            load_s=load_s,
            least=self.deployment.least,
            most=self.most,
            initial=self.initial if initial is None else initial,
            slo=self.slo,
            gateway=self.deployment.gateway,
            engine=self.deployment.engine,
        )


def question_of(chosen: argparse.Namespace) -> Question:
    """The question for options as `options.add_to` defines them; reads the trace once."""
    slo, policies = _slo(chosen.slo), parse(chosen.policy)
    load_times = tuple(dict.fromkeys(_load_time(text) for text in chosen.load_time.split(",")))
    attainment, fleet = _share(chosen.attainment), _optional(chosen.fleet, "--fleet")
    found = deployment(chosen.file, chosen.model)
    rates = rates_of(found, calibration=chosen.calibration, hardware=chosen.on)
    traffic = Traffic(_part(chosen), found.max_model_len)
    seen = survey(traffic, traffic.seconds)
    if not seen.requests:
        raise QuestionError(f"nothing arrives in this part of {traffic.part.name}")
    if not math.isfinite(seen.peak(rates, slo)):
        raise QuestionError(
            f"--slo tpot is below {rates.decode_step_s * 1e3:g} ms, a decode step of one sequence"
        )
    times = slowdown(seen, rates, slo, fleet) if fleet else 1.0
    return Question(
        deployment=found,
        traffic=traffic,
        survey=seen,
        clipped=traffic.clipped(),
        rates=slower(rates, times),
        slowdown=times,
        most=_most(chosen, found, fleet),
        slo=slo,
        policies=policies,
        load_times_s=load_times,
        attainment=attainment,
    )


def _part(chosen: argparse.Namespace) -> Part:
    speed_up = positive(chosen.speed_up, "--speed-up")
    from_hour = 0.0 if chosen.from_hour == "0" else positive(chosen.from_hour, "--from-hour")
    hours = _optional(chosen.hours, "--hours") or math.inf
    trace = read(chosen.trace, chosen.format, seed=chosen.seed)
    return Part(trace, from_hour, hours, speed_up)


def _most(chosen: argparse.Namespace, found: Deployment, fleet: float | None) -> int:
    most = max(found.most, math.ceil(2 * fleet) if fleet else 0)
    if chosen.max_replicas is not None:
        most = int(positive(chosen.max_replicas, "--max-replicas"))
    if most < max(1, found.least):
        raise QuestionError(f"--max-replicas is {most}; the file's min_replicas is {found.least}")
    return most


def _slo(text: str) -> Slo:
    found = pairs(text, ("ttft", "tpot"))
    times = {f"{name}_s": seconds(value, name) for name, value in found.items()}
    return Slo(**times)


def _load_time(text: str) -> float:
    return 0.0 if text.strip() in {"0", "0s"} else positive(text.removesuffix("s"), "--load-time")


def _share(text: str) -> float:
    share = positive(text, "--attainment")
    if share >= 1:
        raise QuestionError(f"--attainment is {text}; it must be below 1")
    return share


def _optional(text: str | None, name: str) -> float | None:
    return None if text is None else positive(text, name)
