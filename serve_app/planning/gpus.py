"""Every figure about a GPU, and where it is from.

Memory is what CUDA reports, since that is what `gpu_memory_utilization` is a share of: the smallest
"total capacity" that PyTorch was seen to name, more than the GB of the data sheet and less than the
same number of GiB. Flops are dense; FP8 or FP4 of 0 is that weights are widened
to bf16. Links are of one direction: half of what data sheets call NVLink's bandwidth, PCIe 4.0
×16 where there is none. The network is one port for each GPU, of 400 Gb/s with Hopper, 800 with
Blackwell, 200 with the rest, which often lack it.
"""

from dataclasses import dataclass

from serve_app.core.layout import Gpu

# GiB, TB/s; TFLOPS in bf16, fp8, fp4; GB/s to GPUs of the node, and to other nodes; the source.
_TABLE = """
H200     139.7  4.8    989     1979    0      450  50   NVIDIA H200 SXM data sheet
H100-80  79.1   3.35   989     1979    0      450  50   NVIDIA H100 SXM data sheet
B200     178.3  8.0    2250    4500    9000   900  100  NVIDIA DGX B200 data sheet, an eighth of it
B300     267.6  7.75   2250    4500    14000  900  100  NVIDIA Blackwell Ultra data sheet
A100-80  79.1   2.039  312     0       0      300  25   NVIDIA A100 SXM data sheet
A100-40  39.2   1.555  312     0       0      300  25   NVIDIA A100 SXM data sheet
MI300X   191.6  5.3    1307.4  2614.9  0      448  50   AMD Instinct MI300X data sheet; 7 × 64 GB/s
L40S     44.3   0.864  362.05  733     0      32   25   NVIDIA L40S data sheet
L4       22.0   0.3    121     242     0      32   25   NVIDIA L4 data sheet, without sparsity
RTX4090  23.5   1.008  165.2   330.3   0      32   25   NVIDIA Ada white paper, FP32 accumulation
"""

ALIASES = {"H100": "H100-80", "A100": "A100-80", "4090": "RTX4090"}

# ray.util.accelerators, and what Ray makes of a name that is not there.
_RAY_NAMES = {
    "H100-80": ("H100",),
    "A100-80": ("A100-80G", "A100"),
    "A100-40": ("A100-40G",),
    "MI300X": ("AMD-Instinct-MI300X-OAM", "AMD-Instinct-MI300X-HF"),
    "RTX4090": ("GeForce-RTX-4090",),
}
_SPARSE = ("H100-80", "H200", "B200", "B300")  # where DeepSeek's sparse attention runs


@dataclass(frozen=True, slots=True)
class Row:
    """A GPU, how it reaches other nodes, what Ray calls it, and where the figures are from."""

    gpu: Gpu
    network_bytes_per_s: float
    source: str

    @property
    def ray_names(self) -> tuple[str, ...]:
        return _RAY_NAMES.get(self.gpu.name, (self.gpu.name,))

    @property
    def has_sparse_attention(self) -> bool:
        return self.gpu.name in _SPARSE

    @property
    def is_amd(self) -> bool:
        return self.source.startswith("AMD")


def _row(line: str) -> Row:
    name, *figures, source = line.split(maxsplit=8)
    memory, bandwidth, bf16, fp8, fp4, link, network = map(float, figures)
    gpu = Gpu(
        name=name,
        memory_bytes=memory * 2**30,
        bandwidth_bytes_per_s=bandwidth * 1e12,
        bf16_flops=bf16 * 1e12,
        fp8_flops=fp8 * 1e12,
        fp4_flops=fp4 * 1e12,
        link_bytes_per_s=link * 1e9,
    )
    return Row(gpu, network * 1e9, source)


ROWS = tuple(map(_row, _TABLE.strip().splitlines()))
GPUS = {row.gpu.name: row for row in ROWS}
