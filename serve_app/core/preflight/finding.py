"""One thing that a check has found."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Check = Literal[
    "checkpoint",
    "context",
    "disk",
    "gpu_memory",
    "placement",
    "ports",
    "shared_memory",
    "support",
    "versions",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """`message` is a sentence without a full stop. What is not fatal goes to the log."""

    check: Check
    message: str
    is_fatal: bool = True


Findings = Iterator[Finding]


@dataclass(frozen=True, slots=True)
class Verdict:
    """All that the checks have found, sorted by what follows from it. `skipped` are checks that
    could not be made, and why."""

    fatal: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """Everything fatal as one line: pages and logs show a line."""
        said = [finding.message for finding in self.fatal]
        numbered = [f"({number}) {message}" for number, message in enumerate(said, 1)]
        return "; ".join(numbered if len(said) > 1 else said)


def verdict(
    findings: Iterable[Finding], *, warn_only: Sequence[Check] = (), skipped: Iterable[str] = ()
) -> Verdict:
    """Sort findings; those of the checks in `warn_only` stop nothing."""
    sorted_out = [
        replace(finding, is_fatal=finding.is_fatal and finding.check not in warn_only)
        for finding in findings
    ]
    return Verdict(
        tuple(finding for finding in sorted_out if finding.is_fatal),
        tuple(finding for finding in sorted_out if not finding.is_fatal),
        tuple(dict.fromkeys(skipped)),
    )
