"""`serve-app simulate`: words in, tables and files out."""

import json
import re
from pathlib import Path

import pytest

from serve_app.cli import main
from tests.traces.made import servegen

FILE = str(Path(__file__).parents[3] / "deployments" / "simulated.yaml")
DEEPSEEK = str(Path(FILE).with_name("deepseek.yaml"))
QUICK = ["--load-time", "20", "--policy", "serve-default,static-peak"]


@pytest.fixture
def trace(tmp_path):
    steady, burst = (0, 0.4, "Gamma", 1.0, 2.5), (600, 1.2, "Gamma", 0.5, 1.6)
    return servegen(tmp_path / "trace", [steady, burst], prompt="{400: 1}", answer="{50: 1}")


def words(trace, *more):
    return ["simulate", FILE, "--trace", str(trace), "--format", "servegen", *more]


def test_a_table_has_a_row_for_each_policy(trace, capsys):
    assert main(words(trace, *QUICK)) == 0
    out, err = capsys.readouterr()
    assert "# simulated under trace" in out
    assert "960 requests in 0.33 h, mean 400 prompt and 50 answer tokens" in out
    rows = re.findall(r"^\| (serve-default|static-peak) +\| +[\d.]+%", out, re.MULTILINE)
    assert rows == ["serve-default", "static-peak"]
    assert "static-peak, load 20 s: " in err


def test_json_is_all_that_is_on_stdout(trace, capsys):
    assert main(words(trace, *QUICK, "--json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert [run["policy"] for run in found["runs"]] == ["serve-default", "static-peak"]
    assert found["question"]["total"]["requests"] == found["runs"][0]["requests"] == 960
    assert found["runs"][1]["attainment"] >= 0.99
    assert found["runs"][0]["samples"]


def test_the_report_is_one_file_that_loads_nothing(trace, tmp_path, capsys):
    file = tmp_path / "report.html"
    assert main(words(trace, *QUICK, "--report", str(file))) == 0
    page = file.read_text()
    assert page.count("<svg") == 3
    assert not re.search(r"<script|src=|href=\"(?!#)", page)
    assert "static-peak, load time 20 s" in page


def test_processes_find_what_one_finds(trace, capsys):
    found = []
    for jobs in ("1", "2"):
        assert main(words(trace, *QUICK, "--json", "--jobs", jobs)) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0] == found[1]


def test_a_fleet_makes_the_busiest_window_need_so_many(trace, capsys):
    assert main(words(trace, *QUICK, "--fleet", "3", "--json")) == 0
    question = json.loads(capsys.readouterr().out)["question"]
    assert question["peak"] == 3
    assert question["slowdown"] > 1
    assert question["most"] == 6


def test_a_faster_clock_is_a_shorter_trace(trace, capsys):
    more = ("--speed-up", "4", "--from-hour", "0.1666667", "--hours", "0.1")
    assert main(words(trace, *QUICK, *more, "--json")) == 0
    assert json.loads(capsys.readouterr().out)["question"]["seconds"] == pytest.approx(90)


def test_rates_come_from_a_calibration_where_there_is_one(trace, tmp_path, capsys):
    rates = {
        "prefill_tokens_per_s": 9000,
        "decode_steps": [[1, 0.03], [8, 0.05], [128, 0.1]],
        "kv_tokens": 500000,
        "max_num_seqs": 128,
        "chunk_tokens": 8192,
    }
    file = tmp_path / "rates.json"
    file.write_text(json.dumps({"rates": rates, "measured": "somewhere"}))
    line = words(trace, *QUICK, "--calibration", str(file), "--json")
    line[1] = DEEPSEEK
    assert main(line) == 0
    question = json.loads(capsys.readouterr().out)["question"]
    assert question["rates"] == rates | {
        "overhead_s": 0.0,
        "read_step_s": 0.0,
        "reading": [],
        "beside": 1.0,
        "steps_ahead": 0,
    }
    assert (question["deployment"], question["most"]) == ("deepseek-v3", 4)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--format", "mooncak"], "did you mean mooncake?"),
        (["--trace", "nothing-here"], "nothing-here is not there"),
        (["--policy", "queue-dept"], "did you mean queue-depth?"),
        (["--load-time", "30,soon"], "--load-time is soon"),
        (["--slo", "tftt=1s"], "did you mean ttft?"),
        (["--slo", "tpot=50"], "write tpot=50ms"),
        (["--slo", "tpot=1ms"], "a step of one sequence takes 20 ms"),
        (["--speed-up", "0"], "--speed-up is 0"),
        (["--from-hour", "7"], "and none from 7 on"),
        (["--fleet", "2.5"], "replicas are whole"),
        (["--max-replicas", "1"], "the file's min_replicas is 2"),
        (["--fleet", "8", "--max-replicas", "4"], "--fleet is 8"),
        (["--attainment", "99"], "must be below 1"),
        (["--jobs", "0"], "--jobs is 0"),
        (["--report", "/"], "cannot be written"),
        (["--model", "simulatd"], "did you mean simulated?"),
        (["--calibration", "nothing-here"], "no rates (FileNotFoundError"),
    ],
)
def test_a_wrong_question_is_one_line_and_status_2(trace, more, said, capsys):
    assert main(words(trace, *more)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("decode_step_s", 0, "a decode step of 1 takes 0.0 s"),
        ("decode_step_per_seq_s", -0.5, "2 take 0.5 s after 1 1.0 s"),
        ("decode_steps", [], "they begin with that of 1 sequence"),
        ("decode_steps", [[0, 0.1]], "they begin with that of 1 sequence"),
        ("decode_steps", [[2, 0.1], [1, 0.2]], "1 take 0.2 s after 2 0.1 s"),
        ("decode_steps", [[1, 0.1], [2, float("inf")]], "2 take inf s"),
        ("decode_steps", 7, "TypeError"),
        ("read_step_s", -1, "read_step_s is -1.0"),
        ("reading", [[1, -0.1]], "reading: 1 take -0.1 s"),
        ("reading", [[8, 0.1], [4, 0.2]], "reading: 4 take 0.2 s after 8 0.1 s"),
        ("reading", [[8, float("inf")]], "reading: 8 take inf s"),
        ("beside", 1.5, "beside is 1.5: a share"),
        ("steps_ahead", 2, "steps_ahead is 2: 0, or 1"),
        ("kv_tokens", 0, "kv_tokens is 0"),
        ("kv_tokens", "many", "ValueError"),
        ("chunk_tokens", None, "TypeError"),
    ],
)
def test_a_calibration_with_a_wrong_rate_names_it(trace, tmp_path, name, value, said, capsys):
    rates = dict.fromkeys(("prefill_tokens_per_s", "decode_step_s", "decode_step_per_seq_s"), 1.0)
    rates |= dict.fromkeys(("kv_tokens", "max_num_seqs", "chunk_tokens"), 1)
    file = tmp_path / "rates.json"
    file.write_text(json.dumps({**rates, name: value}))
    assert main(words(trace, "--calibration", str(file))) == 2
    assert said in capsys.readouterr().err


def test_vllm_without_rates_says_where_they_come_from(trace, capsys):
    line = words(trace)
    line[1] = DEEPSEEK
    assert main(line) == 2
    assert "--calibration FILE" in capsys.readouterr().err


def test_a_file_with_problems_names_the_first(trace, tmp_path, capsys):
    file = tmp_path / "broken.yaml"
    file.write_text("aplications: []")
    line = words(trace)
    line[1] = str(file)
    assert main(line) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "(and 1 more: serve-app check" in err


def test_all_begin_as_the_oracle_does_and_are_held_against_it(trace, capsys):
    assert (
        main(words(trace, "--load-time", "20", "--policy", "serve-default,oracle", "--json")) == 0
    )
    ours, best = json.loads(capsys.readouterr().out)["runs"]
    assert best["ratio_to_oracle"] == 1.0
    assert ours["initial"] == best["initial"]
    assert ours["ratio_to_oracle"] == pytest.approx(ours["replica_hours"] / best["replica_hours"])
    assert best["how"].startswith("windows of ")


def test_the_oracle_of_processes_is_that_of_one(trace, capsys):
    found = []
    for jobs in ("1", "2"):
        line = words(trace, "--load-time", "20,100", "--policy", "oracle", "--jobs", jobs)
        assert main(line) == 0
        found.append(capsys.readouterr().out)
    assert found[0] == found[1]
    assert found[0].count("- oracle: windows of ") == 2


def test_a_sweep_has_each_policy_at_each_of_its_targets(trace, tmp_path, capsys):
    file = tmp_path / "report.html"
    assert main(words(trace, *QUICK, "--sweep", "--report", str(file))) == 0
    out = capsys.readouterr().out
    points = re.findall(
        r"^\| (serve-default|static-peak)(=[\d.]+)? +\| +[\d.]+%", out, re.MULTILINE
    )
    assert len(points) == 14
    assert ("static-peak", "") in points
    assert ("static-peak", "=0.85") in points
    assert "static-peak at its default: " in out
    page = file.read_text()
    assert page.count("<svg") == 3  # over time only the defaults
    assert page.count("<td>static-peak") == 7
