"""DeepSeek-V3 and GPUs, for the tests of plans. Sizes as in its config.json."""

from dataclasses import replace

from serve_app.core.attention import GroupedHeads, Indexer, Latent
from serve_app.core.compressed import Compressed
from serve_app.core.layout import Candidate, Gpu, Hardware, Layout, Settings
from serve_app.core.shape import Experts, Shape
from serve_app.core.weights import FP8, Format, estimated

LATENT = Latent(heads=128, q_rank=1536, kv_rank=512, nope=128, rope=64, value=128)
V3 = Shape(
    name="V3",
    layers=61,
    hidden=7168,
    vocab=129280,
    width=18432,
    attention=LATENT,
    max_model_len=163840,
    experts=Experts(routed=256, per_token=8, shared=1, width=2048, dense_layers=3),
    mtp_layers=1,
)
V32 = replace(V3, name="V3.2", attention=replace(LATENT, indexer=Indexer(64, 128, 2048)))
V4_FLASH = Shape(
    name="V4-Flash",
    layers=43,
    hidden=4096,
    vocab=129280,
    width=0,
    attention=Compressed(64, 1024, 512, 8, 1024, Indexer(64, 128, 512), 128, 43, 21, 20),
    max_model_len=1048576,
    experts=Experts(routed=256, per_token=6, shared=1, width=2048, dense_layers=0),
    mtp_layers=1,
)
V4_PRO = Shape(
    name="V4-Pro",
    layers=61,
    hidden=7168,
    vocab=129280,
    width=0,
    attention=Compressed(128, 1536, 512, 16, 1024, Indexer(64, 128, 1024), 128, 61, 30, 31),
    max_model_len=1048576,
    experts=Experts(routed=384, per_token=6, shared=1, width=3072, dense_layers=0),
    mtp_layers=1,
)
LLAMA_8B = Shape("Llama", 32, 4096, 128256, 14336, GroupedHeads(32, 8, 128), 131072)

H100 = Gpu("H100-80", 80e9, 3.35e12, 989e12, 1979e12, 0, 450e9)
H200 = Gpu("H200", 141e9, 4.8e12, 989e12, 1979e12, 0, 450e9)
B200 = Gpu("B200", 180e9, 8e12, 2250e12, 4500e12, 9000e12, 900e9)
A100 = Gpu("A100-80", 80e9, 2.039e12, 312e12, 0, 0, 300e9)

TWO_NODES_OF_H100 = Hardware(H100, 2, 8, 50e9)


def node(gpu: Gpu, gpus: int = 8) -> Hardware:
    return Hardware(gpu, 1, gpus, 50e9)


def candidate(
    layout: Layout,
    hardware: Hardware,
    *,
    shape: Shape = V3,
    form: Format = FP8,
    settings: Settings | None = None,
) -> Candidate:
    """With the settings of deployments/deepseek.yaml; data ranks share the chunk."""
    chunk = 8192 // layout.data
    default = Settings(65_536, max_num_batched_tokens=chunk)
    return Candidate(estimated(shape, form), layout, settings or default, hardware)
