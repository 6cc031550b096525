"""What the simulated engine says must be what OpenAI's own client understands."""

import asyncio
import json

import pytest
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from serve_app.config import Simulated
from serve_app.engine.protocol import Call, Frame, Usage
from serve_app.engine.simulated import SimulatedEngine

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
MESSAGES = [{"role": "user", "content": "one two three"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
NAMED = {"type": "function", "function": {"name": "weather"}}
SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "point",
        "schema": {"properties": {"x": {"type": "integer"}}, "required": ["x"]},
    },
}


def ask(path, **body):
    """Status and frames of one call to a fast engine."""
    knobs = Simulated(decode_step_s=0, decode_step_per_seq_s=0, max_model_len=100)

    async def call():
        engine = SimulatedEngine(knobs, names=("sim", "alias"))
        await engine.start()
        answer = [item async for item in engine.generate(Call("id", path, as_json(body)))]
        await engine.shutdown()
        return answer

    head, *frames = asyncio.run(call())
    return head.status, frames


def as_json(body):
    return body["raw"] if "raw" in body else json.dumps(body).encode()


def document(path, **body):
    status, frames = ask(path, **body)
    assert status == 200
    return json.loads(b"".join(frame.data for frame in frames))


def chunks(path, kind, **body):
    """The events of a stream, as the client's types; the last one must be [DONE]."""
    _, frames = ask(path, stream=True, **body)
    *events, done, end = b"".join(frame.data for frame in frames).split(b"\n\n")
    assert (done, end) == (b"data: [DONE]", b"")
    parsed = [json.loads(event.removeprefix(b"data: ")) for event in events]
    # OpenAI's type for completions has no open finish_reason, so its client does not validate.
    return [
        kind.construct(**event) if kind is Completion else kind.model_validate(event)
        for event in parsed
    ]


def test_a_chat_says_the_same_whether_it_streams_or_not():
    whole = ChatCompletion.model_validate(document(CHAT, messages=MESSAGES, max_tokens=6))
    stream = chunks(CHAT, ChatCompletionChunk, messages=MESSAGES, max_tokens=6)
    assert whole.choices[0].message.content == "one two three one two"
    assert "".join(c.choices[0].delta.content or "" for c in stream) == "one two three one two"
    assert stream[0].choices[0].delta.role == "assistant"
    assert stream[-1].choices[0].finish_reason == whole.choices[0].finish_reason == "length"
    assert {chunk.id for chunk in stream} == {whole.id} == {"chatcmpl-id"}
    assert {chunk.model for chunk in stream} == {whole.model} == {"sim"}


def test_a_completion_says_the_same_whether_it_streams_or_not():
    whole = Completion.model_validate(document(TEXT, prompt="one two", max_tokens=4))
    stream = chunks(TEXT, Completion, prompt="one two", max_tokens=4)
    assert whole.choices[0].text == "one two one two"
    assert "".join(chunk.choices[0].text for chunk in stream) == "one two one two"
    assert stream[-1].choices[0].finish_reason == "length"


def test_usage_comes_last_in_a_stream_that_asks_for_it():
    options = {"include_usage": True}
    stream = chunks(
        CHAT, ChatCompletionChunk, messages=MESSAGES, max_tokens=2, stream_options=options
    )
    whole = ChatCompletion.model_validate(document(CHAT, messages=MESSAGES, max_tokens=2))
    assert stream[-1].choices == []
    assert stream[-1].usage == whole.usage
    assert whole.usage.completion_tokens == 2
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + 2
    assert whole.usage.prompt_tokens_details.cached_tokens == 0
    assert not any(chunk.usage for chunk in stream[:-1])


def test_every_choice_has_its_own_text_and_the_prompt_counts_once():
    whole = ChatCompletion.model_validate(document(CHAT, messages=MESSAGES, max_tokens=2, n=2))
    one = ChatCompletion.model_validate(document(CHAT, messages=MESSAGES, max_tokens=2))
    assert [c.message.content for c in whole.choices] == ["one two", " two thr"]
    assert whole.usage.prompt_tokens == one.usage.prompt_tokens
    stream = chunks(CHAT, ChatCompletionChunk, messages=MESSAGES, max_tokens=2, n=2)
    second = [c.choices[0] for c in stream if c.choices[0].index == 1]
    assert "".join(choice.delta.content or "" for choice in second) == " two thr"


def test_several_prompts_are_answered_in_order_each_n_times():
    prompts = ["one", [6842668]]
    whole = Completion.model_validate(document(TEXT, prompt=prompts, max_tokens=1, n=2))
    assert [c.text for c in whole.choices] == ["one", "one", "hi,", "hi,"]


@pytest.mark.parametrize("choice", ["required", NAMED])
def test_a_required_tool_is_called_with_the_least_arguments(choice):
    asked = {"messages": MESSAGES, "tools": [TOOL], "tool_choice": choice}
    whole = ChatCompletion.model_validate(document(CHAT, **asked)).choices[0]
    assert whole.finish_reason == "tool_calls"
    [call] = whole.message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": ""})
    deltas = [c.choices[0].delta for c in chunks(CHAT, ChatCompletionChunk, **asked)]
    parts = [delta.tool_calls[0] for delta in deltas if delta.tool_calls]
    assert (parts[0].id, parts[0].function.name) == (call.id, "weather")
    assert "".join(part.function.arguments for part in parts) == call.function.arguments


def test_a_tool_that_may_be_called_is_not():
    whole = ChatCompletion.model_validate(document(CHAT, messages=MESSAGES, tools=[TOOL]))
    assert whole.choices[0].message.tool_calls is None


@pytest.mark.parametrize(
    ("response_format", "value"), [({"type": "json_object"}, {}), (SCHEMA, {"x": 0})]
)
def test_structured_output_is_valid_json(response_format, value):
    body = document(CHAT, messages=MESSAGES, response_format=response_format)
    choice = ChatCompletion.model_validate(body).choices[0]
    assert (json.loads(choice.message.content), choice.finish_reason) == (value, "stop")


def test_content_parts_are_read_as_one_text():
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    whole = document(CHAT, messages=[{"role": "user", "content": parts}], max_tokens=2)
    assert whole["choices"][0]["message"]["content"] == "one two"


def test_tokenize_and_detokenize_undo_each_other():
    tokens = document("/tokenize", prompt="hé 🌧")
    assert (tokens["count"], tokens["max_model_len"]) == (len(tokens["tokens"]), 100)
    assert document("/detokenize", tokens=tokens["tokens"]) == {"prompt": "hé 🌧"}


def test_a_chat_is_tokenized_as_it_is_prompted():
    tokens = document("/tokenize", messages=MESSAGES)
    usage = document(CHAT, messages=MESSAGES)["usage"]
    assert tokens["count"] == usage["prompt_tokens"]


@pytest.mark.parametrize(
    ("path", "body", "status", "param", "reason"),
    [
        (CHAT, {"raw": b"{"}, 400, None, "not JSON"),
        (CHAT, {"raw": b"[]"}, 400, None, "not an object"),
        (CHAT, {"messages": []}, 400, "messages", "nothing to answer"),
        (CHAT, {"messages": MESSAGES, "n": 0}, 400, "n", "no choice"),
        (CHAT, {"messages": MESSAGES, "max_tokens": 99}, 400, "max_tokens", "too long"),
        (CHAT, {"messages": MESSAGES, "model": "x"}, 404, "model", "another model"),
        (TEXT, {"prompt": ""}, 400, "prompt", "no prompt token"),
        (TEXT, {"prompt": [-1]}, 400, "prompt", "not a token id"),
        ("/v1/audio", {}, 404, None, "no such route"),
        (
            CHAT,
            {
                "messages": MESSAGES,
                "tools": [{"function": {"name": "f", "parameters": {"required": 1}}}],
                "tool_choice": "required",
            },
            400,
            None,
            "a schema that is none",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_in_openai_shape(path, body, status, param, reason):
    answered, frames = ask(path, **body)
    assert answered == status, reason
    error = json.loads(frames[0].data)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert frames == [Frame(frames[0].data, finished=True, usage=Usage())]


def test_null_is_the_same_as_absent():
    whole = document(CHAT, messages=MESSAGES, max_tokens=None, n=None, stop=None, seed=None)
    assert whole["usage"]["completion_tokens"] == 64
    assert document(CHAT, messages=MESSAGES, model="alias", max_tokens=1)["model"] == "sim"
