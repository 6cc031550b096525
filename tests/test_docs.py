"""The documents keep up with the code."""

import re
from pathlib import Path

import pytest

from serve_app.cli import main
from serve_app.serving.ingress import ENGINE_ROUTES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def commands(line: str) -> list[list[str]]:
    """The words after the program, of every `$ line …` in the README."""
    found = re.findall(rf"^\$ ({line}\b.*?)(?:\s+#.*)?$", README, re.MULTILINE)
    return [words.split()[1:] for words in found]


@pytest.mark.parametrize("target", [arguments[0] for arguments in commands("make")])
def test_the_readmes_make_targets_exist(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("arguments", commands("serve-app check"), ids=" ".join)
def test_the_readmes_deployments_exist_and_pass_the_check(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)

    assert main(arguments) == 0


@pytest.mark.parametrize("arguments", commands("serve-app plan"), ids=" ".join)
def test_the_readmes_plans_have_an_answer(arguments: list[str]) -> None:
    assert main(arguments) == 0


def test_the_readme_names_every_route() -> None:
    own = ("/v1/models", "/health", "/ready", "/metrics", "/version")

    assert [route for route in (*ENGINE_ROUTES, *own) if route not in README] == []


def test_every_file_and_folder_that_the_readme_names_exists() -> None:
    named = re.findall(r"`((?:deployments|serve_app|docs)/[\w./-]*)`", README)

    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(page.name[:4]) for page in (ROOT / "docs" / "decisions").glob("*.md"))

    assert numbers == list(range(1, len(numbers) + 1))
