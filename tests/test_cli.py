"""`serve-app`: exit status 0 is well, 1 a problem, 2 wrong usage."""

from pathlib import Path

import pytest

from serve_app.cli import main
from serve_app.reference import reference

DEPLOYMENTS = Path(__file__).parent.parent / "deployments"


def test_files_without_a_problem_are_well_and_nothing_is_said(capsys):
    assert main(["check", *map(str, DEPLOYMENTS.glob("*.yaml"))]) == 0
    assert capsys.readouterr().out == ""


def test_problems_of_all_files_are_printed_one_per_line(tmp_path, capsys):
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text("aplications: []")
    assert main(["check", str(first), str(second)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{first}: applications: Field required"
    assert lines[1] == f"{first}:1: aplications: unknown key; did you mean applications?"
    assert lines[2].startswith(f"{second}: cannot be read")


def test_a_policy_beside_the_file_is_found_as_serve_run_finds_it(tmp_path, monkeypatch):
    (tmp_path / "policy_beside_the_file.py").write_text("def keep(context): ...")
    text = (DEPLOYMENTS / "simulated.yaml").read_text()
    ours = "serve_app.serving.autoscaler:ScaleOnQueueDepth"
    text = text.replace(ours, "policy_beside_the_file:keep")
    (tmp_path / "serve.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("unused")  # restores sys.path afterwards
    assert main(["check", "serve.yaml"]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["chek", "a.yaml"], "there is no command chek; did you mean check?"),
        (["zzz"], "there is no command zzz"),
        ([], "required"),
        (["check"], "required: FILE"),
        (["models", "fetch"], "required: NAME"),
        (["wait", "--timeout-s", "soon"], "invalid float value: 'soon'"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_would_be_right(words, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip()[0].isdigit()


def test_reference_writes_the_file_and_check_compares_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deployments").mkdir()
    assert main(["reference", "--check"]) == 1
    assert main(["reference"]) == 0
    assert (tmp_path / "deployments" / "reference.yaml").read_text() == reference()
    assert main(["reference", "--check"]) == 0


def test_a_model_that_cannot_be_fetched_is_a_problem(tmp_path, capsys):
    assert main(["models", "fetch", str(tmp_path / "nothing-here")]) == 1
    assert "nothing-here" in capsys.readouterr().err
