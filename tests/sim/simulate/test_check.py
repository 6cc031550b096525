"""`serve-app simulate --check`."""

import json

import pytest

from serve_app.calibration.document import Calibration, Sizes, document
from serve_app.calibration.points import Decode, Load, Prompt, Reading, Sent
from serve_app.cli import main

PROMPTS = [Prompt(tokens, 0.02 + tokens / 1000) for tokens in (100, 200)]
DECODES = [Decode(1, 0.02), Decode(5, 0.024)]
READINGS = [Reading(tokens, 0.02 + tokens / 1000) for tokens in (100, 200)]


def written(tmp_path, *loads):
    file = tmp_path / "calibration.json"
    found = Calibration(Sizes(10_000, 8, 2048, 0), PROMPTS, DECODES, READINGS, loads)
    file.write_text(json.dumps(document(found, {})))
    return file


def test_a_load_that_the_model_tells_well_has_no_warning(tmp_path, capsys):
    file = written(tmp_path, Load(0.5, (Sent(0.0, 100, 11, 0.121, 0.0201),)))
    assert main(["simulate", "--check", str(file)]) == 0
    out = capsys.readouterr().out
    assert "decode step 20.0 ms of 1 sequence to 24.0 ms of 5, 1.00 ms a request" in out
    assert "| 50% of capacity |  TTFT p50 ms |    121.0 | 120.0 | -0.8% |" in out
    assert out.endswith("TTFT p50, TTFT p95 and tokens/s are within 15%\n")


def test_a_number_that_is_far_off_is_said_and_kept_in_the_file(tmp_path, capsys):
    file = written(tmp_path, Load(0.0, (Sent(0.0, 100, 11, 0.2, 0.02),)))
    assert main(["simulate", "--check", str(file)]) == 0
    assert "warning: all at once: TTFT p50 is off by -40.0%, more than 15%" in (
        capsys.readouterr().out
    )
    kept = json.loads(file.read_text())["check"]
    assert kept[0]["error"] == pytest.approx(-0.4)
    assert main(["simulate", "--check", str(file)]) == 0  # again


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no rates (FileNotFoundError"),
        ("{}", "no rates (KeyError"),
        ('{"loads": 7}', "no rates (KeyError"),
    ],
)
def test_a_file_that_is_no_calibration_is_one_line_and_status_2(tmp_path, text, said, capsys):
    file = tmp_path / "calibration.json"
    if text is not None:
        file.write_text(text)
    assert main(["simulate", "--check", str(file)]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("loads", [None, [], 7, [{"share": 0.5}]])
def test_rates_without_loads_cannot_be_checked(tmp_path, loads, capsys):
    file = written(tmp_path)
    whole = json.loads(file.read_text())
    file.write_text(json.dumps(whole | {"loads": loads}))
    assert main(["simulate", "--check", str(file)]) == 2
    assert "no loads that were measured" in capsys.readouterr().err


def test_a_replay_needs_a_file_and_a_trace(capsys):
    assert main(["simulate"]) == 2
    assert "there is no file and no trace and no format; usage:" in capsys.readouterr().err
