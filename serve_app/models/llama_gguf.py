"""A GGUF file of a Llama model as a Hugging Face checkpoint, de-quantised to bfloat16.

Same numbers, bit for bit, as loading the file with transformers and saving it, in a fifth
of the time, and the pre-tokeniser that the file names is kept: transformers drops it.
llama.cpp stores the rows of q and k interleaved for its rotary embedding; Hugging Face
wants the two halves of a head one after the other.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize

_OUTER = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_CONTROL = 3  # llama.cpp's token type for what is never part of a text
_DIGITS = {"type": "Digits", "individual_digits": True}
_BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
_PRE_TOKENIZERS = {"smollm": {"type": "Sequence", "pretokenizers": [_DIGITS, _BYTES]}}

Json = dict[str, Any]
Bfloat16 = np.ndarray[tuple[int, ...], np.dtype[np.uint16]]
Float32 = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def convert(file: Path, folder: Path) -> None:
    """Write config.json, model.safetensors, tokenizer and chat template into `folder`."""
    reader = GGUFReader(file)
    config = _config(reader)
    _write(folder / "config.json", config)
    _write(folder / "tokenizer.json", _tokenizer(reader))
    _write(folder / "tokenizer_config.json", _tokenizer_config(reader))
    (folder / "chat_template.jinja").write_text(_value(reader, "tokenizer.chat_template"))
    _write_safetensors(folder / "model.safetensors", dict(_tensors(reader, config)))


def _value(reader: GGUFReader, key: str) -> Any:
    field = reader.get_field(key)
    return None if field is None else field.contents()


def _config(reader: GGUFReader) -> Json:
    def read(key: str) -> Any:
        return _value(reader, f"llama.{key}")

    names = {tensor.name for tensor in reader.tensors}
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "bfloat16",
        "hidden_act": "silu",
        "hidden_size": read("embedding_length"),
        "intermediate_size": read("feed_forward_length"),
        "num_hidden_layers": read("block_count"),
        "num_attention_heads": read("attention.head_count"),
        "num_key_value_heads": read("attention.head_count_kv"),
        "max_position_embeddings": read("context_length"),
        "rms_norm_eps": read("attention.layer_norm_rms_epsilon"),
        "rope_parameters": {"rope_type": "default", "rope_theta": read("rope.freq_base")},
        "vocab_size": read("vocab_size"),
        "tie_word_embeddings": "output.weight" not in names,
        "bos_token_id": _value(reader, "tokenizer.ggml.bos_token_id"),
        "eos_token_id": _value(reader, "tokenizer.ggml.eos_token_id"),
        "pad_token_id": _value(reader, "tokenizer.ggml.padding_token_id"),
    }


def _tokenizer(reader: GGUFReader) -> Json:
    tokens: list[str] = _value(reader, "tokenizer.ggml.tokens")
    types: list[int] = _value(reader, "tokenizer.ggml.token_type")
    merges: list[str] = _value(reader, "tokenizer.ggml.merges")
    bpe = {
        "type": "BPE",
        "vocab": {token: number for number, token in enumerate(tokens)},
        "merges": [merge.split(" ") for merge in merges],
    }
    return {
        "version": "1.0",
        "added_tokens": [_added(n, tokens[n]) for n, kind in enumerate(types) if kind == _CONTROL],
        "normalizer": None,
        "pre_tokenizer": _PRE_TOKENIZERS[_value(reader, "tokenizer.ggml.pre")],
        "post_processor": None,
        "decoder": _BYTES,
        "model": bpe,
    }


def _added(number: int, token: str) -> Json:
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": number, "content": token, "special": True} | plain


def _tokenizer_config(reader: GGUFReader) -> Json:
    tokens = _value(reader, "tokenizer.ggml.tokens")
    roles = {"bos": "bos", "eos": "eos", "unknown": "unk", "padding": "pad"}
    special = {
        f"{role}_token": tokens[_value(reader, f"tokenizer.ggml.{key}_token_id")]
        for key, role in roles.items()
    }
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": _value(reader, "llama.context_length"),
        "clean_up_tokenization_spaces": False,
    } | special


def _tensors(reader: GGUFReader, config: Json) -> Iterator[tuple[str, Bfloat16]]:
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    for tensor in reader.tensors:
        name, part = _name(tensor.name)
        values = dequantize(tensor.data, tensor.tensor_type)
        yield name, _bfloat16(_halves_apart(values, heads[part]) if part in heads else values)


def _name(name: str) -> tuple[str, str]:
    """Hugging Face's name of a tensor, and llama.cpp's for the part of the layer it is."""
    *layer, part, _ = name.split(".")
    prefix = f"model.layers.{layer[1]}.{_LAYER[part]}" if layer else _OUTER[part]
    return f"{prefix}.weight", part


def _halves_apart(rows: Float32, heads: int) -> Float32:
    return rows.reshape(heads, -1, 2, rows.shape[-1]).swapaxes(1, 2).reshape(rows.shape)


def _bfloat16(values: Float32) -> Bfloat16:
    """The upper half of each float32, rounded to nearest, ties to even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def _write_safetensors(file: Path, tensors: dict[str, Bfloat16]) -> None:
    """Length of the header, header, tensors; numpy has no bfloat16, so the library cannot."""
    header: Json = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, values in sorted(tensors.items()):
        begin, end = end, end + values.nbytes
        header[name] = {"dtype": "BF16", "shape": values.shape, "data_offsets": [begin, end]}
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    with file.open("wb") as opened:
        opened.write(len(encoded).to_bytes(8, "little") + encoded)
        for _, values in sorted(tensors.items()):
            opened.write(values.data)


def _write(file: Path, content: Json) -> None:
    file.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
