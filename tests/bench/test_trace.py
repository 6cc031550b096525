"""Recorded traffic in two formats."""

import json

import pytest

from serve_app.bench.errors import BenchError
from serve_app.bench.trace import read
from serve_app.bench.words import Words, dice_of
from serve_app.traces.recorded import BLOCK_TOKENS


def mooncake(tmp_path, *rows):
    """A file of (ms, input, output, blocks)."""
    names = ("timestamp", "input_length", "output_length", "hash_ids")
    file = tmp_path / "trace.jsonl"
    file.write_text("\n".join(json.dumps(dict(zip(names, row, strict=False))) for row in rows))
    return read(file, Words())


def azure(tmp_path, *lines):
    file = tmp_path / "trace.csv"
    file.write_text("\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *lines]))
    return read(file, Words())


def test_arrivals_of_json_lines_are_in_milliseconds_and_come_in_order(tmp_path):
    trace = mooncake(tmp_path, (2500, 20, 5), (1000, 10, 4))
    assert [(a.at_s, a.input_tokens, a.output_tokens) for a in trace.arrivals] == [
        (1.0, 10, 4),
        (2.5, 20, 5),
    ]


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ("2023-11-16 18:15:46.6805900", "2023-11-16 18:15:50.9805900", "dates, as published"),
        ("3.5", "7.8", "seconds"),
    ],
)
def test_arrivals_of_a_csv_are_dates_or_seconds(tmp_path, first, second, why):
    early, late = azure(tmp_path, f"{first},374,44", f"{second},396,109").arrivals
    assert late.at_s - early.at_s == pytest.approx(4.3), why
    assert (late.input_tokens, late.output_tokens) == (396, 109)


def test_equal_blocks_are_equal_text_and_what_follows_them_is_not(tmp_path):
    tokens = BLOCK_TOKENS + 20
    rows = [(0, tokens, 5, [7, 8]), (1, tokens, 5, [7, 9]), (2, tokens, 5, [7])]
    texts = [ask.text.split() for ask in mooncake(tmp_path, *rows).asks(3, dice_of(0))]
    assert texts[0][:BLOCK_TOKENS] == texts[1][:BLOCK_TOKENS] == texts[2][:BLOCK_TOKENS]
    assert len({tuple(text[BLOCK_TOKENS:]) for text in texts}) == 3
    assert [len(text) for text in texts] == [tokens] * 3


def test_without_blocks_the_words_are_those_of_the_dice(tmp_path):
    trace = azure(tmp_path, "0,30,5")
    [ask], [again] = trace.asks(1, dice_of(1)), trace.asks(1, dice_of(2))
    assert len(ask.text.split()) == 30
    assert ask.text != again.text


def test_only_the_first_requests_are_asked(tmp_path):
    trace = azure(tmp_path, "0,10,1", "1,11,1", "2,12,1")
    assert [ask.input_tokens for ask in trace.asks(2, dice_of(0))] == [10, 11]


def test_requests_that_no_target_takes_are_left_out(tmp_path):
    trace = azure(tmp_path, "0,90,10", "1,90,11", "2,10,10")
    assert [a.tokens for a in trace.fitting(100).arrivals] == [100, 20]
    assert trace.longest_tokens == 101
    with pytest.raises(BenchError, match="larger max_model_len"):
        trace.fitting(10)


@pytest.mark.parametrize(
    ("text", "said", "why"),
    [
        ("", "holds no requests", "an empty file"),
        ("0,1,2,Gamma", "holds no requests", "a header and no row"),
        ("0,1,2\n3,4,5", "is no trace", "a CSV of other columns"),
        ('{"timestamp": 1}', "is no trace", "a line without lengths"),
        ('{"timestamp": 1,', "is no trace", "no JSON"),
        ('{"timestamp": null, "input_length": 1, "output_length": 1}', "is no trace", "no time"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\nsoon,1,1", "is no trace", "no date"),
    ],
)
def test_what_is_no_trace_is_refused(tmp_path, text, said, why):
    file = tmp_path / "trace"
    file.write_text(text)
    with pytest.raises(BenchError) as refused:
        read(file, Words())
    assert said in str(refused.value), why


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BenchError, match="nothing-here"):
        read(tmp_path / "nothing-here", Words())
