"""The simulated engine's front end: which of OpenAI's requests it takes, and how it reads them.

Fields that are not here are ignored, and null means absent, as in vLLM. A request that
cannot be run is a `Rejected`, which knows its status and body.
"""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from serve_app.engine.protocol import Call, Model
from serve_app.engine.simulated_reply import CHAT, TEXT, Choice, Reply, Shape, tool_call
from serve_app.engine.simulated_text import (
    MAX_TOKEN_ID,
    Answer,
    detokenize,
    echo,
    recite,
    smallest,
    tokenize,
)
from serve_app.errors import Malformed, ModelNotFound, RouteNotFound

ROUTES = ("/v1/chat/completions", "/v1/completions", "/tokenize", "/detokenize")
BodyT = TypeVar("BodyT", bound="Body")


def _as_list(value: Any) -> Any:
    """One prompt, as text or as token ids, or one stop string is a list of one."""
    is_ids = isinstance(value, list) and value and isinstance(value[0], int)
    return [value] if isinstance(value, str) or is_ids else value


TokenIds = list[Annotated[int, Field(ge=0, le=MAX_TOKEN_ID)]]
Prompts = Annotated[list[str | TokenIds], BeforeValidator(_as_list), Field(min_length=1)]
Stops = Annotated[list[Annotated[str, Field(min_length=1)]], BeforeValidator(_as_list)]


class Part(BaseModel):
    text: str = ""


class Message(BaseModel):
    role: str
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class Function(BaseModel):
    name: str
    parameters: dict[str, Any] = {}


class Tool(BaseModel):
    function: Function


class JsonSchema(BaseModel):
    value: dict[str, Any] = Field(default={}, alias="schema")


class ResponseFormat(BaseModel):
    type: str
    json_schema: JsonSchema = JsonSchema()


class StreamOptions(BaseModel):
    include_usage: bool = False


class Body(BaseModel):
    """What every request has in common."""

    model: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        return {name: value for name, value in fields.items() if value is not None}


class Generation(Body):
    """What chat and completions have in common."""

    n: int = Field(default=1, ge=1)
    max_tokens: int | None = Field(default=None, ge=1)
    seed: int = 0
    stop: Stops = []
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()

    def echo(self, prompt: str, choice: int, max_tokens: int) -> Answer:
        return echo(prompt, shift=self.seed + choice, max_tokens=max_tokens, stop=self.stop)


class Completion(Generation):
    prompt: Prompts


class Chat(Generation):
    messages: list[Message] = Field(min_length=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    tools: list[Tool] = []
    tool_choice: Literal["none", "auto", "required"] | Tool = "auto"
    response_format: ResponseFormat = ResponseFormat(type="text")

    @property
    def tool(self) -> Function | None:
        """The tool that must be called; one that merely may be, is not."""
        offered = {tool.function.name: tool.function for tool in self.tools}
        if isinstance(self.tool_choice, Tool):
            return offered.get(self.tool_choice.function.name, self.tool_choice.function)
        return next(iter(offered.values()), None) if self.tool_choice == "required" else None

    def answer(self, choice: int, max_tokens: int) -> Answer:
        if tool := self.tool:
            arguments = _instance(tool.parameters)
            return recite(arguments, max_tokens=max_tokens, finish_reason="tool_calls")
        if self.response_format.type != "text":
            schema = self.response_format.json_schema.value
            return recite(_instance(schema), max_tokens=max_tokens)
        return self.echo(self.messages[-1].text, choice, max_tokens)


class Tokenization(Body):
    prompt: str = ""
    messages: list[Message] = []


class Detokenization(Body):
    tokens: TokenIds


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """Reads calls for one model."""

    model: Model
    max_model_len: int
    default_output_tokens: int

    def read(self, call: Call) -> Reply | bytes:
        """What to answer: token by token, or at once where nothing needs to be generated."""
        match call.path:
            case "/v1/chat/completions":
                return self._chat(call, self._parse(Chat, call))
            case "/v1/completions":
                return self._completion(call, self._parse(Completion, call))
            case "/tokenize":
                return self._tokenization(self._parse(Tokenization, call))
            case "/detokenize":
                text = detokenize(self._parse(Detokenization, call).tokens)
                return json.dumps({"prompt": text}).encode()
        raise RouteNotFound(f"no route {call.path}; this engine has {', '.join(ROUTES)}")

    def _parse(self, kind: type[BodyT], call: Call) -> BodyT:
        try:
            body = kind.model_validate_json(call.body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            where = ".".join(map(str, first["loc"])) or "body"
            param = str(first["loc"][0]) if first["loc"] else None
            raise Malformed(f"{where}: {first['msg']}", param=param) from None
        if body.model not in (None, *self.model.names):
            known = ", ".join(self.model.names)
            raise ModelNotFound(f"no model {body.model!r}; this engine has {known}", param="model")
        return body

    def _chat(self, call: Call, body: Chat) -> Reply:
        prompt_ids = tokenize(_render(body.messages))
        max_tokens = self._max_tokens(body.max_completion_tokens or body.max_tokens, prompt_ids)
        answers = [body.answer(choice, max_tokens) for choice in range(body.n)]
        shape = tool_call(f"call-{call.request_id}", body.tool.name) if body.tool else CHAT
        return self._reply(call, body, shape, [Choice(prompt_ids, answer) for answer in answers])

    def _completion(self, call: Call, body: Completion) -> Reply:
        prompts = [tokenize(p) if isinstance(p, str) else tuple(p) for p in body.prompt]
        choices = [
            Choice(ids, body.echo(detokenize(ids), k, self._max_tokens(body.max_tokens, ids)))
            for ids in prompts
            for k in range(body.n)
        ]
        return self._reply(call, body, TEXT, choices)

    def _reply(self, call: Call, body: Generation, shape: Shape, choices: list[Choice]) -> Reply:
        about = {
            "id": shape.id_prefix + call.request_id,
            "created": self.model.created,
            "model": self.model.names[0],
        }
        include_usage = body.stream_options.include_usage
        return Reply(shape, about, choices, body.n, body.stream, include_usage)

    def _tokenization(self, body: Tokenization) -> bytes:
        ids = tokenize(_render(body.messages) if body.messages else body.prompt)
        answer = {"count": len(ids), "max_model_len": self.max_model_len, "tokens": ids}
        return json.dumps({**answer, "token_strs": None}).encode()

    def _max_tokens(self, wanted: int | None, prompt_ids: tuple[int, ...]) -> int:
        room = self.max_model_len - len(prompt_ids)
        if not prompt_ids:
            raise Malformed("the prompt is empty; send at least one token", param="prompt")
        if room < (wanted or 1):
            raise Malformed(
                f"the prompt has {len(prompt_ids)} tokens and {wanted or 1} more are asked for, "
                f"but this model takes {self.max_model_len} in all; shorten one of them",
                param="max_tokens",
            )
        return wanted or min(self.default_output_tokens, room)


def _render(messages: list[Message]) -> str:
    """The chat template. An answer that comes back in the next turn tokenizes as it did here."""
    return "".join(f"{message.role}\n{message.text}\n" for message in messages) + "assistant\n"


def _instance(schema: dict[str, Any]) -> Any:
    try:
        return smallest(schema)
    except (AttributeError, LookupError, TypeError) as error:
        raise Malformed(f"not a JSON schema: {error}") from None
