import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.config import Limits
from serve_app.errors import Malformed
from serve_app.serving.document import is_deep, parse, printable

LIMITS = Limits()
DEEP = 100_000

scalars = st.none() | st.booleans() | st.integers() | st.floats(-1e300, 1e300) | st.text(max_size=9)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
splinters = st.sampled_from(
    b'{} [ ] " , : \\ \\\\ \\ud83d \\ude00 "a":1, 1 - e999 NaN null \xc3\xa9 \xff \x00'.split()
)


@st.composite
def nearly_json(draw: st.DrawFn) -> bytes:
    """A document with something driven into it: often still JSON, and never the same."""
    raw = json.dumps({"a": draw(values)}, ensure_ascii=draw(st.booleans())).encode()
    for splinter in draw(st.lists(splinters, max_size=2)):
        at = draw(st.integers(0, len(raw)))
        raw = raw[:at] + splinter + raw[at:]
    return raw


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "not JSON"),
        (b'{"a": 1', "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 1} x', "Extra data"),
        (b"[1]", "not an object"),  # vLLM answers some of these with a 500
        (b'"text"', "not an object"),
        (b"null", "not an object"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),  # a surrogate in UTF-8 clothes
        (b"\xef\xbb\xbf{}", "not JSON"),  # a byte order mark: some readers skip it
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),  # json.loads guesses, others do not
        ('{"a": 1}'.encode("utf-16-le"), "not JSON"),
        (b'{"a": "\x00"}', "control character"),  # a raw NUL; an escaped one is text
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1e999}', "too large"),  # becomes infinity
        (b'{"a": ' + b"9" * 5000 + b"}", "digits"),  # int() refuses so many
        (b'{"n": 1, "n": 1000}', "'n' twice"),  # we would screen one, another reader takes two
        (b'{"a": {"b": 1, "\\u0062": 2}}', "'b' twice"),  # alike only once unescaped
        (b'{"a": "\\ud83d"}', "surrogate"),  # no tokenizer can encode it
        (b'{"a": "\\ude00\\ud83d"}', "surrogate"),  # the wrong way round
        (b'{"a": "\\ud83d\\\\\\ude00"}', "surrogate"),  # a backslash between the halves
        (b'{"a": "\\uD83D \\uDE00"}', "surrogate"),
        (b'{"\\udfff": 1}', "surrogate"),  # in a key
        (b'{"a":' + b"[" * DEEP + b"]" * DEEP + b"}", "arrays and objects"),
        (b'{"a":' + b"[" * 40_000 + b"]" * 40_000 + b"}", "nests more than 32"),
        (b"[" * 40_000, "nests more than 32"),  # never closed
        (b'{"a":' * 33 + b"1" + b"}" * 33, "nests more than 32"),
        (b'{"a": [' + b"[]," * DEEP + b"[]]}", "arrays and objects"),  # 80 bytes of memory each
        (b'{"a": [' + b'"",' * 2 * DEEP + b'""]}', "keys and strings"),
        (b'{"a": [' + b"1," * 3 * DEEP + b"1]}", "JSON values"),
        (b'"' * 4_000_000, "keys and strings"),
        (b'"' + b"\\" * 4_000_001, "not JSON"),
    ],
    ids=lambda value: value[:20] if isinstance(value, bytes) else value,
)
def test_what_readers_may_disagree_about_is_refused(raw: bytes, says: str):
    with pytest.raises(Malformed) as caught:
        parse(raw, LIMITS)
    assert says in caught.value.message
    assert (caught.value.status, caught.value.param) == (400, None)


@pytest.mark.parametrize(
    "text",
    [
        "\U0001f600",  # a pair of surrogates, when escaped
        "\x00",  # NUL is a character
        'say "hi" \\ and \\"leave\\"',  # quotes and backslashes that end no string
        "[[[[[[" * 20,  # brackets in a string are no nesting
        "\\ud83d",  # six characters, and no escape
        "日本語",
    ],
)
def test_any_text_survives_escaped_or_not(text: str):
    for ascii_only in (True, False):
        raw = json.dumps({"a": text}, ensure_ascii=ascii_only).encode()
        assert parse(raw, LIMITS) == {"a": text}


def test_a_body_may_nest_as_deep_as_the_limit():
    assert parse(b'{"a":' * 32 + b"1" + b"}" * 32, LIMITS)


def test_a_prompt_of_token_ids_may_be_as_long_as_the_limit():
    raw = json.dumps({"prompt": [1] * LIMITS.prompt_tokens}).encode()
    assert len(parse(raw, LIMITS)["prompt"]) == LIMITS.prompt_tokens


@settings(max_examples=40, deadline=None)
@given(values)
def test_parsing_gives_back_what_was_sent(value: Any):
    assert parse(json.dumps({"a": value}).encode(), LIMITS) == {"a": value}


@settings(max_examples=40, deadline=None)
@given(nearly_json())
def test_what_is_accepted_reads_the_same_to_the_engine(raw: bytes):
    try:
        value = parse(raw, LIMITS)
    except Malformed:
        return
    assert value == json.loads(raw)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 60), st.text(max_size=20))
def test_depth_is_exact_whatever_the_strings_hold(depth: int, text: str):
    nested = "[" * depth + json.dumps(text) + "]" * depth
    assert is_deep(nested, 32) == (depth > 32)


def test_a_name_is_short_and_printable_when_it_is_repeated():
    assert printable("a\nb\x1b[31m\ud800é") == r"a\nb\x1b[31m\ud800\xe9"
    assert printable("x" * 10_000) == "x" * 64
