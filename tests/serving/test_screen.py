"""What a body asks for, and what a refusal says."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.config import Limits
from serve_app.errors import Malformed, PromptTooLong, RequestError, RouteNotFound, Unsupported
from serve_app.serving.routes import ROUTES
from serve_app.serving.screen import Ask, screen
from tests.serving.bodies import (
    BODIES,
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    IMAGE,
    LIMITS,
    MESSAGES,
    PERMISSIVE,
    RESPONSES,
    asked,
    tool,
    user,
)


@pytest.mark.parametrize(
    ("path", "fields", "ask"),
    [
        # 2 strings of content and role, 2 keys: 4 + 2 + 4 + 7 bytes.
        (CHAT, {}, Ask("m", False, 1, 5, None)),
        (CHAT, {"n": 3, "stream": True}, Ask("m", True, 3, 5, None)),
        (CHAT, {"max_tokens": 9, "max_completion_tokens": 5}, Ask("m", False, 1, 5, 5)),
        (COMPLETIONS, {}, Ask("m", False, 1, 1, 16)),
        (COMPLETIONS, {"max_tokens": None}, Ask("m", False, 1, 1, None)),
        (COMPLETIONS, {"prompt": "日本"}, Ask("m", False, 1, 2, 16)),
        (COMPLETIONS, {"prompt": [5] * 7}, Ask("m", False, 1, 7, 16)),
        (COMPLETIONS, {"prompt": ["abcd", "efgh"], "n": 2}, Ask("m", False, 4, 2, 16)),
        (COMPLETIONS, {"prompt": [[1, 2], [3]]}, Ask("m", False, 2, 3, 16)),
        (RESPONSES, {"instructions": "abcdef"}, Ask("m", False, 1, 2, None)),
        (RESPONSES, {"input": [{"role": "x"}], "max_output_tokens": 7}, Ask("m", False, 1, 2, 7)),
        (MESSAGES, {"system": "abc"}, Ask("m", False, 1, 5, 9)),
        (EMBEDDINGS, {"input": ["abcd"] * 3}, Ask("m", False, 3, 3, 0)),
        ("/tokenize", {"prompt": "abcde"}, Ask("m", False, 1, 2, 0)),
        ("/detokenize", {}, Ask("m", False, 1, 2, 0)),
    ],
)  # fmt: skip
def test_an_ask_says_what_the_engine_will_do(path: str, fields: dict[str, Any], ask: Ask):
    assert asked(path, **fields) == ask


def test_an_unknown_field_is_answered_with_the_nearest_one():
    with pytest.raises(Unsupported, match="Send temperature instead") as caught:
        asked(CHAT, temprature=0)
    assert caught.value.code == "unsupported_parameter"


def test_a_field_that_moved_is_answered_with_its_successor():
    with pytest.raises(Unsupported, match="Send structured_outputs instead"):
        asked(CHAT, guided_json={})


def test_a_number_out_of_range_names_its_limit():
    with pytest.raises(Malformed, match=r"n is 9; send 1 to 8 \(limits\.n\)"):
        asked(CHAT, n=9)


def test_a_prompt_that_is_too_long_has_openais_code():
    with pytest.raises(PromptTooLong, match="about 200001 tokens; the limit is 200000") as caught:
        asked(COMPLETIONS, prompt=[1] * 200_001)
    assert caught.value.code == "context_length_exceeded"


def test_a_route_without_a_body_of_ours_is_not_found():
    with pytest.raises(RouteNotFound):
        screen("/v1/audio\n", {}, LIMITS)


def test_an_operator_may_let_further_fields_through_unread():
    assert asked(RESPONSES, PERMISSIVE, n="many", min_tokens="some", x=[]).sequences == 1


def test_an_operator_may_allow_regular_expressions():
    asks = {"structured_outputs": {"regex": "a+"}, "tools": [tool({"pattern": "a+"})]}

    assert asked(CHAT, PERMISSIVE, **asks).sequences == 1


def test_media_counts_a_thousand_tokens_where_it_is_allowed():
    assert asked(CHAT, PERMISSIVE, **user([IMAGE])).prompt_tokens == 1004


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["text", "function", "image_url", "json_schema", "{}", "[[", "7"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["type", "content", "text", "tools", "function", "parameters", "schema",
                         "properties", "pattern", "minLength", "minProperties", "7"]),
        inner, max_size=3,
    ),
    max_leaves=8,
)  # fmt: skip


def blamed(path: str, body: dict[str, Any], limits: Limits) -> Ask | str | None:
    """The ask, or the field that a refusal names."""
    try:
        return screen(path, body, limits)
    except RequestError as error:
        return json.loads(error.body())["error"]["param"]


@settings(max_examples=60, deadline=None)
@given(data=st.data(), path=st.sampled_from(list(ROUTES)), value=json_values)
def test_any_json_is_an_ask_within_limits_or_a_refusal_that_names_a_field(
    data: st.DataObject, path: str, value: Any
):
    field = data.draw(st.sampled_from([*ROUTES[path].fields, "priority"]) | st.text())
    limits = data.draw(st.sampled_from([LIMITS, PERMISSIVE]))
    ask = blamed(path, BODIES[path] | {field: value}, limits)
    if isinstance(ask, Ask):
        assert 1 <= ask.sequences <= limits.n * limits.prompts
        assert 0 <= ask.prompt_tokens <= limits.prompt_tokens
        assert ask.max_tokens is None or 0 <= ask.max_tokens <= limits.max_tokens
    else:
        assert ask is not None
        assert ask.isprintable()
