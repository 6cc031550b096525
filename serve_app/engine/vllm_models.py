"""vLLM 0.32's architectures and quantisation methods as data, to be asked in milliseconds.

From the file beside this one: `version V`, `architecture NAME`, `suffix NAME` (an architecture
may end in another suffix of these, and is converted), `method NAME CAPABILITY`, the least
compute capability that the method says it runs on (its config's `get_min_capability`). A test
compares it with the installed vLLM.
"""

from importlib.resources import files

from serve_app.core.preflight.support import Supported

_LIST = files("serve_app.engine").joinpath("vllm_models.txt").read_text(encoding="utf-8")
_ROWS = [line.split() for line in _LIST.splitlines()]

SUFFIXES = tuple(row[1] for row in _ROWS if row[0] == "suffix")
SUPPORTED = Supported(
    version=next(row[1] for row in _ROWS if row[0] == "version"),
    architectures=frozenset(row[1] for row in _ROWS if row[0] == "architecture"),
    methods={row[1]: int(row[2]) for row in _ROWS if row[0] == "method"},
)


def known_as(architecture: str) -> str:
    """The name under which vLLM has it, or the same name where it has none.

    >>> known_as("LlamaForSequenceClassification")
    'LlamaForCausalLM'
    """
    if architecture in SUPPORTED.architectures:
        return architecture
    suffix = next((word for word in SUFFIXES if architecture.endswith(word)), "")
    if not suffix:
        return architecture
    stem = architecture.removesuffix(suffix)
    candidates = (stem + other for other in SUFFIXES)
    return next((name for name in candidates if name in SUPPORTED.architectures), architecture)
