"""Every metric in cluster/monitoring is one that somebody exports, every code one that is given."""

import json
import re

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from serve_app import errors
from serve_app.serving.metrics import Metrics
from tests.ray.serve_run import CLUSTER

MONITORING = CLUSTER / "monitoring"
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}


def expressions() -> dict[str, str]:
    """The PromQL of each panel and each alert."""
    panels = json.loads((MONITORING / "grafana.json").read_text())["panels"]
    [group] = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
    return {
        **{panel["title"]: target["expr"] for panel in panels for target in panel["targets"]},
        **{rule["alert"]: rule["expr"] for rule in group["rules"]},
    }


def exported() -> set[str]:
    """The series of a gateway."""
    families = text_string_to_metric_families(Metrics().text({}).decode())
    return {
        family.name + suffix for family in families for suffix in SUFFIXES.get(family.type, ("",))
    }


@pytest.mark.parametrize("expression", expressions().values(), ids=expressions())
def test_every_metric_is_one_that_the_gateway_exports(expression: str) -> None:
    named = set(re.findall(r"\b(?:gateway|engine|process)_\w+", re.sub(r'"[^"]*"', "", expression)))

    assert named
    assert named <= exported()


def test_every_code_in_an_alert_matches_an_error() -> None:
    known = {error.code for error in vars(errors).values() if hasattr(error, "code")}
    patterns = re.findall(r'code=~"([^"]*)"', " ".join(expressions().values()))
    alternatives = [part for pattern in patterns for part in pattern.split("|")]

    assert alternatives
    assert [p for p in alternatives if not any(re.fullmatch(p, code) for code in known)] == []


def test_the_rules_that_prometheus_is_told_to_read_exist() -> None:
    document = yaml.safe_load((MONITORING / "prometheus.yml").read_text())

    assert [name for name in document["rule_files"] if not (MONITORING / name).is_file()] == []


def test_every_alert_has_its_place_in_the_runbook() -> None:
    runbook = (CLUSTER.parent / "docs" / "runbook.md").read_text()
    [group] = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]

    assert [rule["alert"] for rule in group["rules"] if f"`{rule['alert']}`" not in runbook] == []
