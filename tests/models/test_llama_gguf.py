import json

import numpy as np
import pytest
from gguf import GGUFWriter
from tokenizers import Tokenizer

from serve_app.models import checkpoint
from serve_app.models.llama_gguf import convert

HEADS, KV_HEADS, HIDDEN = 4, 2, 32
TOKENS = ["<|end|>", "<|start|>", *"Ġab12", "ab", "ĠĠ"]
ROWS = {"attn_q": HIDDEN, "attn_k": HIDDEN // 2, "attn_v": HIDDEN // 2}


def random_weights(*shape):
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def interleaved(rows, heads):
    """How llama.cpp's converter stores q and k: first and second half of a head in turns."""
    return rows.reshape(heads, 2, -1, HIDDEN).swapaxes(1, 2).reshape(rows.shape)


@pytest.fixture
def folder(tmp_path):
    file = tmp_path / "tiny.gguf"
    writer = GGUFWriter(file, "llama")
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(8)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3, 3] + [1] * (len(TOKENS) - 2))
    writer.add_token_merges(["a b", "Ġ Ġ"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(0)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(0)
    writer.add_chat_template("{{ messages }}")
    writer.add_tensor("token_embd.weight", random_weights(len(TOKENS), HIDDEN))
    heads = {"attn_q": HEADS, "attn_k": KV_HEADS}
    for part, rows in ROWS.items():
        weights = random_weights(rows, HIDDEN)
        stored = interleaved(weights, heads[part]) if part in heads else weights
        writer.add_tensor(f"blk.0.{part}.weight", np.ascontiguousarray(stored))
    writer.add_tensor("output_norm.weight", np.array([1.0, 1 / 3, -2.5] + [0.0] * 29, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    made = tmp_path / "model"
    made.mkdir()
    convert(file, made)
    return made


def read(folder, name):
    stored = (folder / "model.safetensors").read_bytes()
    length = int.from_bytes(stored[:8], "little")
    spec = json.loads(stored[8 : 8 + length])[name]
    begin, end = (8 + length + offset for offset in spec["data_offsets"])
    bits = np.frombuffer(stored[begin:end], np.uint16).astype(np.uint32) << 16
    return bits.view(np.float32).reshape(spec["shape"])


def test_the_result_is_a_whole_checkpoint_with_tied_embeddings(folder):
    checkpoint.check(folder)
    config = json.loads((folder / "config.json").read_bytes())
    assert (config["num_key_value_heads"], config["tie_word_embeddings"]) == (KV_HEADS, True)


@pytest.mark.parametrize("part", ROWS)
def test_each_head_has_its_two_halves_one_after_the_other_again(folder, part):
    found = read(folder, f"model.layers.0.self_attn.{part[-1]}_proj.weight")
    assert np.allclose(found, random_weights(ROWS[part], HIDDEN), rtol=2**-8)


def test_numbers_are_rounded_to_the_nearest_bfloat16(folder):
    assert read(folder, "model.norm.weight")[:3].tolist() == [1.0, 0.333984375, -2.5]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        pytest.param("ab", ["ab"], id="merges are kept"),
        pytest.param("12", ["1", "2"], id="digits one by one"),
        pytest.param("a  1", ["a", "ĠĠ", "1"], id="and apart from the spaces before them"),
        pytest.param("<|start|>a", ["<|start|>", "a"], id="control tokens are one token"),
    ],
)
def test_text_is_cut_as_the_file_says(folder, text, tokens):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert tokenizer.encode(text).tokens == tokens
