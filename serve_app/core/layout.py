"""How an engine lies on GPUs: the hardware, the ways to divide a model, what vLLM is told."""

import math
from dataclasses import dataclass

from serve_app.core.shape import Shape
from serve_app.core.weights import Checkpoint


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU, by its data sheet: dense flops, one direction of its links. 0 is: has none."""

    name: str
    memory_bytes: float
    bandwidth_bytes_per_s: float
    bf16_flops: float
    fp8_flops: float
    fp4_flops: float
    link_bytes_per_s: float

    def flops(self, math_in: str) -> float:
        """In fp4, fp8 or bf16; weights in what it cannot multiply are widened to bf16 first."""
        native = {"fp4": self.fp4_flops, "fp8": self.fp8_flops}
        return native.get(math_in, 0.0) or self.bf16_flops


@dataclass(frozen=True, slots=True)
class Hardware:
    """Equal nodes of equal GPUs."""

    gpu: Gpu
    nodes: int
    gpus_per_node: int
    network_bytes_per_s: float  # of one GPU to other nodes

    @property
    def gpus(self) -> int:
        return self.nodes * self.gpus_per_node

    def crosses_nodes(self, ranks: int) -> bool:
        return ranks > self.gpus_per_node

    def link_bytes_per_s(self, ranks: int) -> float:
        """What the slowest link of a group of so many neighbouring ranks carries."""
        across = self.crosses_nodes(ranks)
        return self.network_bytes_per_s if across else self.gpu.link_bytes_per_s


@dataclass(frozen=True, slots=True)
class Layout:
    """vLLM's parallel sizes. With experts, each lies whole on one of tensor × data ranks."""

    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    decode_context: int = 1

    @property
    def gpus(self) -> int:
        return self.tensor * self.pipeline * self.data

    @property
    def expert_ranks(self) -> int:
        return self.tensor * self.data

    def stage_layers(self, shape: Shape) -> int:
        """Layers of the largest pipeline stage."""
        return math.ceil(shape.layers / self.pipeline)

    def stage_share(self, shape: Shape) -> float:
        return self.stage_layers(shape) / shape.layers

    def __str__(self) -> str:
        sizes = {"TP": self.tensor, "PP": self.pipeline, "DP": self.data}
        words = [f"{word}{size}" for word, size in sizes.items() if size > 1] or ["TP1"]
        words += [f"DCP{self.decode_context}"] if self.decode_context > 1 else []
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Settings:
    """What vLLM is told. The numbers of sequences and tokens are those of one data rank."""

    max_model_len: int
    max_num_seqs: int = 256
    max_num_batched_tokens: int = 8192
    gpu_memory_utilization: float = 0.92
    kv_cache_dtype: str = "auto"
    has_mtp: bool = False  # one drafted token
    enforce_eager: bool = False

    @property
    def drafted(self) -> int:
        """Tokens of a sequence that a decode step computes: the next, and the drafted one."""
        return 2 if self.has_mtp else 1


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to run a checkpoint: a single engine, `layout.gpus` of the hardware's GPUs."""

    checkpoint: Checkpoint
    layout: Layout
    settings: Settings
    hardware: Hardware

    @property
    def shape(self) -> Shape:
        return self.checkpoint.shape
