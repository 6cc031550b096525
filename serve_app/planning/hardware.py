"""Which GPUs there are: `8xH200`, `2x8xH100-80`, or what a Ray cluster has."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from serve_app.checking.problem import nearest
from serve_app.core.layout import Hardware
from serve_app.planning.errors import PlanError
from serve_app.planning.gpus import ALIASES, GPUS, Row

CLUSTER = "cluster"
HOW = "write 8xH200, 2x8xH100-80 (nodes × GPUs × kind), or cluster"
_WORDS = re.compile(r"(?:([1-9]\d*)[x×*])?([1-9]\d*)[x×*]([A-Za-z][\w-]*|4090)")
_LABEL = "accelerator_type:"


def hardware_of(text: str) -> Hardware:
    """The hardware that `--on` names; raises `PlanError`."""
    if text == CLUSTER:
        return of_nodes(_alive_nodes())
    found = _WORDS.fullmatch(text)
    if found is None:
        raise PlanError(f"--on {text}: {HOW}")
    nodes, gpus, name = found.groups()
    return _hardware(row_of(name), int(nodes or 1), int(gpus))


def _alive_nodes() -> Iterable[Mapping[str, float]]:
    from serve_app.serving.nodes import alive_nodes  # noqa: PLC0415 - imports Ray

    try:
        return alive_nodes()
    except ConnectionError as error:
        how = "start one, or name the hardware, as in 8xH200"
        raise PlanError(f"--on cluster: no Ray cluster is running here; {how}") from error


def row_of(name: str) -> Row:
    """The table's row of a GPU, in any spelling of its name."""
    known = {_plain(word): word for word in (*GPUS, *ALIASES)}
    word = known.get(_plain(name))
    if word is None:
        near = nearest(name.upper(), GPUS) or f"; known are {', '.join(GPUS)}"
        raise PlanError(f"--on: there are no figures for a GPU {name}{near}")
    return GPUS[ALIASES.get(word, word)]


def of_nodes(nodes: Iterable[Mapping[str, float]]) -> Hardware:
    """The largest set of equal nodes among the resources that Ray lists; raises `PlanError`."""
    kinds = Counter(kind for node in nodes if (kind := _kind(node)))
    if not kinds:
        raise PlanError("--on cluster: no node of it has a GPU; name the hardware, as in 8xH200")
    (label, gpus), count = max(kinds.items(), key=lambda entry: entry[0][1] * entry[1])
    row = next((row for row in GPUS.values() if label in row.ray_names), None)
    if row is None:
        words = f"there are no figures for its GPU {label}; known are {', '.join(GPUS)}"
        raise PlanError(f"--on cluster: {words}")
    return _hardware(row, count, gpus)


def _kind(node: Mapping[str, float]) -> tuple[str, int] | None:
    """What Ray calls the GPUs of a node, the longest name first, and how many it has."""
    labels = [name.removeprefix(_LABEL) for name in node if name.startswith(_LABEL)]
    gpus = int(node.get("GPU", 0))
    return (max(labels, key=len), gpus) if gpus and labels else None


def _hardware(row: Row, nodes: int, gpus: int) -> Hardware:
    return Hardware(row.gpu, nodes, gpus, row.network_bytes_per_s)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
