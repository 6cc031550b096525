"""How many bytes the parameters of a checkpoint take.

    bytes = Σ over parts: parameters × bytes per parameter in this format

Embeddings and router stay in bf16 in every format. Checked against published checkpoints:
DeepSeek-V3 is 688.6 GB in FP8, its main model 673.1 GB; BF16 is 1342 GB, AWQ about 352 GB,
NVFP4 about 402 GB.
"""

from dataclasses import dataclass

from serve_app.core.shape import Parts, Shape

PLAIN_BYTES = 2.0


@dataclass(frozen=True, slots=True)
class Format:
    """Bytes per parameter with its share of the scales, and what the GPU multiplies in.

    `linear_bytes` is of attention, shared experts and dense layers of a model with experts;
    a model without any is quantised as a whole, by `expert_bytes`.
    """

    name: str
    linear_bytes: float
    expert_bytes: float
    mtp_bytes: float
    math: str  # fp4, fp8 or bf16: what it is multiplied in, where a GPU can

    def linear_bytes_in(self, shape: Shape) -> float:
        return self.linear_bytes if shape.experts else self.expert_bytes


_BLOCK_FP8 = 1 + 4 / (128 * 128)  # one 4-byte scale for 128 × 128 values
_GROUP_INT4 = 0.5 + (2 + 0.5) / 128  # a 2-byte scale and a 4-bit zero for 128 values
_NVFP4 = 0.5 + 1 / 16  # a 1-byte scale for 16 values

BF16 = Format("BF16", 2.0, 2.0, 2.0, "bf16")
FP8 = Format("FP8", _BLOCK_FP8, _BLOCK_FP8, _BLOCK_FP8, "fp8")
NVFP4 = Format("NVFP4", 2.0, _NVFP4, 2.0, "fp4")
# DeepSeek V4: experts in MXFP4, a 1-byte scale for 32 values, the rest in FP8.
FP4 = Format("FP4", _BLOCK_FP8, 0.5 + 1 / 32, 0.5 + 1 / 32, "fp8")
INT4 = Format("INT4", _GROUP_INT4, _GROUP_INT4, _GROUP_INT4, "bf16")

FORMATS = {form.name: form for form in (BF16, FP8, FP4, NVFP4, INT4)}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model in a format. `weights` are bytes: read from files, or `estimated` from the shape."""

    shape: Shape
    format: Format
    weights: Parts
    is_estimated: bool = True


def estimated(shape: Shape, form: Format) -> Checkpoint:
    """The checkpoint of `shape` in a format, by the formula above."""
    count, linear = shape.parameters, form.linear_bytes_in(shape)
    weights = Parts(
        attention_whole=count.attention_whole * linear,
        attention_split=count.attention_split * linear,
        router=count.router * PLAIN_BYTES,
        shared=count.shared * linear,
        routed=count.routed * form.expert_bytes,
        dense=count.dense * linear,
        embeddings=count.embeddings * PLAIN_BYTES,
        mtp=shape.mtp_layers * _mtp_layer_bytes(shape, form),
    )
    return Checkpoint(shape, form, weights)


def _mtp_layer_bytes(shape: Shape, form: Format) -> float:
    """The projection, the router and both embeddings of an MTP layer are bf16 in every format."""
    layer = shape.layer
    plain = layer.router + 2 * shape.hidden**2 + 2 * shape.head
    return (layer.total - layer.router) * form.mtp_bytes + plain * PLAIN_BYTES
