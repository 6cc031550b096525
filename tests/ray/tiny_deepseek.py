"""A DeepSeek-V3 in miniature: the real architecture and tokenizer layout, 7 MB of seeded weights.

MLA with the real latent (512) and rope (64) sizes, because kernels are made for these; two
groups of experts, a dense first layer, 4 heads to split. Its answers are nonsense, but no
coin toss: only the 64 letters of `SAYS` have rows in the output matrix, and the rows are
long, so the best token leads by far more than float32 noise, no answer ends before
max_tokens, and every answer is plain text.
"""

import string
import sys
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM, PreTrainedTokenizerFast

BEGIN, END, USER, ASSISTANT = (
    "<｜begin▁of▁sentence｜>",
    "<｜end▁of▁sentence｜>",
    "<｜User｜>",
    "<｜Assistant｜>",
)
TOOLS = (
    "<｜tool▁calls▁begin｜>",
    "<｜tool▁calls▁end｜>",
    "<｜tool▁call▁begin｜>",
    "<｜tool▁call▁end｜>",
    "<｜tool▁outputs▁begin｜>",
    "<｜tool▁outputs▁end｜>",
    "<｜tool▁output▁begin｜>",
    "<｜tool▁output▁end｜>",
    "<｜tool▁sep｜>",
)
SPECIAL = (BEGIN, END, USER, ASSISTANT, *TOOLS, "<think>", "</think>")
BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
VOCABULARY = {token: index for index, token in enumerate((*SPECIAL, *BYTES))}
SAYS = string.ascii_letters + string.digits + ".,"

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'user' %}<｜User｜>{{ m.content }}"
    "{% elif m.role == 'assistant' %}<｜Assistant｜>{{ m.content }}{{ eos_token }}"
    "{% else %}{{ m.content }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<｜Assistant｜>{% endif %}"
)

CONFIG = DeepseekV3Config(
    vocab_size=len(VOCABULARY),
    bos_token_id=VOCABULARY[BEGIN],
    eos_token_id=VOCABULARY[END],
    max_position_embeddings=4096,
    # As in DeepSeek-V3. Without yarn, vLLM 0.32 rotates MLA's queries wrongly on a CPU.
    rope_parameters={
        "rope_type": "yarn",
        "rope_theta": 10_000.0,
        "factor": 4.0,
        "original_max_position_embeddings": 1024,
        "beta_fast": 32,
        "beta_slow": 1,
        "mscale": 1.0,
        "mscale_all_dim": 1.0,
    },
    hidden_size=128,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=4,
    q_lora_rank=96,
    kv_lora_rank=512,
    qk_rope_head_dim=64,
    qk_nope_head_dim=32,
    v_head_dim=64,
    intermediate_size=256,
    first_k_dense_replace=1,
    moe_intermediate_size=64,
    n_routed_experts=8,
    n_shared_experts=1,
    num_experts_per_tok=2,
    n_group=2,
    topk_group=1,
    topk_method="noaux_tc",  # vLLM asks for both by name; transformers takes them as given
    scoring_func="sigmoid",
    num_nextn_predict_layers=0,
    initializer_range=128**-0.5,  # keeps activations near 1, so that every layer counts
)


def write(folder: Path) -> None:
    """Make `folder` a checkpoint; the same one every time."""
    torch.manual_seed(0)
    model = DeepseekV3ForCausalLM(CONFIG)
    rows = model.lm_head.weight.detach()
    silent = [index for token, index in VOCABULARY.items() if token not in SAYS]
    rows[silent] = 0.0
    rows *= 10.0
    model.save_pretrained(folder)
    _tokenizer().save_pretrained(folder)


def _tokenizer() -> PreTrainedTokenizerFast:
    """One token per byte: no merges, hence no training and no corpus."""
    tokenizer = Tokenizer(models.BPE(vocab=VOCABULARY, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token) for token in SPECIAL])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=END,
        chat_template=CHAT_TEMPLATE,
    )


if __name__ == "__main__":
    write(Path(sys.argv[1]))
