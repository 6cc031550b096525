"""The question that the words of a command line ask; what makes no sense is a `QuestionError`."""

import argparse
import math
from dataclasses import replace

from serve_app.checking.question import QuestionError, pairs, positive, seconds
from serve_app.sim.scaling import sizing
from serve_app.sim.scaling.demand import Survey, slowdown, slower, survey
from serve_app.sim.scaling.fleet import Slo
from serve_app.sim.scaling.recorded import Traffic
from serve_app.sim.scaling.setup import Setup
from serve_app.sim.simulate.deployment import Deployment, deployment
from serve_app.sim.simulate.policies import parse, swept
from serve_app.sim.simulate.progress import say
from serve_app.sim.simulate.question import Bounds, Question, setup
from serve_app.sim.simulate.rates import rates_of
from serve_app.traces.formats import read
from serve_app.traces.part import Part


def question_of(chosen: argparse.Namespace) -> Question:
    """The question for options as `options.add_to` defines them; reads the trace, and sizes."""
    slo, policies, attainment = _slo(chosen.slo), parse(chosen.policy), _share(chosen.attainment)
    load_times = tuple(dict.fromkeys(_load_time(text) for text in chosen.load_time.split(",")))
    fleet = None if chosen.fleet is None else _count(chosen.fleet, "--fleet")
    part = _part(chosen)
    found = deployment(chosen.file, chosen.model)
    policies = swept(policies, found.policy) if chosen.sweep else policies
    bounds = _bounds(chosen, found, fleet)
    rates = rates_of(found, calibration=chosen.calibration, hardware=chosen.on)
    traffic = Traffic(part, found.max_model_len)
    seen = _survey(traffic)
    _check_tpot(slo, rates.alone_s)
    sized = _size(traffic, seen, setup(found, rates, bounds, slo), attainment, fleet)
    return Question(
        deployment=found,
        traffic=traffic,
        survey=seen,
        clipped=traffic.clipped(),
        rates=sized.rates,
        slowdown=rates.prefill_tokens_per_s / sized.rates.prefill_tokens_per_s,
        bounds=bounds,
        slo=slo,
        policies=policies,
        is_sweep=chosen.sweep,
        load_times_s=load_times,
        attainment=attainment,
        peak=_needed(traffic, seen.busiest, seen, sized, attainment),
        initial=_needed(traffic, 0, seen, sized, attainment),
    )


def _survey(traffic: Traffic) -> Survey:
    found = survey(traffic, traffic.seconds)
    if not found.requests:
        raise QuestionError(f"nothing arrives in this part of {traffic.part.name}")
    return found


def _size(
    traffic: Traffic, seen: Survey, plain: Setup, attainment: float, fleet: int | None
) -> Setup:
    """As it is, or with replicas so slow that the busiest window needs `fleet` of them."""
    if fleet is None:
        return plain
    say(f"sizing: how slow a replica is when the busiest window needs {fleet}")
    guess = slowdown(seen, plain.rates, plain.slo, fleet)
    arrivals = list(traffic.between(*seen.span(seen.busiest)))
    times = sizing.slowdown(arrivals, plain, attainment, replicas=fleet, guess=guess)
    if times is None:
        raise QuestionError(
            f"--fleet {fleet}: so many replicas do not serve {attainment:.1%} of the busiest "
            "window in time however fast they are; ask for more, or a lower --attainment"
        )
    return replace(plain, rates=slower(plain.rates, times))


def _needed(traffic: Traffic, number: int, seen: Survey, sized: Setup, attainment: float) -> int:
    """Replicas for one window."""
    arrivals = list(traffic.between(*seen.span(number)))
    guess = seen.windows[number].replicas(sized.rates, sized.slo)
    return sizing.fewest(arrivals, sized, attainment, guess=guess)


def _part(chosen: argparse.Namespace) -> Part:
    speed_up = positive(chosen.speed_up, "--speed-up")
    from_hour = 0.0 if chosen.from_hour == "0" else positive(chosen.from_hour, "--from-hour")
    hours = math.inf if chosen.hours is None else positive(chosen.hours, "--hours")
    return Part(read(chosen.trace, chosen.format, seed=chosen.seed), from_hour, hours, speed_up)


def _bounds(chosen: argparse.Namespace, found: Deployment, fleet: int | None) -> Bounds:
    most = max(found.most, 2 * (fleet or 0))
    if chosen.max_replicas is not None:
        most = _count(chosen.max_replicas, "--max-replicas")
    if most < max(1, found.least, fleet or 0):
        least = f"--fleet is {fleet}" if fleet else f"the file's min_replicas is {found.least}"
        raise QuestionError(f"--max-replicas is {most}, and {least}")
    return Bounds(found.least, most)


def _slo(text: str) -> Slo:
    found = pairs(text, ("ttft", "tpot"))
    times = {f"{name}_s": seconds(value, name) for name, value in found.items()}
    return Slo(**times)


def _check_tpot(slo: Slo, step_s: float) -> None:
    if slo.tpot_s is not None and slo.tpot_s < step_s:
        raise QuestionError(
            f"--slo tpot is {slo.tpot_s * 1e3:g} ms; a step of one sequence takes "
            f"{step_s * 1e3:g} ms"
        )


def _load_time(text: str) -> float:
    return 0.0 if text.strip() in {"0", "0s"} else positive(text.removesuffix("s"), "--load-time")


def _share(text: str) -> float:
    share = positive(text, "--attainment")
    if share >= 1:
        raise QuestionError(f"--attainment is {text}; it must be below 1")
    return share


def _count(text: str, name: str) -> int:
    number = positive(text, name)
    if number % 1:
        raise QuestionError(f"{name} is {text}; replicas are whole")
    return int(number)
