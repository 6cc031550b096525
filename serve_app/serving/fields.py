"""The body fields that each route lets through, and what each may hold.

A field that is not here is refused by name. To let one through, add a line; for one
deployment only, name it in `limits.extra_fields`.

Left out on purpose: what steers the engine (priority, request_id, session_id, cache_salt,
kv_transfer_params, vllm_xargs, stream_interval, watermarking), what has killed engines or
touched other users' requests (prompt_embeds, logprob_token_ids, allowed_token_ids, bad_words,
chat_template, mm_processor_kwargs), and what vLLM would ignore although the client counts on
it (functions, guided_json, audio, suffix).

`store: true`, `background` and `previous_response_id` ask the server to keep answers. An
engine keeps none: the next request may go to another replica.
"""

from serve_app.serving.checks import (
    Check,
    anything,
    flag,
    integer,
    logit_bias,
    mapping,
    members,
    name,
    number,
    one_of,
    only,
    stop,
    text,
)
from serve_app.serving.conversation import content, messages, text_or_messages
from serve_app.serving.prompts import prompts, stop_token_ids, token_ids
from serve_app.serving.schemas import (
    output_config,
    response_format,
    structured_outputs,
    text_config,
    tools,
)

_STORE = only(accepted=False, why="answers are not kept; send store: false")
_TEMPLATE_KWARGS = members(
    {"thinking": flag, "enable_thinking": flag, "reasoning_effort": text, "clear_thinking": flag}
)
_SAMPLING: dict[str, Check] = {
    "temperature": number(0, 2),
    "top_p": number(0, 1),
    "top_k": integer(-1, 2**31 - 1),
    "min_p": number(0, 1),
    "presence_penalty": number(-2, 2),
    "frequency_penalty": number(-2, 2),
    "repetition_penalty": number(1e-3, 100),
    "seed": integer(-(2**63), 2**63 - 1),
    "stop": stop,
    "stop_token_ids": stop_token_ids,
    "ignore_eos": flag,
    "logit_bias": logit_bias,
    "include_stop_str_in_output": flag,
    "skip_special_tokens": flag,
    "structured_outputs": structured_outputs,
}
_COMMON: dict[str, Check] = {
    "model": name,
    "stream": flag,
    "stream_options": members(
        {"include_usage": flag, "continuous_usage_stats": flag, "include_obfuscation": flag}
    ),
    "user": text,
    "metadata": mapping,
    "service_tier": text,
    "safety_identifier": text,
    "prompt_cache_key": text,
    "prompt_cache_retention": text,
}
_GENERATION: dict[str, Check] = {
    **_COMMON,
    **_SAMPLING,
    "n": integer(1, "n"),
    "min_tokens": integer(0, "max_tokens"),
    "prompt_logprobs": integer(0, "logprobs"),
    "thinking_token_budget": integer(-1, "max_tokens"),
    "spaces_between_special_tokens": flag,
    "add_special_tokens": flag,
    "response_format": response_format,
    "echo": flag,
    "return_token_ids": flag,
    "return_tokens_as_token_ids": flag,
}
_TEMPLATE: dict[str, Check] = {
    "messages": messages,
    "tools": tools,
    "add_generation_prompt": flag,
    "continue_final_message": flag,
    "add_special_tokens": flag,
    "chat_template_kwargs": _TEMPLATE_KWARGS,
}
_TOOL_CHOICE: dict[str, Check] = {"tool_choice": anything, "parallel_tool_calls": flag}
CHAT: dict[str, Check] = {
    **_GENERATION,
    **_TEMPLATE,
    **_TOOL_CHOICE,
    "max_tokens": integer(1, "max_tokens"),
    "max_completion_tokens": integer(1, "max_tokens"),
    "logprobs": flag,
    "top_logprobs": integer(0, "logprobs"),
    "reasoning_effort": text,
    "include_reasoning": flag,
    "modalities": only(["text"], "answers are text"),
    "prediction": mapping,
    "verbosity": text,
    "store": _STORE,
}
COMPLETIONS: dict[str, Check] = {
    **_GENERATION,
    "prompt": prompts,
    # With echo, 0 scores the prompt and generates nothing.
    "max_tokens": integer(0, "max_tokens"),
    "logprobs": integer(0, "logprobs"),
    "best_of": integer(1, "n"),
}
RESPONSES: dict[str, Check] = {
    **_COMMON,
    **_SAMPLING,
    **_TOOL_CHOICE,
    "input": text_or_messages,
    "instructions": text,
    "max_output_tokens": integer(1, "max_tokens"),
    "max_tool_calls": integer(1, "tools"),
    "top_logprobs": integer(0, "logprobs"),
    "text": text_config,
    "tools": tools,
    "reasoning": mapping,
    "include_reasoning": flag,
    "include": anything,
    "truncation": text,
    "chat_template_kwargs": _TEMPLATE_KWARGS,
    "store": _STORE,
    "background": only(accepted=False, why="answers are not kept; send stream: true"),
}
MESSAGES: dict[str, Check] = {
    "model": name,
    "messages": messages,
    "system": content,
    "max_tokens": integer(1, "max_tokens"),
    "stream": flag,
    "stop_sequences": stop,
    "temperature": number(0, 2),
    "top_p": number(0, 1),
    "top_k": integer(-1, 2**31 - 1),
    "tools": tools,
    "tool_choice": anything,
    "thinking": mapping,
    "output_config": output_config,
    "chat_template_kwargs": _TEMPLATE_KWARGS,
    "metadata": mapping,
    "service_tier": text,
    "cache_control": anything,
    "context_management": mapping,
}
EMBEDDINGS: dict[str, Check] = {
    "model": name,
    "input": prompts,
    "dimensions": integer(1, 2**31 - 1),
    "encoding_format": one_of("float", "base64"),
    "user": text,
    "add_special_tokens": flag,
    "truncate_prompt_tokens": integer(-1, 2**31 - 1),
}
TOKENIZE: dict[str, Check] = {
    **_TEMPLATE,
    "model": name,
    "prompt": text,
    "return_token_strs": flag,
}
DETOKENIZE: dict[str, Check] = {"model": name, "tokens": token_ids}
