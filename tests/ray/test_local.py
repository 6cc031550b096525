"""deployments/local.yaml as clients see it: openai-python, anthropic and curl, real vLLM."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import anthropic
import openai
import pydantic
import pytest

from tests.conftest import SMOLLM2
from tests.ray.serve_run import ServeRun

pytestmark = [pytest.mark.ray, pytest.mark.vllm]

FRANCE = [{"role": "user", "content": "What is the capital of France?"}]
README = (Path(__file__).parents[2] / "README.md").read_text()
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}},
            "required": ["city"],
        },
    },
}


@pytest.fixture
def client(local: ServeRun) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{local.url}/v1", api_key="none", max_retries=0)


def test_it_was_ready_within_seconds_and_says_where_they_went(local: ServeRun) -> None:
    assert local.get("/health") == (200, '{"status":"ok"}')
    assert re.search(r"engine ready after [\d.]+ s \(process [\d.]+ s, weights [\d.]+ s", local.log)
    assert local.metric("engine_start_seconds") > 1


def test_chat(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=SMOLLM2, messages=FRANCE, max_tokens=24, temperature=0
    )

    assert "Paris" in (answer.choices[0].message.content or "")
    assert answer.usage is not None
    assert answer.usage.prompt_tokens > 10


def test_a_chat_stream_says_the_same_as_the_whole_answer(client: openai.OpenAI) -> None:
    asked = {"model": SMOLLM2, "messages": FRANCE, "max_tokens": 24, "temperature": 0}
    whole = client.chat.completions.create(**asked)
    stream = client.chat.completions.create(
        **asked, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)

    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage or chunks[-1].usage.prompt_tokens_details is not None
    assert len(chunks) > 5


def test_completions_with_logprobs_streamed_and_not(client: openai.OpenAI) -> None:
    asked = {"model": SMOLLM2, "prompt": "One, two, three,", "max_tokens": 8, "temperature": 0}
    whole = client.completions.create(**asked, logprobs=2)
    streamed = "".join(c.choices[0].text for c in client.completions.create(**asked, stream=True))

    assert whole.choices[0].text == streamed
    assert whole.choices[0].logprobs is not None
    assert len(whole.choices[0].logprobs.token_logprobs or ()) == 8


def test_two_choices(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=SMOLLM2, messages=FRANCE, max_tokens=8, n=2, temperature=1, seed=1
    )

    assert [choice.index for choice in answer.choices] == [0, 1]


def test_a_tool_call_obeys_the_tools_schema(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=SMOLLM2,
        messages=[{"role": "user", "content": "What is the weather in Paris?"}],
        tools=[WEATHER],
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
        max_tokens=64,
        temperature=0,
    )

    [call] = answer.choices[0].message.tool_calls or ()
    assert json.loads(call.function.arguments)["city"] in {"Paris", "Rome"}


class Country(pydantic.BaseModel):
    name: str
    inhabitants: int


def test_structured_output_parses(client: openai.OpenAI) -> None:
    answer = client.chat.completions.parse(
        model=SMOLLM2, messages=FRANCE, response_format=Country, max_tokens=64, temperature=0
    )

    assert answer.choices[0].message.parsed is not None


def test_responses_streamed_and_not(client: openai.OpenAI) -> None:
    asked = {"model": SMOLLM2, "input": "Say hello.", "max_output_tokens": 16, "temperature": 0}
    whole = client.responses.create(**asked)
    events = list(client.responses.create(**asked, stream=True))

    assert whole.output_text
    deltas = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert deltas == whole.output_text
    assert events[-1].type in {"response.completed", "response.incomplete"}


def test_anthropics_client_speaks_messages(local: ServeRun) -> None:
    client = anthropic.Anthropic(base_url=local.url, api_key="none", max_retries=0)
    asked = {"model": SMOLLM2, "max_tokens": 16, "messages": FRANCE}
    asked["extra_body"] = {"temperature": 0}
    whole = client.messages.create(**asked)
    with client.messages.stream(**asked) as stream:
        streamed = "".join(stream.text_stream)

    assert whole.content[0].text == streamed
    assert whole.usage.input_tokens > 10


@pytest.mark.parametrize(
    ("change", "error", "param"),
    [
        ({"model": "gpt-5"}, openai.NotFoundError, "model"),
        ({"max_tokens": 10**9}, openai.BadRequestError, "max_tokens"),
        ({"n": 10**6}, openai.BadRequestError, "n"),
        ({"extra_body": {"priority": -1}}, openai.BadRequestError, "priority"),
        ({"extra_body": {"chat_template": "{{x}}"}}, openai.BadRequestError, "chat_template"),
    ],
)
def test_refusals_are_openai_errors_that_name_the_field(
    client: openai.OpenAI, change: dict[str, object], error: type[openai.APIStatusError], param: str
) -> None:
    with pytest.raises(error) as refused:
        client.chat.completions.create(**{"model": SMOLLM2, "messages": FRANCE, **change})

    assert refused.value.param == param


def test_a_prompt_longer_than_the_model_takes_is_a_400_of_vllms(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="2048"):
        client.completions.create(model=SMOLLM2, prompt="word " * 4000, max_tokens=4)


def test_tokenize_and_detokenize_are_inverse(local: ServeRun) -> None:
    def post(path: str, **body: object) -> dict[str, object]:
        command = [
            "curl",
            "-s",
            "-H",
            "content-type: application/json",
            "-d",
            json.dumps({"model": SMOLLM2, **body}),
            local.url + path,
        ]
        return json.loads(subprocess.check_output(command))

    tokens = post("/tokenize", prompt="Hello world")["tokens"]
    assert post("/detokenize", tokens=tokens)["prompt"] == "Hello world"


def test_the_readmes_requests_run_as_written(local: ServeRun) -> None:
    [curl] = re.findall(r"```bash\n(curl .*?)```", README, re.DOTALL)
    [python] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)

    assert "data: [DONE]" in subprocess.check_output(["bash", "-c", curl], text=True)
    assert "Paris" in subprocess.check_output([sys.executable, "-c", python], text=True)


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_frees_the_engine_within_a_second(
    local: ServeRun, client: openai.OpenAI, stream: bool
) -> None:
    impatient = client.with_options(timeout=1.0)
    asked = {"model": SMOLLM2, "messages": FRANCE, "max_tokens": 1000, "stream": stream}
    endless = {"extra_body": {"ignore_eos": True}}
    if stream:
        answer = impatient.chat.completions.create(**asked, **endless)
        assert next(iter(answer)).choices
        answer.close()
    else:
        with pytest.raises(openai.APITimeoutError):
            impatient.chat.completions.create(**asked, **endless)

    freed_s = local.until(lambda: local.metric("engine_running") == 0, "idle engine", timeout_s=5)
    assert freed_s < 1.0 + 0.5  # the engine's count travels on a beat, every half second
    assert local.metric("gateway_running") == 0


def test_an_engine_that_dies_ends_its_streams_is_replaced_and_who_asks_meanwhile_is_held(
    local: ServeRun, client: openai.OpenAI
) -> None:
    [core] = [int(pid) for pid in _engine_cores(local.process.pid)]
    asked = {"model": SMOLLM2, "messages": FRANCE}
    stream = client.chat.completions.create(
        **asked, max_tokens=1000, stream=True, extra_body={"ignore_eos": True}
    )
    assert next(iter(stream)).choices
    os.kill(core, signal.SIGKILL)

    with pytest.raises(openai.APIError) as failed:
        for _ in stream:
            pass
    assert failed.value.code == "engine_dead"
    assert "Traceback" not in failed.value.message

    patient = client.with_options(timeout=300)
    answer = patient.chat.completions.create(**asked, max_tokens=4)
    assert answer.choices[0].message.content
    assert _engine_cores(local.process.pid) != [str(core)]


def _engine_cores(session: int) -> list[str]:
    """vLLM's engine processes below one `serve run`: Ray's processes are in its session."""
    listed = subprocess.check_output(["ps", "-eo", "pid=,sid=,args="], text=True).splitlines()
    rows = [line.split(maxsplit=2) for line in listed]
    return [pid for pid, sid, args in rows if "EngineCore" in args and sid == str(session)]
