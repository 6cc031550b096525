"""`serve-app check` on whole files, and what the application builders share with it."""

import pickle
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ray.serve.config import AutoscalingConfig
from ray.serve.schema import (
    DeploymentSchema,
    RayActorOptionsSchema,
    ServeApplicationSchema,
    ServeDeploySchema,
)

from serve_app.checking.arguments import check_engine_args, check_gateway_args
from serve_app.checking.file import check_file
from serve_app.checking.problem import ConfigError, Problem
from serve_app.config import EngineArgs, EngineTunables, GatewayTunables

DEPLOYMENTS = Path(__file__).parent.parent / "deployments"


def check(tmp_path: Path, text: str) -> list[Problem]:
    file = tmp_path / "serve.yaml"
    file.write_text(text)
    return check_file(file)


def test_every_problem_is_listed_with_file_and_line(tmp_path):
    text = (DEPLOYMENTS / "deepseek.yaml").read_text()
    for right, wrong in [
        ("proxy_location: EveryNode", "proxy_locaton: EveryNode"),
        ("port: 8000", "port: many"),
        ("tensor_parallel_size: 8", "swap_space: 8"),
        ("max_replicas: 4", "max_replicas: none"),
        ("deadline_s: 300", "deadline_s: 0"),
    ]:
        assert right in text
        text = text.replace(right, wrong)
    problems = check(tmp_path, text)
    assert len(problems) == 5
    for problem in problems:
        line = text.splitlines()[(problem.line or 0) - 1]
        assert str(problem.path[-1]) in line
        assert str(problem).startswith(f"{tmp_path}/serve.yaml:{problem.line}: {problem.key}: ")


def test_a_key_that_appears_twice_is_an_error_at_the_second_place(tmp_path):
    text = "applications: []\nhttp_options: {port: 1}\nhttp_options: {host: a}\n"
    [problem] = check(tmp_path, text)
    assert (problem.line, problem.key) == (3, "http_options")
    assert "the one on line 2 would be ignored" in problem.message


def test_keys_merged_from_an_anchor_do_not_appear_twice(tmp_path):
    text = (DEPLOYMENTS / "simulated.yaml").read_text()
    text = text.replace("- name: Engine\n", "- &engine\n    name: Engine\n")
    text = text.replace("- name: Gateway\n", "- <<: {num_replicas: 7}\n    name: Gateway\n")
    assert check(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("a: [", "", "not YAML"),
        ("a: !!python/object:x {}", "", "not YAML"),
        ("a: \0", "", "cannot be read"),
        ("", "", "None: must be a mapping"),
        ("- a", "", "must be a mapping"),
        ("applications: [x]", "applications[0]", "'x': must be a mapping"),
        ("http_options: x", "http_options", "'x': must be a mapping"),
        ("applications: {a: 1}", "applications", "valid list"),
    ],
)
def test_what_is_no_serve_config_is_said_in_one_line(text, key, words, tmp_path):
    found = check(tmp_path, text)
    assert any(problem.key == key and words in problem.message for problem in found)
    assert all("\n" not in str(problem) for problem in found)


def test_a_file_that_is_not_there_is_a_problem_of_its_own(tmp_path):
    [problem] = check_file(tmp_path / "none.yaml")
    assert "none.yaml: cannot be read: [Errno 2]" in str(problem)


def test_the_builders_refuse_with_every_problem_at_once():
    args = {"kind": "vllm", "model": "", "names": ["a"], "vllm": {"swap_space": 4, "sed": 1}}
    with pytest.raises(ConfigError) as refused:
        check_engine_args(args)
    assert str(refused.value).splitlines() == [
        "args.model: '': must be text, not empty",
        "args.vllm.swap_space: is no argument of vLLM 0.32: use kv_offloading_size",
        "args.vllm.sed: is no argument of vLLM 0.32; did you mean seed?",
    ]
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)  # Ray carries it


def test_the_builders_give_back_what_they_checked():
    document = yaml.safe_load((DEPLOYMENTS / "local.yaml").read_text())
    args = document["applications"][0]["args"]
    assert check_engine_args(args) == EngineArgs.model_validate(args)
    assert check_gateway_args({"models": {"a": "b"}}).models == {"a": "b"}
    with pytest.raises(ConfigError, match=r"args\.models: \{\}: must be a mapping, not empty"):
        check_gateway_args({"models": {}})


KEYS = st.sampled_from(
    sorted(
        key
        for model in (
            ServeDeploySchema,
            ServeApplicationSchema,
            DeploymentSchema,
            RayActorOptionsSchema,
            AutoscalingConfig,
            EngineArgs,
            EngineTunables,
            GatewayTunables,
        )
        for key in model.model_fields
    )
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["a", "auto"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4)
)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(key=KEYS, value=VALUES, deployment=st.dictionaries(KEYS, VALUES, max_size=5))
def test_no_document_breaks_the_checker(key, value, deployment, tmp_path):
    ours = {"import_path": "serve_app.serving.app:engine", "deployments": [deployment]}
    document = {"applications": [{**ours, key: value}, value], key: value}
    assert all(problem.message for problem in check(tmp_path, yaml.safe_dump(document)))
