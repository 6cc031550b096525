"""A dense model of a billion parameters for `load_format: dummy`: its shape, and no weights.

    python tests/gpu/dummy_model.py [CHECKPOINT]

Llama's shape (Llama 3.2 1B) with the tokenizer and chat template of CHECKPOINT, which is
SmolLM2 unless said otherwise. It goes into the model cache, where a name needs no weights.
"""

import json
import shutil
import sys
from pathlib import Path

from serve_app.models.cache import place, root
from serve_app.models.smollm2 import NAME as SMOLLM2

NAME = "dummy-dense-1b"
COPIED = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
SHAPE = {
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "max_position_embeddings": 8192,
}


def write(source: Path, folder: Path) -> None:
    """Write config.json into `folder`, and copy what turns text into tokens from `source`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        shutil.copy(source / name, folder / name)
    config = json.loads((source / "config.json").read_text()) | SHAPE
    (folder / "config.json").write_text(json.dumps(config, indent=1))


if __name__ == "__main__":
    cache = root()
    target = place(NAME, cache)
    write(Path(sys.argv[1]) if sys.argv[1:] else place(SMOLLM2, cache), target)
    print(f"{NAME} is in {target}")
