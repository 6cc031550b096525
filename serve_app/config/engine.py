"""One model: what an engine application may be told."""

from typing import Any, Literal

from pydantic import Field

from serve_app.config.knobs import Knobs
from serve_app.core.curve import Steps
from serve_app.core.preflight.finding import Check


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

    @property
    def decode_steps(self) -> Steps:
        """Sequences, and seconds of a step that decodes so many."""
        return ((1, self.decode_step_s), (2, self.decode_step_s + self.decode_step_per_seq_s))


class Preflight(Knobs):
    """What a replica makes sure of before it loads anything; docs/preflight.md has the checks."""

    nodes: int | None = Field(default=None, ge=1)
    """Nodes that the bundles of a replica must lie on. Unset: the fewest that could hold them,
    since PACK takes more where one has no room; not looked at with SPREAD and STRICT_SPREAD."""
    warn_only: tuple[Check, ...] = ()
    """Checks whose findings go to the log and stop nothing."""
    free_disk_gb: float = Field(default=1.0, ge=0)
    """Room that the folders of compiled kernels and of temporary files must have, in 10⁹ bytes."""
    settle_s: float = Field(default=15.0, ge=0)
    """How long GPU memory may still be held by what has just been stopped."""
    probe_timeout_s: float = Field(default=10.0, gt=0)
    """A node that has not answered by then is started on without its checks."""


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
    """Start although the cluster cannot hold it now, because nodes will be added by hand, or what
    holds them will go."""
    preflight: Preflight = Preflight()
    """Checks before loading."""
    load_timeout_s: float = Field(default=3600.0, gt=0)
    """A replica that is not ready by then gives up, and says in which phase it was."""
    start_attempts: int = Field(default=3, ge=1)
    """Starts of a new application that may fail before it is DEPLOY_FAILED; each asks Ray for
    another placement. Serve allows three for each replica at most."""


class EngineTunables(Knobs):
    """`user_config` of the Engine deployment."""

    expected_tokens: int = Field(default=2048, ge=1)
    """Prompt plus output of a typical request, until the replica has seen enough of them to
    know; KV capacity divided by it gives the slots."""
    overcommit: float = Field(default=1.1, ge=1.0, le=4.0)
    """Sequences sent per one that max_num_seqs allows to run; a little over 1 keeps the batch
    full between dispatches."""
    hang_timeout_s: float = Field(default=60.0, gt=0)
    """An engine with work and no step for this long is hung, and its replica is replaced."""
    slowdown: float = Field(default=2.0, gt=1)
    """An answer is late if its tokens take more than so many times as long as alone; the policy's
    `target_late` is about these."""
    depth_timeout_s: float = Field(default=3.0, gt=0)
    """A gateway's queue depth older than this is no data for the autoscaler."""
