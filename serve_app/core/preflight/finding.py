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

    fatal: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """Everything fatal as one line: pages and logs show a line."""
        if len(self.fatal) == 1:
            return self.fatal[0]
        return "; ".join(f"({n}) {message}" for n, message in enumerate(self.fatal, 1))


def verdict(
    findings: Iterable[Finding], *, warn_only: Sequence[Check] = (), skipped: Iterable[str] = ()
) -> Verdict:
    """Sort findings; those of the checks in `warn_only` stop nothing."""
    sorted_out = [
        replace(finding, is_fatal=finding.is_fatal and finding.check not in warn_only)
        for finding in findings
    ]
    return Verdict(
        tuple(finding.message for finding in sorted_out if finding.is_fatal),
        tuple(finding.message for finding in sorted_out if not finding.is_fatal),
        tuple(dict.fromkeys(skipped)),
    )
