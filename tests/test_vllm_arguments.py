"""The shipped list of vLLM's arguments is the one of the installed vLLM.

`python tests/test_vllm_arguments.py` renews it.
"""

import dataclasses
import re
import types
import typing
from pathlib import Path

import pytest
import yaml

from serve_app.checking.vllm_block import vllm_problems
from serve_app.config import EngineArgs
from serve_app.engine import vllm_arguments
from serve_app.engine.vllm_arguments import ARGUMENTS, GONE, OWNED

DEPLOYMENTS = sorted((Path(__file__).parent.parent / "deployments").glob("*.yaml"))
DEPLOYMENTS = [file for file in DEPLOYMENTS if "kind: vllm\n" in file.read_text()]
SHIPPED = Path(vllm_arguments.__file__).with_suffix(".txt")


def installed() -> str:
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.entrypoints.launchers.cli_args import FrontendArgs
    from vllm.model_executor.model_loader import LoadFormats
    from vllm.reasoning import ReasoningParserManager
    from vllm.tool_parsers import ToolParserManager

    kinds = fields(AsyncEngineArgs) | fields(FrontendArgs)
    kinds["tool_call_parser"] = "|".join(ToolParserManager.list_registered())
    kinds["reasoning_parser"] = "|".join(ReasoningParserManager.list_registered())
    kinds["load_format"] = "|".join(sorted(typing.get_args(LoadFormats)))
    return "".join(f"{name} {kind}\n" for name, kind in sorted(kinds.items()))


def fields(arguments: type) -> dict[str, str]:
    annotations = {}
    for base in reversed(arguments.__mro__):
        annotations.update(getattr(base, "__annotations__", {}))
    names = [field.name for field in dataclasses.fields(arguments) if field.name[0] != "_"]
    return {name: kind(annotations[name]) for name in names}


def kind(annotation: object) -> str:
    if typing.get_origin(annotation) in {types.UnionType, typing.Union}:
        options = [one for one in typing.get_args(annotation) if one is not type(None)]
        return kind(options[0]) if len(options) == 1 else "any"
    if typing.get_origin(annotation) is typing.Literal:
        choices = typing.get_args(annotation)
        return "|".join(choices) if all(isinstance(one, str) for one in choices) else "any"
    return annotation.__name__ if annotation in {bool, int, float, str} else "any"


@pytest.mark.vllm
def test_the_list_is_that_of_the_installed_vllm():
    assert SHIPPED.read_text() == installed()


@pytest.mark.vllm
@pytest.mark.parametrize("file", DEPLOYMENTS, ids=lambda file: file.stem)
def test_vllms_own_classes_take_the_block_of_every_deployment(file):
    from serve_app.engine.vllm import _arguments

    args = EngineArgs.model_validate(yaml.safe_load(file.read_text())["applications"][0]["args"])
    engine_args, namespace = _arguments(args, "/models/any")
    for name, value in args.vllm.items():
        assert getattr(namespace, name) == value, name
    assert engine_args.model == "/models/any"


def test_what_is_ours_to_set_is_an_argument_and_what_is_gone_is_none():
    assert OWNED.keys() <= ARGUMENTS.keys()
    assert not GONE.keys() & ARGUMENTS.keys()


@pytest.mark.parametrize("gone", GONE)
def test_a_replacement_is_an_argument_that_may_be_set(gone):
    names = re.findall(r"\w*_\w*", GONE[gone].split("{")[0])
    assert set(names) <= ARGUMENTS.keys() - OWNED.keys()


def test_an_argument_may_always_be_left_to_vllm():
    assert list(vllm_problems(dict.fromkeys(ARGUMENTS.keys() - OWNED.keys()))) == []


if __name__ == "__main__":
    SHIPPED.write_text(installed())
