"""What makes vLLM's front end cheap in a process that does nothing else.

The front end takes the engine's steps, detokenizes per token and formats per frame, and a
frame costs several times a token. One that falls behind its engine catches up by itself,
without a timer: it finds more than one step waiting, and what it puts through in one go
becomes one frame per stream. One that keeps up finds one step, and each token is a frame.
Nothing here changes what a client reads; `serve_app.bench.front_end` measures it.

What of vLLM is touched: the variable VLLM_V1_OUTPUT_PROC_CHUNK_SIZE, `envs.enable_envs_cache`
and the middleware of the app that `build_app` returns.
"""

import gc
import os
from typing import Any

# At Python's 700 one step of 256 streams starts the collector again and again, to find nothing:
# 10 to 30 µs a token were measured, and 2 with this.
YOUNG_OBJECTS = 10_000

# Per frame and for nobody: the gateway answers browsers and counts requests, and no scraper
# reaches this app.
UNUSED_MIDDLEWARE = ("CORSMiddleware", "PrometheusInstrumentatorMiddleware")


def merge_when_behind(max_num_seqs: int) -> None:
    """Put a step through in one go; to be called before vLLM starts.

    By itself vLLM gives way after every 128 streams, which are then formatted before the next
    step is looked at: with more streams than that it never merges, and steps pile up.
    """
    os.environ.setdefault("VLLM_V1_OUTPUT_PROC_CHUNK_SIZE", str(max_num_seqs))


def strip_middleware(app: Any) -> None:
    """Leave out what wraps each message and serves nobody; authentication and the like stay."""
    used = [one for one in app.user_middleware if one.cls.__name__ not in UNUSED_MIDDLEWARE]
    app.user_middleware = used
    app.middleware_stack = None  # built anew for the next request


def settle() -> None:
    """After loading: no more reading of the environment per token, fewer garbage collections."""
    from vllm.envs import enable_envs_cache  # noqa: PLC0415 - vllm is imported late

    enable_envs_cache()  # as vLLM's own engine process does after loading
    gc.set_threshold(YOUNG_OBJECTS)
