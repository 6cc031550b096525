"""`deployments/reference.yaml` is made from `config.py`, and says all of it."""

from pathlib import Path

import pytest
import yaml

from serve_app.checking.file import check_file
from serve_app.config import (
    Cors,
    EngineArgs,
    EngineTunables,
    GatewayArgs,
    GatewayTunables,
    Limits,
    PolicyKnobs,
    Queue,
    Simulated,
)
from serve_app.reference import check, reference, write

SHIPPED = Path(__file__).parent.parent / "deployments" / "reference.yaml"
ENGINE, GATEWAY = yaml.safe_load(reference())["applications"]
SCALING = ENGINE["deployments"][0]["autoscaling_config"]

BLOCKS = [
    (EngineArgs, ENGINE["args"]),
    (Simulated, ENGINE["args"]["simulated"]),
    (EngineTunables, ENGINE["deployments"][0]["user_config"]),
    (PolicyKnobs, SCALING["policy"]["policy_kwargs"]),
    (GatewayArgs, GATEWAY["args"]),
    (GatewayTunables, GATEWAY["deployments"][0]["user_config"]),
    (Queue, GATEWAY["deployments"][0]["user_config"]["queue"]),
    (Limits, GATEWAY["deployments"][0]["user_config"]["limits"]),
    (Cors, GATEWAY["deployments"][0]["user_config"]["cors"]),
]


@pytest.mark.parametrize(("model", "block"), BLOCKS, ids=[model.__name__ for model, _ in BLOCKS])
def test_a_block_has_every_knob_at_its_default(model, block):
    assert list(block) == list(model.model_fields)
    required = {name: block[name] for name, f in model.model_fields.items() if f.is_required()}
    assert model.model_validate(block) == model.model_validate(required)


@pytest.mark.parametrize("model", [model for model, _ in BLOCKS])
def test_a_knob_has_its_documentation_as_a_comment(model):
    text = " ".join(line.strip().removeprefix("# ") for line in reference().splitlines())
    for field in model.model_fields.values():
        assert " ".join(field.description.split()) in text


def test_the_file_that_is_shipped_is_current():
    assert check(SHIPPED) == 0


def test_what_is_made_passes_the_check_that_it_documents(tmp_path):
    write(tmp_path / "reference.yaml")
    assert check_file(tmp_path / "reference.yaml") == []


def test_a_file_that_is_not_current_is_said_to_be_so(tmp_path, capsys):
    file = tmp_path / "reference.yaml"
    assert check(file) == 1
    file.write_text(reference().replace("overcommit: 1.1", "overcommit: 1.2"))
    assert check(file) == 1
    assert "run serve-app reference" in capsys.readouterr().err
    write(file)
    assert check(file) == 0
