"""`args.vllm`: names that vLLM 0.32 has, values that they may have."""

import re
import reprlib
from collections.abc import Mapping

from serve_app.checking.problem import Problem, Problems, nearest
from serve_app.engine.vllm_arguments import ARGUMENTS, GONE, OWNED

TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "str": (str,),
}
GGUF_OR_BNB = re.compile(r"i?q\d.*|gguf|bitsandbytes|bnb.*", re.IGNORECASE)
# Its experts ignore which of them a rank has: wrong answers were seen, and SIGSEGV in the kernel.
NO_EXPERT_RANKS = "cpu_ray_executor"
PLUGINS = {"tool_call_parser": "tool_parser_plugin", "reasoning_parser": "reasoning_parser_plugin"}


def vllm_problems(arguments: Mapping[str, object]) -> Problems:
    """Everything in the block that vLLM would refuse, or never read."""
    for name, value in arguments.items():
        brought = arguments.get(PLUGINS.get(name, ""))
        message = _name(str(name)) or ("" if brought else _value(name, value))
        if message:
            yield Problem((name,), message)
    if arguments.get("enable_auto_tool_choice") and not arguments.get("tool_call_parser"):
        yield Problem(("enable_auto_tool_choice",), "needs tool_call_parser")
    on_cpu = NO_EXPERT_RANKS in str(arguments.get("distributed_executor_backend"))
    if arguments.get("enable_expert_parallel") and on_cpu:
        message = "vLLM 0.32 answers wrongly with it on a CPU, or crashes; remove it"
        yield Problem(("enable_expert_parallel",), message)


def _name(name: str) -> str:
    if name in OWNED:
        return f"cannot be set here: {OWNED[name]}"
    if name in GONE:
        return f"is no argument of vLLM 0.32: {GONE[name]}"
    if name not in ARGUMENTS:
        return "is no argument of vLLM 0.32" + nearest(name, ARGUMENTS.keys() - OWNED.keys())
    return ""


def _value(name: str, value: object) -> str:
    kind, shown = ARGUMENTS[name], reprlib.repr(value)
    if value is None or kind == "any":
        return ""
    if kind not in TYPES:
        choices = kind.split("|")
        wrong = _spelling(value) not in map(_spelling, choices)
        near = nearest(value, choices) or f"; it has {', '.join(choices)}"
        return f"{shown}: no such value{near}" if wrong else ""
    if not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "bool"):
        return f"{shown}: must be of type {kind}"
    if name == "quantization" and GGUF_OR_BNB.fullmatch(str(value)):
        return f"{shown}: no method of vLLM 0.32; remove it, and take an FP8 or AWQ checkpoint"
    return ""


def _spelling(value: object) -> str:
    """vLLM takes deep-gemm for deep_gemm."""
    return str(value).lower().replace("-", "_")
