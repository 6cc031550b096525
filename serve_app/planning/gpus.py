"""Every figure about a GPU, and where it is from.

Memory is the decimal number of the data sheet. Drivers report up to 7 % more, so that a plan
errs on the safe side. Flops are dense. Links are of one direction: half of what data sheets
call NVLink's bandwidth; PCIe where there is none. FP8 of 0 is: weights are widened to bf16.
"""

from dataclasses import dataclass

from serve_app.core.layout import Gpu

GB, TB, TFLOPS = 1e9, 1e12, 1e12


@dataclass(frozen=True, slots=True)
class Row:
    """A GPU, whether DeepSeek's sparse attention (V3.2) runs on it, what Ray calls it."""

    gpu: Gpu
    has_sparse_attention: bool
    network_bytes_per_s: float  # of one GPU, where nodes are built as the vendor's reference is
    ray_names: tuple[str, ...]
    source: str

    @property
    def is_amd(self) -> bool:
        return self.ray_names[0].startswith("AMD")


def _row(
    name: str,
    memory_gb: float,
    bandwidth_tb: float,
    tflops: tuple[float, float, float],
    link_gb: float,
    *,
    network_gb: float,
    ray: tuple[str, ...],
    source: str,
    sparse: bool = False,
) -> Row:
    bf16, fp8, fp4 = (value * TFLOPS for value in tflops)
    gpu = Gpu(name, memory_gb * GB, bandwidth_tb * TB, bf16, fp8, fp4, link_gb * GB)
    return Row(gpu, sparse, network_gb * GB, ray, source)


# Network: one port per GPU, of 400 Gb/s with Hopper, 800 with Blackwell, 200 with Ampere;
# without NVLink 200, which such machines often lack.
ROWS = (
    _row(
        "H200",
        141,
        4.8,
        (989, 1979, 0),
        450,
        network_gb=50,
        ray=("H200",),
        sparse=True,
        source="NVIDIA H200 SXM data sheet",
    ),
    _row(
        "H100-80",
        80,
        3.35,
        (989, 1979, 0),
        450,
        network_gb=50,
        ray=("H100",),
        sparse=True,
        source="NVIDIA H100 SXM data sheet",
    ),
    _row(
        "B200",
        180,
        8.0,
        (2250, 4500, 9000),
        900,
        network_gb=100,
        ray=("B200",),
        sparse=True,
        source="NVIDIA DGX B200 data sheet: 1440 GB and 64 TB/s for eight",
    ),
    _row(
        "A100-80",
        80,
        2.039,
        (312, 0, 0),
        300,
        network_gb=25,
        ray=("A100-80G", "A100"),
        source="NVIDIA A100 SXM data sheet",
    ),
    _row(
        "A100-40",
        40,
        1.555,
        (312, 0, 0),
        300,
        network_gb=25,
        ray=("A100-40G",),
        source="NVIDIA A100 SXM data sheet",
    ),
    _row(
        "MI300X",
        192,
        5.3,
        (1307.4, 2614.9, 0),
        448,
        network_gb=50,
        ray=("AMD-Instinct-MI300X-OAM", "AMD-Instinct-MI300X-HF"),
        source="AMD Instinct MI300X data sheet; seven links of 64 GB/s",
    ),
    _row(
        "L40S",
        48,
        0.864,
        (362.05, 733, 0),
        32,
        network_gb=25,
        ray=("L40S",),
        source="NVIDIA L40S data sheet; PCIe 4.0 ×16",
    ),
    _row(
        "L4",
        24,
        0.3,
        (121, 242, 0),
        32,
        network_gb=25,
        ray=("L4",),
        source="NVIDIA L4 data sheet, without sparsity; PCIe 4.0 ×16",
    ),
    _row(
        "RTX4090",
        24,
        1.008,
        (165.2, 330.3, 0),
        32,
        network_gb=25,
        ray=("GeForce-RTX-4090",),
        source="NVIDIA Ada architecture white paper, with FP32 accumulation; PCIe 4.0 ×16",
    ),
)

GPUS = {row.gpu.name: row for row in ROWS}
ALIASES = {"H100": "H100-80", "A100": "A100-80", "4090": "RTX4090", "H200-141": "H200"}
