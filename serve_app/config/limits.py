"""The largest request that reaches an engine, and who may send it from a browser."""

from pydantic import Field

from serve_app.config.knobs import Knobs


class Limits(Knobs):
    """The largest request that reaches an engine. One that is larger is a 400, or a 413."""

    body_bytes: int = Field(default=4 * 1024 * 1024, ge=1024)
    """Request body; enforced while it is read."""
    body_timeout_s: float = Field(default=30.0, gt=0)
    """A body that takes longer to arrive is dropped (slow-loris)."""
    json_depth: int = Field(default=32, ge=4, le=200)
    """Nesting of the body."""
    n: int = Field(default=8, ge=1)
    """Choices per request; each one is a sequence in the engine."""
    prompts: int = Field(default=16, ge=1)
    """Prompts in one completions or embeddings request."""
    prompt_tokens: int = Field(default=200_000, ge=1)
    """Estimated prompt tokens; the engine's own max_model_len still holds."""
    max_tokens: int = Field(default=65_536, ge=1)
    """Output tokens that a request may ask for."""
    stop: int = Field(default=4, ge=0)
    """Stop strings, or stop tokens. vLLM takes 4 unless VLLM_MAX_STOP_STRINGS says more."""
    stop_chars: int = Field(default=256, ge=1)
    """Length of one stop string."""
    logprobs: int = Field(default=20, ge=0)
    """Alternatives per token."""
    logit_bias: int = Field(default=1024, ge=0)
    """Entries in logit_bias."""
    messages: int = Field(default=2048, ge=1)
    """Messages, or input items, in one conversation."""
    tools: int = Field(default=128, ge=0)
    """Tools offered to the model."""
    schema_bytes: int = Field(default=65_536, ge=0)
    """One JSON schema (a tool, a response format); compiled before the first token. All tools
    together may have four times as much."""
    schema_depth: int = Field(default=16, ge=1)
    """Nesting of one JSON schema."""
    schema_members: int = Field(default=256, ge=1)
    """Members of one object in a schema: 256 optional ones compile in 0.1 s, 3000 in 147 s."""
    schema_bounds: int = Field(default=8, ge=0)
    """Bounds in the schemas of one field: different minLength/maxLength pairs (about 1 s each to
    compile) and objects with minProperties or maxProperties."""
    regex: bool = False
    """Let clients send regular expressions and grammars; some never finish compiling."""
    media: bool = False
    """Let clients send images, audio and URLs; the engine would fetch what they name."""
    extra_fields: tuple[str, ...] = ()
    """Further body fields to let through, by name. Everything unknown is refused."""


class Cors(Knobs):
    """Browsers of other origins; nothing is allowed by default."""

    allow_origins: tuple[str, ...] = ()
    """Origins such as https://chat.example.com; "*" for any."""
    max_age_s: int = Field(default=600, ge=0)
    """How long a browser may keep a preflight answer."""
