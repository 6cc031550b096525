"""What a gateway learns of how much its replicas carry."""

import math

import pytest

from serve_app.core.carried import Carried
from serve_app.core.report import ReplicaLoad


def busy(running: int) -> ReplicaLoad:
    """A token takes 10 ms alone and 1 ms more for each beside it, so that ten are in time."""
    tpot_s = 0.010 + 0.001 * running
    return ReplicaLoad(running, 100, 0.0, slow_tpot_s=tpot_s, alone_tpot_s=0.010)


def test_what_replicas_report_tells_what_they_carry() -> None:
    carried = Carried(0.05)
    for second in range(10):
        carries = carried.hear([busy(5), busy(8)], now=float(second))
    assert carries == pytest.approx(10.0)
    assert "0.05 late" in repr(carried)


def test_without_reports_or_a_share_that_may_be_late_it_is_any_number() -> None:
    assert Carried(0.05).hear([], now=0.0) == math.inf
    never = Carried(0.0)
    for second in range(10):
        assert never.hear([busy(50)], now=float(second)) == math.inf


def test_a_long_silence_is_no_long_evidence() -> None:
    """A report stands for five seconds, however late the next one comes."""
    brief, long = Carried(0.05), Carried(0.05)
    for carried, pause_s in ((brief, 5.0), (long, 500.0)):
        carried.hear([busy(2)], now=0.0)
        carried.hear([busy(2)], now=pause_s)
    assert brief.hear([busy(8)], now=6.0) == long.hear([busy(8)], now=501.0)
