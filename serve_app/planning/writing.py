"""An option as a Serve YAML, every value with its reason, modelled on deployments/deepseek.yaml."""

import json
import math
import re
from importlib.resources import files
from pathlib import Path

from serve_app.config import EngineTunables
from serve_app.core.layout import Layout
from serve_app.models.cache import is_path
from serve_app.planning.option import Option
from serve_app.planning.question import Question

_TEMPLATE = files("serve_app.planning").joinpath("serve_yaml.txt")
FEWEST_WAITING = 200
DEADLINE_S = 300  # of the queue, in the template
HEAD_ROOM = 1.4  # of what Serve lets in over the slots, so that nothing waits in it
CPUS_BESIDE_RANKS = 4  # front end, scheduler and detokenizing


def as_yaml(question: Question, option: Option) -> str:
    """The file, which `serve-app check` passes."""
    values = _engine(question, option) | _serving(question, option)
    return _TEMPLATE.read_text(encoding="utf-8").format(**values)


def _engine(question: Question, option: Option) -> dict[str, object]:
    """What is in `args`."""
    settings, memory = option.candidate.settings, option.memory
    return {
        "head": _head(question, option),
        "app": _app(question),
        "model": _source(question, option),
        "names": f"[{', '.join(_names(question))}]",
        "vllm": _indented(_vllm(question, option), 6),
        "memory": _indented(_memory(option), 6),
        "utilization": settings.gpu_memory_utilization,
        "context": settings.max_model_len,
        "full": f"{memory.full_sequences} such conversations fit",
        "sequences": settings.max_num_seqs,
        "why_sequences": _why_sequences(question, option),
        "chunk": settings.max_num_batched_tokens,
    }


def _why_sequences(question: Question, option: Option) -> str:
    ranks = option.candidate.layout.data
    fit = option.memory.sequences_of(question.workload.tokens) // ranks
    where = " on each data rank" if ranks > 1 else ""
    why = f"{fit} of {question.workload.tokens} tokens fit{where}"
    if fit <= option.candidate.settings.max_num_seqs:
        return why
    return f"{why}, and {'are not wanted' if question.concurrency else 'would be too slow'}"


def _serving(question: Question, option: Option) -> dict[str, object]:
    """What is in `deployments`."""
    layout = option.candidate.layout
    most = layout.data * option.candidate.settings.max_num_seqs
    slots, waiting = int(most * EngineTunables().overcommit), max(FEWEST_WAITING, 4 * most)
    longest_s = math.ceil(max_tokens(question) * option.speed.tpot_s / 60) * 60
    return {
        "replicas": option.replicas,
        "slots": slots,
        "room": math.ceil(HEAD_ROOM * slots / 10) * 10 + 10,
        "longest_s": longest_s,
        "longest": f"{max_tokens(question)} tokens at {option.speed.tpot_s * 1e3:.0f} ms",
        "strategy": _strategy(option),
        "bundles": _indented(_bundles(option), 4),
        "cpus": _cpus(layout),
        "expected": question.workload.tokens,
        "models": _indented([f"{name}: {_app(question)}" for name in _names(question)], 6),
        "waiting": waiting,
        "gateway_room": 3 * waiting + slots * option.replicas + 100,
        "gateway_shutdown_s": longest_s + DEADLINE_S,
        "max_tokens": max_tokens(question),
    }


def max_tokens(question: Question) -> int:
    """The longest answer that a client may ask for."""
    return min(16_384, question.context)


def _app(question: Question) -> str:
    return re.sub(r"[^a-z0-9.-]", "-", question.model.name.rstrip("/").rpartition("/")[2].lower())


def _names(question: Question) -> list[str]:
    name = question.model.name
    is_id = re.fullmatch(r"[\w.-]+/[\w.-]+", name) is not None and name[0] not in "./~"
    return list(dict.fromkeys([_app(question), *([name] if is_id else [])]))


def _source(question: Question, option: Option) -> str:
    source = option.offer.source
    if source:
        # The replica starts in another folder, and a path may hold what YAML would read.
        return json.dumps(str(Path(source).expanduser().absolute())) if is_path(source) else source
    form = option.offer.checkpoint.format.name
    last = _names(question)[0]
    return f"/path/on/every/node/{last}-{form.lower()}  # the folder of a checkpoint in {form}"


def _head(question: Question, option: Option) -> str:
    hardware, weights = question.hardware, option.offer.checkpoint.weights
    nodes = f"{hardware.nodes} × " if hardware.nodes > 1 else ""
    on = f"{nodes}{hardware.gpus_per_node} × {hardware.gpu.name}"
    form, found, load = option.offer.checkpoint.format.name, option.speed, question.workload
    lies = f"{option.candidate.layout} × {option.replicas}"
    return f"""\
# {question.model.name} ({form}, {_gb(weights.total)}) on {on}: {lies}.
# Written by `serve-app plan`; what it estimates is within a factor of 2 (docs/plan.md). With
# {found.sequences} requests of {load.input_tokens} + {load.output_tokens} tokens in each replica:
# TTFT {found.ttft_s * 1e3:.0f} ms, TPOT {found.tpot_s * 1e3:.0f} ms, \
{option.output_tokens_per_s:,.0f} tokens/s in all.
#
#     serve-app models fetch {option.offer.source or "…, see model below,"}"""


def _memory(option: Option) -> list[str]:
    """The sum that leads to the KV cache, as a comment."""
    memory, gpu = option.memory, option.candidate.hardware.gpu
    weights, rest = memory.weights.total, memory.taken - memory.weights.total
    share = option.candidate.settings.gpu_memory_utilization
    text = f"""\
# Memory of one GPU: {gpu.memory_bytes / 1e9:.0f} GB × {share} = {_gb(memory.usable)}, less \
{_gb(weights)} of weights, less
# about {_gb(rest)} of activations, graphs and buffers (estimated), leaves {_gb(memory.kv)} of KV
# cache. A token takes {memory.kv_bytes_per_token:,.0f} bytes of a GPU: {memory.kv_tokens:,} \
tokens in all."""
    return text.splitlines()


def _gb(size_bytes: float) -> str:
    return f"{size_bytes / 1e9:.1f} GB"


def _vllm(question: Question, option: Option) -> list[str]:
    settings, layout, offer = option.candidate.settings, option.candidate.layout, option.offer
    found = [f"tensor_parallel_size: {layout.tensor}"]
    if layout.data > 1:
        found.append(f"data_parallel_size: {layout.data}  # schedulers with a KV cache each")
    if layout.pipeline > 1:
        found.append(f"pipeline_parallel_size: {layout.pipeline}  # one stage per node")
    if layout.decode_context > 1:
        found.append(
            f"decode_context_parallel_size: {layout.decode_context}  "
            "# each rank caches other tokens, not the same ones"
        )
    if question.model.shape.experts and layout.expert_ranks > 1:
        found.append("enable_expert_parallel: true  # an expert lies whole on one GPU")
        found.append("enable_ep_weight_filter: true  # each rank reads its own experts only")
    if offer.quantization:
        found.append(f"quantization: {offer.quantization}  # made of BF16 while it loads")
    if settings.kv_cache_dtype != "auto":
        found.append(f"kv_cache_dtype: {settings.kv_cache_dtype}  # twice the tokens of bf16")
    if settings.has_mtp:
        found.append("speculative_config: {method: mtp, num_speculative_tokens: 1}")
    found.append("distributed_executor_backend: ray  # the only one that uses the bundles below")
    return found + _parsers(question)


def _parsers(question: Question) -> list[str]:
    found, model = [], question.model
    if model.tool_call_parser:
        found += ["enable_auto_tool_choice: true", f"tool_call_parser: {model.tool_call_parser}"]
    if model.reasoning_parser:
        found.append(f"reasoning_parser: {model.reasoning_parser}")
    return found


def _strategy(option: Option) -> str:
    one_node = option.candidate.layout.gpus <= option.candidate.hardware.gpus_per_node
    if one_node:
        return "placement_group_strategy: STRICT_PACK  # all on one node, for NVLink"
    return "placement_group_strategy: PACK  # as few nodes as hold them"


def _bundles(option: Option) -> list[str]:
    gpus = option.candidate.layout.gpus
    first = f"- {{CPU: {_cpus(option.candidate.layout)}, GPU: 1}}"
    return [f"{first}  # the replica sits in the first one", *["- {GPU: 1}"] * (gpus - 1)]


def _cpus(layout: Layout) -> int:
    """A core for each rank, for each data rank's scheduler after the first, and for the rest."""
    return layout.gpus + layout.data - 1 + CPUS_BESIDE_RANKS


def _indented(lines: list[str], spaces: int) -> str:
    return f"\n{' ' * spaces}".join(lines)
