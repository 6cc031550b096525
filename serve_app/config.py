"""The YAML's own knobs, typed: what `args`, `user_config` and `policy_kwargs` may hold.

`args` is structure: changing it restarts the application's replicas. `user_config` is
tuning: Serve hands it to `reconfigure()` and nothing restarts. A key that is not here is
an error. The docstring under a field is its documentation; `deployments/reference.yaml`
is generated from this file.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Knobs(BaseModel):
    """Base of every block: frozen, and strict about its keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )


class Simulated(Knobs):
    """The simulated engine: how fast it is, what it holds, how it fails."""

    load_s: float = Field(default=0.0, ge=0)
    """Seconds from start to ready; what a real model spends reading its weights."""
    prefill_tokens_per_s: float = Field(default=20_000.0, gt=0)
    """Uncached prompt tokens computed per second, over all requests."""
    decode_step_s: float = Field(default=0.02, ge=0)
    """Time of one decode step at batch size 1; 0 makes chunks as fast as they are read."""
    decode_step_per_seq_s: float = Field(default=0.0002, ge=0)
    """What each further sequence in the batch adds to a step."""
    kv_tokens: int = Field(default=100_000, ge=16)
    """Tokens that the KV cache holds, prefix cache included."""
    max_num_seqs: int = Field(default=64, ge=1)
    """Sequences that run at once."""
    max_model_len: int = Field(default=8192, ge=16)
    """Longest prompt plus output, in tokens."""
    block_tokens: int = Field(default=16, ge=1)
    """Prefix-cache block; only whole blocks are shared."""
    default_output_tokens: int = Field(default=64, ge=1)
    """Length of an answer when the request does not say."""
    faults: bool = False
    """Obey markers in a prompt such as `simulate: die` (engine/simulated.py). For tests only."""


class EngineArgs(Knobs):
    """`args` of an engine application: one model, one engine per replica."""

    kind: Literal["vllm", "simulated"]
    """What produces the tokens."""
    model: str = Field(min_length=1)
    """A name or Hugging Face id in the model cache (`serve-app models fetch`), or a folder."""
    names: tuple[str, ...] = Field(min_length=1)
    """Names by which clients ask for it; the first is the one that answers carry."""
    vllm: dict[str, Any] = Field(default_factory=dict)
    """vLLM's own arguments under vLLM's own names: engine and OpenAI front end alike."""
    simulated: Simulated = Simulated()
    """Only for `kind: simulated`."""
    warm_up: bool = True
    """Answer one request of each kind before being ready: first uses compile, and take seconds."""
    wait_for_nodes: bool = False
    """Start although the cluster cannot hold it now, because nodes will be added by hand."""


class EngineTunables(Knobs):
    """`user_config` of the Engine deployment."""

    expected_tokens: int = Field(default=2048, ge=1)
    """Prompt plus output of a typical request; KV capacity divided by it gives the slots."""
    overcommit: float = Field(default=1.1, ge=1.0, le=4.0)
    """Slots per sequence that fits; a little over 1 keeps the batch full between dispatches."""
    hang_timeout_s: float = Field(default=60.0, gt=0)
    """An engine with work and no step for this long is hung, and its replica is replaced."""
    depth_timeout_s: float = Field(default=3.0, gt=0)
    """A gateway's queue depth older than this is no data for the autoscaler."""


class Queue(Knobs):
    """Where requests wait: in the gateway, bounded."""

    max_requests: int = Field(default=1000, ge=1)
    """Waiting requests per model; one more is refused with 429 queue_full."""
    max_tokens: int = Field(default=4_000_000, ge=0)
    """Waiting prompt plus output tokens per model, estimated."""
    deadline_s: float = Field(default=300.0, gt=0)
    """Longest wait, unless the client asks for less with x-request-timeout-seconds."""


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


class GatewayArgs(Knobs):
    """`args` of the gateway application."""

    models: dict[str, str] = Field(min_length=1)
    """Model name that clients send → name of the engine application that serves it."""


class GatewayTunables(Knobs):
    """`user_config` of the Gateway deployment."""

    queue: Queue = Queue()
    """Where requests wait."""
    limits: Limits = Limits()
    """The largest request that reaches an engine."""
    cors: Cors = Cors()
    """Browsers of other origins."""
    beat_interval_s: float = Field(default=0.5, gt=0, le=10)
    """How often gateway and replicas exchange queue depth and load."""
    stale_after_s: float = Field(default=3.0, gt=0)
    """A replica that was silent for longer gets no new request while another one speaks."""
    idle_write_timeout_s: float = Field(default=60.0, gt=0)
    """A client that takes nothing for this long, while there is something to send, is cut off."""
    retries: int = Field(default=2, ge=0, le=10)
    """Other replicas to try when one dies before the first byte of an answer."""


class PolicyKnobs(Knobs):
    """`policy_kwargs` of `serve_app.serving.autoscaler:ScaleOnQueueDepth`."""

    target_usage: float = Field(default=0.8, gt=0, le=1)
    """Share of a replica's slots that should be in use; what is left absorbs bursts."""
    max_age_s: float = Field(default=5.0, gt=0)
    """Older numbers count as no data: the policy holds what there is."""
