"""Text of a known length in tokens, without the model's tokenizer.

Words of at most three letters that everybody writes are one token each, with the space
before them, in the vocabularies of today's models; so n words are n tokens. What a server
counted is in its answer's usage and is what the report shows. With the model's tokenizer
at hand, only words that are one token in it are used.
"""

import random
from pathlib import Path

from serve_app.bench.errors import BenchError
from serve_app.models.cache import root

_COMMON = """
the of and to in is it he was for on are as his at be by had not but all we an can out up do if so
her has him two way may use man day get see now new old any our how who did its let say she own too
big end far few got saw set off put run men sun war why try ask eat air boy car cut dog eye fly god
hot job law lot map oil pay red sea sit six sky son tax ten top van win yes yet age ago act add arm
art bad bag bar bed bit box buy cup die dry due ear egg fan fat fit fun gas gun hat hit ice joy kid
lay led leg lie lip log low mad mix mud net nor nut one pan pen per pet pie pin pop pot raw rid row
sad sir tea tie tin tip toe ton toy via wet won
"""
COMMON = tuple(_COMMON.split())
_FILE = "tokenizer.json"


class Words:
    """A vocabulary in which every word is one token."""

    def __init__(self, vocabulary: tuple[str, ...] = COMMON) -> None:
        self._vocabulary = vocabulary

    def text(self, tokens: int, dice: random.Random) -> str:
        """So many words, as `dice` picks them."""
        return " ".join(dice.choices(self._vocabulary, k=tokens))


def dice_of(*seed: object) -> random.Random:
    """Equal seeds, equal throws: on any machine, in any process."""
    return random.Random(repr(seed))  # noqa: S311 - prompts and arrivals, no secrets


def words_of(name: str) -> Words:
    """Words that are one token for a tokenizer: a folder, a fetched model, or a hub's id."""
    from tokenizers import Tokenizer  # noqa: PLC0415 - comes with vLLM

    folders = (Path(name).expanduser(), root() / name)
    files = [str(folder / _FILE) for folder in folders if (folder / _FILE).is_file()]
    load, source = (Tokenizer.from_file, files[0]) if files else (Tokenizer.from_pretrained, name)
    try:
        known = load(source)
    except Exception as error:
        raise BenchError(
            f"--tokenizer {name} cannot be read ({error}): give a folder with {_FILE}, or "
            "leave the option out"
        ) from error
    vocabulary = tuple(word for word in COMMON if len(known.encode(f" {word}").tokens) == 1)
    if not vocabulary:
        raise BenchError(f"no common word is one token for {name}: leave --tokenizer out")
    return Words(vocabulary)
