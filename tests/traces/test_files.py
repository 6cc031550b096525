"""Traces with a line for each request."""

import json

import pytest

from serve_app.traces.errors import TraceError
from serve_app.traces.files import read
from serve_app.traces.formats import read as read_as


def lines(tmp_path, name, *texts):
    file = tmp_path / name
    file.write_text("\n".join(texts))
    return file


def test_the_beginning_of_a_trace_is_its_first_request_and_a_part_keeps_the_time(tmp_path):
    header = "TIMESTAMP,ContextTokens,GeneratedTokens"
    file = lines(tmp_path, "a.csv", header, "103.5,30,3", "100,10,1", "102,20,2")
    trace = read(file)

    assert [(r.at_s, r.input_tokens) for r in trace.between(0, 9)] == [(0, 10), (2, 20), (3.5, 30)]
    assert [r.at_s for r in trace.between(2, 3.5)] == [2.0]
    assert trace.seconds == 3.5


def test_seven_digits_of_a_second_are_a_time_as_azure_writes_it(tmp_path):
    rows = ["2023-11-16 18:15:46.6805900,374,44", "2023-11-16 18:15:46.6805999,374,44"]
    trace = read(lines(tmp_path, "a.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\r", *rows))

    assert trace.seconds < 0.001


def test_blocks_are_kept_as_they_are_named(tmp_path):
    row = {"timestamp": 7, "input_length": 1000, "output_length": 1, "hash_ids": [4, 5]}
    [request] = read(lines(tmp_path, "m.jsonl", json.dumps(row))).between(0, 1)

    assert request.blocks == (4, 5)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "mooncake",
            '{"timestamp": 0, "input_length": 1, "output_length": 1}\n{',
            ":2 is no trace",
        ),
        ("mooncake", '{"timestamp": 0, "input_length": -1, "output_length": 1}', "below 0"),
        ("mooncake", "[1]", ":1 is no trace"),
        ("mooncake", "TIMESTAMP,ContextTokens", "or CSV with TIMESTAMP"),
        ("azure", "TIMESTAMP,ContextTokens,GeneratedTokens\n0,1,1\n1,x,1", ":3 is no trace"),
        ("azure", "TIMESTAMP,ContextTokens,GeneratedTokens\n0,1", ":2 is no trace"),
        ("azure", "", "holds no requests"),
    ],
)
def test_what_is_wrong_in_a_file_is_one_line_with_its_number(tmp_path, name, text, said):
    with pytest.raises(TraceError) as refused:
        read_as(lines(tmp_path, "trace", text), name)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("path", "name", "said"),
    [
        ("trace", "moncake", "did you mean mooncake?"),
        ("trace", "servegen", "is a file: servegen is a folder"),
        (".", "azure", "is a folder: servegen is a folder"),
        ("nothing-here", "azure", "nothing-here is not there"),
    ],
)
def test_a_format_that_does_not_match_says_what_would(tmp_path, path, name, said):
    lines(tmp_path, "trace", "")
    with pytest.raises(TraceError, match=said.replace("?", r"\?")):
        read_as(tmp_path / path, name)


def test_requests_of_one_tick_are_spread_over_it_and_no_further(tmp_path):
    times = [0, 0, 0, 3000, 6000, 6000, 60_000, 60_000]
    rows = [{"timestamp": at, "input_length": 9, "output_length": 1} for at in times]
    file = lines(tmp_path, "m.jsonl", *map(json.dumps, rows))
    found = [r.at_s for r in read_as(file, "mooncake", seed=1).between(0, 99)]

    first = read(file).spread(1).requests[0].at_s
    whole = [at + first for at in found]
    assert whole == sorted(whole)
    assert [sum(at <= t < at + 3 for t in whole) for at in (0, 3, 6, 60)] == [3, 1, 2, 2]
    assert len(set(whole)) == len(whole)
    assert found == [r.at_s for r in read_as(file, "mooncake", seed=1).between(0, 99)]
    assert found != [r.at_s for r in read_as(file, "mooncake", seed=2).between(0, 99)]
