"""A model to plan for: its shape, and the checkpoints of it that there are.

From a folder or the model cache, from the table in `models`, or from a hub: there the headers
of its files say what the weights weigh.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from serve_app.checking.problem import nearest
from serve_app.core.shape import Parts, Shape
from serve_app.core.weights import BF16, FP8, INT4, NVFP4, Checkpoint, estimated
from serve_app.models import ModelError, cache, headers, resolve
from serve_app.planning.config_json import format_of, shape_of
from serve_app.planning.errors import PlanError
from serve_app.planning.models import MODELS, Known, known_name


@dataclass(frozen=True, slots=True)
class Offer:
    """A checkpoint and where it is. `source` is empty where somebody must make it, or find it."""

    checkpoint: Checkpoint
    source: str
    is_own: bool = True  # what was asked for, not another format of it
    quantization: str | None = None  # what vLLM is told to make of it while it loads


@dataclass(frozen=True, slots=True)
class Model:
    """What was asked about."""

    name: str
    shape: Shape
    offers: tuple[Offer, ...]
    tool_call_parser: str | None = None
    reasoning_parser: str | None = None

    @property
    def own(self) -> Checkpoint:
        return self.offers[0].checkpoint


def model_of(name: str, *, may_ask_hub: bool = True) -> Model:
    """The model called `name`; raises `PlanError`."""
    try:
        return _model_of(name, may_ask_hub=may_ask_hub)
    except (ModelError, OSError) as error:
        raise PlanError(f"{error}. Planned without a hub: {_known_words()}") from error


def of_config(config: Mapping[str, Any], name: str) -> Model:
    """What a config.json alone says: weights are estimated. Raises `PlanError`."""
    return _from_headers(name, headers.Headers(config, ()))


def _model_of(name: str, *, may_ask_hub: bool) -> Model:
    known = known_name(name)
    if known is not None:
        return _from_table(known, MODELS[known])
    if cache.is_path(name) and not Path(name).expanduser().is_dir():
        raise PlanError(f"{name} is no folder")
    if cache.is_path(name) or cache.place(name, cache.root()).is_dir():
        return _from_headers(name, headers.of_folder(_folder(name)))
    if "/" not in name or not may_ask_hub:
        near = nearest(name.rpartition("/")[2], [word.rpartition("/")[2] for word in MODELS])
        words = near or f"; planned are {_known_words()}"
        raise PlanError(f"{name} is no model that is known here{words}")
    return _from_headers(name, headers.of_hub(name))


def _folder(name: str) -> Path:
    # A folder with a config.json alone is enough for a plan, not for `resolve`.
    return Path(name).expanduser() if cache.is_path(name) else resolve(name)


def _known_words() -> str:
    return ", ".join(MODELS)


def _from_table(name: str, known: Known) -> Model:
    shape, form = shape_of(known.config, name), format_of(known.config, name)
    own = Offer(estimated(shape, form), name)
    others = tuple(_others(own, name, known.nvfp4))
    return Model(name, shape, (own, *others), known.tool_call_parser, known.reasoning_parser)


def _from_headers(name: str, found: headers.Headers) -> Model:
    shape, form = shape_of(found.config, name), format_of(found.config, name)
    checkpoint = estimated(shape, form)
    if found.tensors:
        weights = _measured(found.tensors, shape, checkpoint.weights)
        checkpoint = Checkpoint(shape, form, weights, is_estimated=False)
    own = Offer(checkpoint, name)
    return Model(name, shape, (own, *_others(own, name, nvfp4=None)))


def _others(own: Offer, name: str, nvfp4: str | None) -> Iterable[Offer]:
    """The same model in other formats. vLLM makes FP8 of BF16 while it loads."""
    for form in (FP8, NVFP4, INT4, BF16):
        if form is own.checkpoint.format:
            continue
        offer = Offer(estimated(own.checkpoint.shape, form), "", is_own=False)
        if form is FP8 and own.checkpoint.format is BF16:
            offer = replace(offer, source=name, quantization="fp8")
        if form is NVFP4 and nvfp4:
            offer = replace(offer, source=nvfp4)
        yield offer


def _measured(tensors: Iterable[headers.Tensor], shape: Shape, estimate: Parts) -> Parts:
    """Bytes by part, from the names of tensors as Hugging Face's models have them."""
    sums = dict.fromkeys(("attention", "router", "shared", "routed", "dense", "embeddings"), 0.0)
    sums["mtp"] = 0.0
    for tensor in tensors:
        sums[_part(tensor.name, shape)] += tensor.size_bytes
    attention = sums.pop("attention")
    share = estimate.attention_whole / (estimate.attention_whole + estimate.attention_split)
    whole = share * attention
    return Parts(attention_whole=whole, attention_split=attention - whole, **sums)


def _part(name: str, shape: Shape) -> str:
    words = name.split(".")
    layer = next((int(word) for word in words if word.isdecimal()), 0)
    if "layers" in words and layer >= shape.layers:
        return "mtp"
    if "self_attn" in words:
        return "attention"
    if "experts" in words:
        return "routed"
    if any(word.startswith("shared_expert") for word in words):
        return "shared"
    if "gate" in words:
        return "router"
    return "dense" if "mlp" in words or "layers" in words else "embeddings"
