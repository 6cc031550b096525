"""Prompts of a known length: one word is one token."""

from string import ascii_lowercase

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import Whitespace

from serve_app.bench.errors import BenchError
from serve_app.bench.words import COMMON, Words, dice_of, words_of
from serve_app.engine.simulated_text import tokenize


def saved_tokenizer(folder, merges):
    """Letters, and what `merges` join to one token; returns the folder."""
    tokens = [*ascii_lowercase, *("".join(pair) for pair in merges)]
    tokenizer = Tokenizer(BPE({token: number for number, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return str(folder)


@given(st.integers(1, 200), st.integers())
def test_so_many_words_are_so_many_tokens_of_the_simulated_engine(tokens, seed):
    assert len(tokenize(Words().text(tokens, dice_of(seed)))) == tokens


def test_no_word_is_there_twice():
    assert len(set(COMMON)) == len(COMMON) > 150


def test_equal_seeds_make_equal_text_and_others_make_another():
    text = Words().text(50, dice_of(1, "warm-up"))
    assert text == Words().text(50, dice_of(1, "warm-up"))
    assert text != Words().text(50, dice_of(2, "warm-up"))


def test_with_a_tokenizer_only_words_that_are_one_token_in_it_are_used(tmp_path):
    words = words_of(saved_tokenizer(tmp_path, [("t", "h"), ("th", "e"), ("o", "f")]))
    assert set(words.text(100, dice_of(0)).split()) == {"the", "of"}


def test_a_tokenizer_without_any_of_the_words_is_refused(tmp_path):
    with pytest.raises(BenchError, match="no common word is one token"):
        words_of(saved_tokenizer(tmp_path, []))


def test_a_folder_without_a_tokenizer_is_refused(tmp_path):
    with pytest.raises(BenchError, match="give a folder with"):
        words_of(str(tmp_path))
