"""Every deployment for GPUs beside its plan: the command in its head, and the numbers it states."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from serve_app.cli import main
from serve_app.core.layout import Candidate, Layout
from serve_app.core.memory import footprint
from serve_app.planning.candidate import candidate_of
from serve_app.planning.hardware import hardware_of
from serve_app.planning.model import model_of
from serve_app.planning.rates import rates_of

FOLDER = Path(__file__).parents[2] / "deployments"
COMMAND = re.compile(r"^# +serve-app (plan .*)$", re.MULTILINE)


@dataclass(frozen=True)
class Deployment:
    """A file: what it says of itself, and what of it is for the engine."""

    name: str

    @property
    def text(self) -> str:
        return (FOLDER / self.name).read_text()

    @property
    def engine(self) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load(self.text)["applications"][0]
        return found

    @property
    def args(self) -> dict[str, Any]:
        found: dict[str, Any] = self.engine["args"]
        return found

    @property
    def serving(self) -> dict[str, Any]:
        found: dict[str, Any] = self.engine["deployments"][0]
        return found

    @property
    def command(self) -> list[str]:
        [command] = COMMAND.findall(self.text)
        return shlex.split(command)

    @property
    def hardware(self) -> str:
        return self.command[self.command.index("--on") + 1]

    @property
    def candidate(self) -> Candidate:
        model = model_of(self.args["model"], may_ask_hub=False)
        return candidate_of(model, self.args["vllm"], hardware_of(self.hardware))


ON_GPUS = [Deployment(path.name) for path in sorted(FOLDER.glob("*.yaml"))]
ON_GPUS = [one for one in ON_GPUS if COMMAND.search(one.text)]
LAYOUTS = {
    "deepseek.yaml": Layout(tensor=8),
    "deepseek-throughput.yaml": Layout(data=8),
    "deepseek-2node-h100.yaml": Layout(tensor=8, pipeline=2),
    "deepseek-v3.2.yaml": Layout(data=8),
    "deepseek-int4-8xa100.yaml": Layout(tensor=8),
    "r1-distill-1gpu.yaml": Layout(),
}
every = pytest.mark.parametrize("deployment", ON_GPUS, ids=lambda one: one.name)


def test_every_deployment_that_takes_gpus_is_here() -> None:
    asks = {path.name for path in FOLDER.glob("*.yaml") if "GPU: 1" in path.read_text()}
    assert {one.name for one in ON_GPUS} == asks == LAYOUTS.keys()


@every
def test_it_fits_its_hardware_as_it_is(deployment: Deployment) -> None:
    candidate = deployment.candidate
    found = rates_of(deployment.args, deployment.hardware)

    assert candidate.layout == LAYOUTS[deployment.name]
    assert footprint(candidate).fits
    assert found.kv_tokens > candidate.settings.max_model_len


@every
def test_its_head_asks_for_a_plan_that_has_its_layout(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    candidate = deployment.candidate
    assert main(deployment.command) == 0
    page = capsys.readouterr().out

    assert deployment.command[1] == deployment.args["model"]
    assert f" {candidate.layout} × 1 " in page
    assert f"context {candidate.settings.max_model_len}," in page
    assert candidate.settings.has_mtp is ("--mtp" in deployment.command)


@every
def test_the_arithmetic_in_its_comments_is_the_plans(deployment: Deployment) -> None:
    """To what deepseek.yaml reckons by hand: 2 %."""
    memory = footprint(deployment.candidate)
    said = re.sub(r"\n +# ", " ", deployment.text)
    numbers = {
        r"([\d.]+) GB of weights": memory.weights.total / 1e9,
        r"leaves ([\d.]+) GB of KV cache": memory.kv / 1e9,
        r"([\d.]+) million tokens in all": memory.kv_tokens / 1e6,
        r"([\d,]+) bytes on": memory.kv_bytes_per_token,
        r"(\d+) such conversations fit": memory.full_sequences,
    }
    for words, planned in numbers.items():
        found = re.search(words, said)
        if found is None:
            assert deployment.name in {"deepseek.yaml", "r1-distill-1gpu.yaml"}, words
            continue
        assert float(found[1].replace(",", "")) == pytest.approx(planned, rel=0.02), words


@every
def test_it_has_a_bundle_per_rank_and_room_for_its_slots(deployment: Deployment) -> None:
    layout, settings = deployment.candidate.layout, deployment.candidate.settings
    bundles = deployment.serving["placement_group_bundles"]
    slots = int(1.1 * settings.max_num_seqs * layout.data)

    assert [bundle["GPU"] for bundle in bundles] == [1] * layout.gpus
    assert deployment.serving["ray_actor_options"]["num_cpus"] == bundles[0]["CPU"]
    assert f"{slots} slots" in deployment.text
    assert settings.max_num_seqs <= footprint(deployment.candidate).sequences_of(2048)


def test_they_scale_alike() -> None:
    first, *others = (one.serving["autoscaling_config"] for one in ON_GPUS)
    assert all(other == first for other in others)
