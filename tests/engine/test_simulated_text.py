import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.engine.simulated_text import (
    MAX_TOKEN_ID,
    detokenize,
    echo,
    recite,
    smallest,
    tokenize,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(deadline=None)
@given(texts)
def test_ids_turn_back_into_the_text_that_they_came_from(text):
    ids = tokenize(text)
    assert detokenize(ids) == text
    assert all(0 <= token <= MAX_TOKEN_ID for token in ids)


@settings(deadline=None)
@given(st.lists(st.integers(0, MAX_TOKEN_ID)))
def test_ids_of_no_text_still_become_text(ids):
    assert isinstance(detokenize(ids), str)


def test_half_a_surrogate_pair_is_a_question_mark():
    assert detokenize(tokenize("a\ud83c")) == "a?"


@pytest.mark.parametrize(
    ("text", "pieces", "reason"),
    [
        ("one two", ["one", " two"], "a word carries its space"),
        ("something", ["some", "thin", "g"], "four plain characters at most"),
        ("é🌧", ["é", "🌧"], "any other character is a token of its own"),
        ("a  b\n", ["a", " ", " b", "\n"], "white space is kept"),
    ],
)
def test_a_token_is_a_few_characters(text, pieces, reason):
    assert [detokenize((token,)) for token in tokenize(text)] == pieces, reason


def test_an_answer_repeats_its_prompt():
    answer = echo("one two", shift=0, max_tokens=5, stop=())
    assert answer.texts == ("one", " two", " one", " two", " one")
    assert answer.finish_reason == "length"


@settings(deadline=None, max_examples=50)
@given(texts, st.integers(0, 9), st.integers(1, 20))
def test_the_ids_of_an_answer_are_those_of_its_text(prompt, shift, max_tokens):
    answer = echo(prompt, shift=shift, max_tokens=max_tokens, stop=())
    assert answer.token_ids == tokenize("".join(answer.texts))


@settings(deadline=None, max_examples=50)
@given(texts, st.integers(-9, 9), st.integers(1, 20))
def test_a_longer_answer_begins_with_the_shorter_one(prompt, shift, max_tokens):
    short = echo(prompt, shift=shift, max_tokens=max_tokens, stop=())
    long = echo(prompt, shift=shift, max_tokens=max_tokens + 1, stop=())
    assert long.token_ids[:-1] == short.token_ids
    assert len(short.token_ids) == max_tokens


def test_a_shift_starts_further_into_the_prompt_and_wraps_around():
    texts = [echo("one two", shift=k, max_tokens=2, stop=()).texts for k in range(4)]
    assert texts == [("one", " two"), (" two", " one"), ("one", " two"), (" two", " one")]


@pytest.mark.parametrize(
    ("stop", "text", "tokens", "finish_reason", "reason"),
    [
        ([" two"], "one", 2, "stop", "the token that completes the stop string is the last"),
        (["wo th"], "one t", 3, "stop", "a stop string may span tokens"),
        (["three"], "one two ", 4, "stop", "it may come with the last token"),
        (["three", "one"], "", 1, "stop", "the first to be complete counts"),
        (["four"], "one two three", 4, "length", "one that never comes changes nothing"),
    ],
)
def test_a_stop_string_ends_the_text_before_it(stop, text, tokens, finish_reason, reason):
    answer = echo("one two three", shift=0, max_tokens=4, stop=stop)
    assert "".join(answer.texts) == text, reason
    assert len(answer.token_ids) == len(answer.texts) == tokens
    assert answer.finish_reason == finish_reason


def test_a_json_answer_ends_by_itself_unless_it_is_cut():
    assert recite({"a": 1}, max_tokens=9).finish_reason == "stop"
    assert recite({"a": 1}, max_tokens=1).finish_reason == "length"


@pytest.mark.parametrize(
    ("schema", "least"),
    [
        ({}, {}),
        ({"type": "object", "required": ["a"]}, {"a": {}}),
        ({"const": 3}, 3),
        ({"enum": ["x", "y"]}, "x"),
        ({"type": "array"}, []),
        ({"type": ["string", "null"]}, None),
        (
            {
                "properties": {"s": {"type": "string"}, "b": {"type": "boolean"}, "n": {}},
                "required": ["s", "b"],
            },
            {"s": "", "b": False},
        ),
    ],
)
def test_the_least_instance_of_a_simple_schema(schema, least):
    assert json.loads(json.dumps(smallest(schema))) == least
