"""What follows from findings."""

from serve_app.core.preflight.finding import Finding, Verdict, verdict

FULL = Finding("disk", "the disk is full")
SMALL = Finding("context", "the cache is small")
SLOW = Finding("support", "it will be slow", is_fatal=False)


def test_one_finding_is_the_message() -> None:
    assert verdict([FULL]).message == "the disk is full"


def test_several_are_one_line_and_numbered() -> None:
    assert verdict([FULL, SLOW, SMALL]).message == "(1) the disk is full; (2) the cache is small"


def test_what_is_not_fatal_or_not_to_be_stops_nothing() -> None:
    found = verdict([FULL, SLOW], warn_only=["disk"], skipped=["no driver", "no driver"])

    assert found.fatal == ()
    assert found.message == ""
    assert [finding.message for finding in found.warnings] == [FULL.message, SLOW.message]
    assert found.skipped == ("no driver",)


def test_nothing_found_is_nothing_said() -> None:
    assert verdict([]) == Verdict()
