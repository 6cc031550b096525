"""What decides the number of replicas.

A YAML's `autoscaling_config` replaces the one from the code as a whole, its policy included;
one without a policy gets Serve's, which counts the requests that wait at Serve's handles.
Ours wait in the gateway.
"""

from typing import Any

from serve_app.checking.kind import ENGINE, POLICY, Kind, with_colon
from serve_app.checking.knobs import knob_problems
from serve_app.checking.part import mapping, mappings, number
from serve_app.checking.problem import Problem, Problems
from serve_app.config import PolicyKnobs

DEFAULT_METRICS_INTERVAL_S = 10.0
DEFAULT_LOOK_BACK_PERIOD_S = 30.0
DEFAULT_DELAYS_S = {"upscale_delay_s": 30.0, "downscale_delay_s": 600.0}
RECORDS_PER_LOOK_BACK = 0.2  # RAY_SERVE_AUTOSCALING_METRIC_RECORD_INTERVAL_FACTOR


def autoscaling_problems(deployment: dict[str, Any], kind: Kind) -> Problems:
    """What is wrong with how one of our deployments scales."""
    config = mapping(deployment.get("autoscaling_config"))
    if kind is ENGINE and deployment.get("num_replicas") == "auto" and not config:
        yield Problem(("num_replicas",), f"auto is Serve's own policy; {_advice()}")
    found = [*_policy_problems(config, kind), *_interval_problems(config)] if config else []
    yield from (problem.under("autoscaling_config") for problem in found)


def override_problems(application: dict[str, Any]) -> Problems:
    """What is wrong with a policy of the whole application; it replaces those of deployments."""
    policy = mapping(application.get("autoscaling_policy"))
    if with_colon(policy.get("policy_function")) == POLICY:
        yield Problem(("autoscaling_policy",), f"this one scales a deployment; {_advice()}")
    elif policy and any(
        mapping(deployment.get("autoscaling_config")).get("policy")
        for _, deployment in mappings(application.get("deployments"))
    ):
        yield Problem(("autoscaling_policy",), "would replace the policies of the deployments")


def _policy_problems(config: dict[str, Any], kind: Kind) -> Problems:
    policy = mapping(config.get("policy"))
    function = with_colon(policy.get("policy_function"))
    if kind is ENGINE and "policy_function" not in policy:
        yield Problem((), f"replaces the policy in the code by Serve's; {_advice()}")
    if function != POLICY:
        return
    if kind is not ENGINE:
        yield Problem(("policy",), "reads what engines report, and this is no engine; remove it")
        return
    kwargs = policy.get("policy_kwargs") or {}
    for problem in knob_problems(PolicyKnobs, kwargs):
        yield problem.under("policy", "policy_kwargs")
    yield from _age_problems(config, mapping(kwargs))
    yield from _delay_problems(config)


def _age_problems(config: dict[str, Any], kwargs: dict[str, Any]) -> Problems:
    """A number is taken, and then waits for the next push to Serve's controller."""
    interval_s = number(config.get("metrics_interval_s"), DEFAULT_METRICS_INTERVAL_S)
    look_back_s = number(config.get("look_back_period_s"), DEFAULT_LOOK_BACK_PERIOD_S)
    oldest_s = interval_s + min(interval_s, RECORDS_PER_LOOK_BACK * look_back_s)
    max_age_s = number(kwargs.get("max_age_s"), PolicyKnobs().max_age_s)
    if oldest_s >= max_age_s:
        message = f"numbers get {oldest_s:g} s old, and the policy drops what is older than"
        yield Problem(("metrics_interval_s",), f"{message} max_age_s = {max_age_s:g} s; set 0.5")


def _delay_problems(config: dict[str, Any]) -> Problems:
    for key, default_s in DEFAULT_DELAYS_S.items():
        delay_s = number(config.get(key), default_s)
        if delay_s:
            message = f"{delay_s:g} s on top of the policy's own windows; set 0"
            yield Problem((key,), message if key in config else f"is missing: {message}")


def _interval_problems(config: dict[str, Any]) -> Problems:
    interval_s = number(config.get("metrics_interval_s"), DEFAULT_METRICS_INTERVAL_S)
    look_back_s = number(config.get("look_back_period_s"), DEFAULT_LOOK_BACK_PERIOD_S)
    if look_back_s <= interval_s:
        message = f"{look_back_s:g} s: must be longer than metrics_interval_s = {interval_s:g} s"
        yield Problem(("look_back_period_s",), message)


def _advice() -> str:
    return f"set autoscaling_config.policy.policy_function: {POLICY}"
