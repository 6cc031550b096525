"""What no engine should see. The first column is the route, the last the field that is blamed."""

from typing import Any

import pytest

from serve_app.errors import RequestError
from tests.serving.bodies import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    IMAGE,
    MESSAGES,
    PERMISSIVE,
    RESPONSES,
    SECRET,
    answer_format,
    asked,
    lengths,
    nest,
    properties,
    tool,
    user,
)

Row = tuple[str, dict[str, Any], str]

WORK_THAT_MULTIPLIES: list[Row] = [
    (CHAT, {"n": 9}, "n"),
    (CHAT, {"n": 10**4000}, "n"),
    (CHAT, {"n": 0}, "n"),
    (COMPLETIONS, {"best_of": 100}, "best_of"),
    (COMPLETIONS, {"prompt": ["hi"] * 17}, "prompt"),
    (EMBEDDINGS, {"input": [[1]] * 17}, "input"),
    (CHAT, {"max_tokens": 65_537}, "max_tokens"),
    (CHAT, {"max_tokens": -1}, "max_tokens"),
    (CHAT, {"max_completion_tokens": 10**9, "max_tokens": 1}, "max_completion_tokens"),
    (RESPONSES, {"max_output_tokens": 0}, "max_output_tokens"),
    (MESSAGES, {"max_tokens": 10**9}, "max_tokens"),
    (CHAT, {"min_tokens": 11, "max_tokens": 10}, "min_tokens"),
    (COMPLETIONS, {"min_tokens": 17}, "min_tokens"),  # the default of max_tokens is 16
    (CHAT, {"thinking_token_budget": 10**9}, "thinking_token_budget"),
    (CHAT, {"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
    (CHAT, {"logprobs": True, "top_logprobs": -1}, "top_logprobs"),  # the whole vocabulary
    (COMPLETIONS, {"logprobs": 10**6}, "logprobs"),
    (CHAT, {"prompt_logprobs": -1}, "prompt_logprobs"),
    (CHAT, {"stop": ["x"] * 5}, "stop"),
    (CHAT, {"stop": SECRET * 100}, "stop"),
    (MESSAGES, {"stop_sequences": ["x"] * 10_000}, "stop_sequences"),
    (CHAT, {"stop_token_ids": list(range(5))}, "stop_token_ids"),
    (CHAT, {"logit_bias": {str(i): 1 for i in range(1025)}}, "logit_bias"),
    (CHAT, {"messages": [{"role": "user", "content": "x"}] * 100_000}, "messages"),
    (RESPONSES, {"input": [{"role": "user", "content": "x"}] * 100_000}, "input"),
    (CHAT, user("x" * 800_001), "messages"),
    (COMPLETIONS, {"prompt": [1] * 200_001}, "prompt"),
]
# vLLM reads "1000", 1000.0 and true as integers: numbers that nobody has compared with a limit.
WRONG_TYPES: list[Row] = [
    (CHAT, {"n": "1000"}, "n"),
    (CHAT, {"n": 2.0}, "n"),
    (CHAT, {"n": True}, "n"),
    (CHAT, {"stream": "true"}, "stream"),
    (CHAT, {"stream": 1}, "stream"),
    (CHAT, {"max_tokens": [1]}, "max_tokens"),
    (CHAT, {"temperature": 1e300}, "temperature"),
    (CHAT, {"temperature": "0"}, "temperature"),
    (CHAT, {"seed": 2**63}, "seed"),  # more than the engine's own messages can carry
    (CHAT, {"logit_bias": {"-1": 1}}, "logit_bias"),
    (CHAT, {"logit_bias": {"\u096b": 1}}, "logit_bias"),  # a digit, and int() reads it
    (CHAT, {"logit_bias": {"7": 101}}, "logit_bias.7"),
    (CHAT, {"logit_bias": {"7": True}}, "logit_bias.7"),
    (CHAT, {"stop": [SECRET, 1]}, "stop"),
    (CHAT, {"stop_token_ids": [-1]}, "stop_token_ids"),
    (CHAT, {"metadata": SECRET}, "metadata"),
    (CHAT, {"stream_options": SECRET}, "stream_options"),
    (COMPLETIONS, {"prompt": [1, SECRET]}, "prompt"),
    (COMPLETIONS, {"prompt": [[1], SECRET]}, "prompt"),
    (COMPLETIONS, {"prompt": [[1], []]}, "prompt"),
    (COMPLETIONS, {"prompt": [True]}, "prompt"),
    (COMPLETIONS, {"prompt": [2**31]}, "prompt"),
    (COMPLETIONS, {"prompt": []}, "prompt"),
    (COMPLETIONS, {"prompt": {"text": SECRET}}, "prompt"),
    (EMBEDDINGS, {"encoding_format": SECRET}, "encoding_format"),
    ("/detokenize", {"tokens": ["1"]}, "tokens"),
]
MISSING: list[Row] = [
    (CHAT, {"model": None}, "model"),
    (CHAT, {"model": ""}, "model"),
    (CHAT, {"model": SECRET * 40}, "model"),
    (CHAT, {"model": 7}, "model"),
    (CHAT, {"messages": None}, "messages"),
    (CHAT, {"messages": []}, "messages"),
    (CHAT, {"messages": SECRET}, "messages"),
    (CHAT, {"messages": [SECRET]}, "messages[0]"),
    (MESSAGES, {"max_tokens": None}, "max_tokens"),
    ("/tokenize", {"prompt": None}, "prompt"),
]
# They steer the engine, have killed one, or would be ignored although the client counts on them.
FIELDS: list[Row] = [
    (CHAT, {"priority": -1}, "priority"),
    (CHAT, {"request_id": "x"}, "request_id"),
    (CHAT, {"cache_salt": SECRET}, "cache_salt"),
    (CHAT, {"kv_transfer_params": {}}, "kv_transfer_params"),
    (CHAT, {"vllm_xargs": {}}, "vllm_xargs"),
    (CHAT, {"chat_template": "{% for i in range(10**9) %}"}, "chat_template"),
    (CHAT, {"chat_template_kwargs": {"tokenize": True}}, "chat_template_kwargs.tokenize"),
    (CHAT, {"mm_processor_kwargs": {}}, "mm_processor_kwargs"),
    (COMPLETIONS, {"prompt_embeds": SECRET}, "prompt_embeds"),
    (CHAT, {"logprob_token_ids": [1]}, "logprob_token_ids"),
    (CHAT, {"allowed_token_ids": [1]}, "allowed_token_ids"),
    (CHAT, {"bad_words": [SECRET]}, "bad_words"),
    (CHAT, {"use_beam_search": True}, "use_beam_search"),
    (CHAT, {"stream_interval": 9}, "stream_interval"),
    (CHAT, {"audio": {}}, "audio"),
    (CHAT, {"modalities": ["text", "audio"]}, "modalities"),
    (CHAT, {"web_search_options": {}}, "web_search_options"),
    (RESPONSES, {"background": True}, "background"),
    (RESPONSES, {"store": True}, "store"),
    (RESPONSES, {"previous_response_id": "resp_1"}, "previous_response_id"),
    (CHAT, {"a\r\nSet-Cookie: x": 1}, "a\\r\\nSet-Cookie: x"),
    (CHAT, {"x" * 1000: 1}, "x" * 64),
]
PART = "messages[0].content[0]"
CALL = {"function": {"name": "f", "arguments": "[" * 10**5}}
# The engine would fetch, decode or parse them, or hand them to the chat template.
CONTENT: list[Row] = [
    (CHAT, user([IMAGE]), f"{PART}.type"),
    (CHAT, user([{"image_url": SECRET}]), f"{PART}.type"),  # vLLM guesses the type
    (CHAT, user([{"type": "text", "image_url": SECRET}]), f"{PART}.image_url"),
    (CHAT, user([{"type": "text", "uuid": "x"}]), f"{PART}.uuid"),
    (CHAT, user([{"type": "prompt_embeds", "data": SECRET}]), f"{PART}.type"),
    (CHAT, user([{"type": ["text"]}]), f"{PART}.type"),
    (CHAT, user([7]), PART),
    (CHAT, user({"type": "text"}), "messages[0].content"),
    (MESSAGES, user([{"type": "image", "source": {"url": SECRET}}]), f"{PART}.type"),
    (MESSAGES, user([{"type": "tool_result", "content": [IMAGE]}]), f"{PART}.content[0].type"),
    (MESSAGES, {"system": [{"type": "document"}]}, "system[0].type"),
    (RESPONSES, {"input": user([{"type": "input_image"}])["messages"]}, "input[0].content[0].type"),
    (RESPONSES, {"input": [{"output": [{"type": "input_file"}]}]}, "input[0].output[0].type"),
    (RESPONSES, {"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type"),
    (RESPONSES, {"input": [{"arguments": "[" * 10**5}]}, "input[0].arguments"),
    (CHAT, {"messages": [{"tool_calls": [CALL]}]}, "messages[0].tool_calls[0].function.arguments"),
    (CHAT, {"messages": [{"tool_calls": SECRET}]}, "messages[0].tool_calls"),
    (CHAT, {"messages": [{"tools": [tool({"pattern": SECRET})]}]}, "messages[0].tools[0]"),
]
REGEX = {"pattern": "(a+)+b"}
SCHEMA = "response_format.json_schema.schema"
COUNTED = [tool({"minProperties": i}) for i in range(5)]
LONG = tool({"description": "x" * 60_000})
# Slow to compile, or without end; the numbers are in serving/schemas.py.
SCHEMAS: list[Row] = [
    (CHAT, {"tools": [tool(REGEX)]}, "tools[0]"),
    (CHAT, {"tools": [tool({"not": [{"patternProperties": {"(a+)+b": {}}}]})]}, "tools[0]"),
    (MESSAGES, {"tools": [{"name": "f", "input_schema": REGEX}]}, "tools[0]"),
    (RESPONSES, {"tools": [{"type": "function", "parameters": REGEX}]}, "tools[0]"),
    (RESPONSES, {"tools": [{"type": "namespace", "tools": [{"parameters": REGEX}]}]}, "tools[0]"),
    (RESPONSES, {"tools": [{"type": "mcp", "server_url": SECRET}]}, "tools[0].type"),
    (CHAT, {"tools": [tool({"description": "x" * 65_536})]}, "tools[0]"),
    (CHAT, {"tools": [LONG] * 5}, "tools"),
    (CHAT, {"tools": [tool({})] * 129}, "tools"),
    (CHAT, {"tools": [tool(nest(16))]}, "tools[0]"),
    (CHAT, {"tools": [tool(lengths(4)), *COUNTED]}, "tools"),
    (CHAT, {"tools": SECRET}, "tools"),
    (CHAT, {"tools": [SECRET]}, "tools[0]"),
    (CHAT, answer_format(REGEX), SCHEMA),
    (CHAT, answer_format(nest(16)), SCHEMA),
    (CHAT, answer_format(properties(257)), SCHEMA),
    (CHAT, answer_format(properties(33, minProperties=1)), SCHEMA),
    (CHAT, answer_format(lengths(9)), SCHEMA),
    (CHAT, {"response_format": {"type": "structural_tag", "format": {}}}, "response_format.format"),
    (CHAT, {"response_format": {"type": SECRET}}, "response_format.type"),
    (CHAT, {"structured_outputs": {"regex": "(a+)+b"}}, "structured_outputs.regex"),
    (CHAT, {"structured_outputs": {"grammar": "root ::= root"}}, "structured_outputs.grammar"),
    (CHAT, {"structured_outputs": {"json": '{"pattern": "(a+)+b"}'}}, "structured_outputs.json"),
    (CHAT, {"structured_outputs": {"json": "[" * 10**5}}, "structured_outputs.json"),
    (CHAT, {"structured_outputs": {"choice": ["x" * 70_000]}}, "structured_outputs.choice"),
    (RESPONSES, {"text": {"format": {"schema": REGEX}}}, "text.format.schema"),
    (MESSAGES, {"output_config": {"format": {"schema": REGEX}}}, "output_config.format.schema"),
]
REFUSED = [*WORK_THAT_MULTIPLIES, *WRONG_TYPES, *MISSING, *FIELDS, *CONTENT, *SCHEMAS]


@pytest.mark.parametrize(("path", "fields", "param"), REFUSED)
def test_what_no_engine_should_see_is_refused_by_name(
    path: str, fields: dict[str, Any], param: str
):
    with pytest.raises(RequestError) as caught:
        asked(path, **fields)
    assert (caught.value.status, caught.value.param) == (400, param)
    message = caught.value.message
    assert message.startswith((param, "the prompt is about"))
    assert SECRET not in message
    assert message.isprintable()
    assert len(message) < 400


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_embeds", "image_embeds": SECRET},
        {"type": "image_url", "image_embeds": SECRET, "uuid": "x"},  # read because of the uuid
        {"type": "image_pil", "image_pil": SECRET},
    ],
)
def test_tensors_of_a_clients_making_are_refused_even_where_media_is_allowed(part: dict[str, Any]):
    with pytest.raises(RequestError):
        asked(CHAT, PERMISSIVE, **user([part]))
