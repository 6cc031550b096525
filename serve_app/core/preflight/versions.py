"""Whether the nodes of one engine run the same software.

Ranks pickle objects for each other and speak NCCL: what differs shows as a hang or a crash in
the middle of loading.
"""

from collections.abc import Sequence

from serve_app.core.preflight.finding import Finding, Findings
from serve_app.core.preflight.node import NodeFacts

ABSENT = "none"


def version_findings(nodes: Sequence[NodeFacts]) -> Findings:
    """Names of which not all nodes have the same version; the first node sets the measure."""
    names = dict.fromkeys(name for node in nodes for name in node.versions)
    for name in names:
        found: dict[str, list[str]] = {}
        for node in nodes:
            found.setdefault(node.versions.get(name, ABSENT), []).append(node.address)
        if len(found) > 1:
            said = ", ".join(f"{version} on {_addresses(at)}" for version, at in found.items())
            message = f"{name} differs between the nodes of one engine ({said}): install one"
            yield Finding("versions", message)


def _addresses(addresses: Sequence[str]) -> str:
    if len(addresses) > 2:
        return f"{', '.join(addresses[:2])} and {len(addresses) - 2} more"
    return " and ".join(addresses)
