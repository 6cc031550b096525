"""What a run says: tables, JSON, and doubts about both."""

import json
import re
from dataclasses import replace

import pytest

from serve_app.bench.doubts import warnings
from serve_app.bench.level import Level
from serve_app.bench.record import as_json
from serve_app.bench.table import markdown
from serve_app.bench.target import Target
from tests.bench.made import ONE, answer, results

EIGHT = Level("concurrency", 8)
FAILED = answer(error="429 queue_full: 1000 wait")


def twice_as_slow(name, number):
    """The second target takes twice as long, and every round is slower than the one before."""
    ttft_s = 0.1 * (number + 1) * (2 if name == "second" else 1)
    return [answer(ttft_s=ttft_s)] * 4


def row(text, label):
    [line] = [line for line in text.splitlines() if line.startswith(f"| {label} ")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_a_table_shows_each_target_and_its_ratio_to_the_first():
    text = markdown(results(answers=twice_as_slow))
    assert row(text, "TTFT p50 ms") == ["200", "400", "2.00 (2.00–2.00)"]
    assert row(text, "ITL p50 ms") == ["20.0", "20.0", "1.00 (1.00–1.00)"]
    assert row(text, "requests/s") == ["2.00", "2.00", "1.00 (1.00–1.00)"]
    assert row(text, "errors") == ["0", "0", "–"]


def test_a_single_target_has_no_ratios():
    text = markdown(results(["alone"]))
    assert row(text, "TTFT p50 ms") == ["100"]
    assert "÷" not in text


def test_every_level_has_its_table():
    text = markdown(results(levels=(ONE, EIGHT)))
    assert re.findall(r"^## (concurrency \d)$", text, re.MULTILINE) == [
        "concurrency 1",
        "concurrency 8",
    ]


@pytest.mark.parametrize(
    ("names", "tables", "why"),
    [
        (["a", "b", "c"], 1, "three short names fit"),
        (["a", "b", "c", "d", "e"], 2, "the first and the last ones go below"),
        ([f"a-name-of-sixtee{n}" for n in "123"], 2, "long names take room"),
    ],
)
def test_tables_fit_a_hundred_columns(names, tables, why):
    lines = [
        line
        for line in markdown(results(names, answers=twice_as_slow)).splitlines()
        if line.startswith("|")
    ]
    assert max(map(len, lines)) <= 100, why
    assert sum(line.startswith("|-") for line in lines) == tables, why
    assert all(any(name in line for line in lines) for name in names), why


def test_a_target_that_never_answered_has_dashes():
    made = results(answers=lambda name, _: [FAILED if name == "second" else answer()])
    assert row(markdown(made), "TTFT p50 ms") == ["100", "–", "–"]
    assert row(markdown(made), "errors") == ["0", "3", "–"]
    assert made.has_errors


@pytest.mark.parametrize(
    ("answers", "measured", "said"),
    [
        ([answer(), FAILED], {}, "first, concurrency 1: 3 × 429 queue_full: 1000 wait"),
        ([answer()], {"cpu_share": 0.93}, "this client used 0.93 of a core"),
        ([replace(answer(), asked_tokens=64)], {}, "answers have 11.0 tokens where 64.0"),
        ([replace(answer(tokens=3), output_tokens=11, asked_tokens=11)], {}, "a chunk has 3.7"),
    ],
    ids=["errors", "busy client", "short answers", "packed chunks"],
)
def test_a_doubt_about_the_numbers_is_told(answers, measured, said):
    made = results(["first"], answers=lambda *_: answers, **measured)
    assert said in markdown(made)
    assert [warning for warning in json.loads(as_json(made))["warnings"] if said in warning]


def test_a_run_without_a_doubt_says_nothing_of_it():
    made = results()
    assert warnings(made) == []
    assert "believe" not in markdown(made)
    assert not made.has_errors


def test_json_has_summaries_ratios_rounds_and_answers():
    whole = json.loads(as_json(results(answers=twice_as_slow)))
    [level] = whole["levels"]
    second = level["targets"]["second"]
    assert second["summary"]["ttft_p50_s"] == pytest.approx(0.4)
    assert second["ratio_to_first"]["ttft_p50_s"]["median"] == pytest.approx(2.0)
    assert [one["ttft_p50_s"] for one in second["rounds"]] == pytest.approx([0.2, 0.4, 0.6])
    assert second["rounds"][0]["answers"][0]["chunks"] == 11
    assert {"cpu", "cores", "memory_bytes", "gpus"} <= whole["machine"].keys()
    assert {"python", "serve-app"} <= whole["versions"].keys()
    assert whole["started_at"] == "1970-01-01T00:00:00+00:00"


def test_no_key_is_in_any_report(monkeypatch):
    monkeypatch.setenv("BENCH_TEST_KEY", "a-secret")
    made = results(["first"])
    named = Target("first", "http://h/v1", model="tiny", api_key_env="BENCH_TEST_KEY")
    made = replace(made, plan=replace(made.plan, targets=[named]))
    assert "a-secret" not in markdown(made) + as_json(made)


def test_rounds_that_a_stopped_run_did_not_reach_are_not_counted():
    made = results(rounds=2)
    assert replace(made, plan=replace(made.plan, rounds=5)).rounds == 2
