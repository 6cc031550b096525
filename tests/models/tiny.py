"""The smallest folder that counts as a checkpoint."""

import json


def safetensors(payload: bytes = b"\0" * 64) -> bytes:
    spec = {"dtype": "U8", "shape": [len(payload)], "data_offsets": [0, len(payload)]}
    header = json.dumps({"w": spec}).encode()
    return len(header).to_bytes(8, "little") + header + payload


CHECKPOINT = {
    "config.json": b'{"model_type": "llama"}',
    "tokenizer.json": b"{}",
    "model.safetensors": safetensors(),
}

SHARDS = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
SHARDED = {
    "config.json": CHECKPOINT["config.json"],
    "tokenizer.model": b"pieces",
    "model.safetensors.index.json": json.dumps(SHARDS).encode(),
    "model-1.safetensors": safetensors(),
    "model-2.safetensors": safetensors(),
}


def write(folder, files=CHECKPOINT):
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder
