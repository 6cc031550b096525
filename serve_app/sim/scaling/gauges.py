"""What a gateway and its replicas measure of their traffic: how late answers are, and how long a
token takes."""

from serve_app.core.ranks import Ranks
from serve_app.core.slot_time import SlotTime
from serve_app.sim.scaling.fleet import Rates, Slo
from serve_app.sim.traffic import Arrival

LATENESS_WINDOW_S = 30.0


class Gauges:
    """All of them, and the limits that a request has."""

    def __init__(self, rates: Rates, slo: Slo) -> None:
        self.ttft = Ranks(LATENESS_WINDOW_S)  # ÷ its limit
        self.tpot = Ranks(LATENESS_WINDOW_S)  # ÷ its limit
        self.slot_time = SlotTime()
        self._rates = rates
        self._slo = slo

    def ttft_ratio(self, ttft_s: float, arrival: Arrival) -> float:
        prefill_s = arrival.prompt_tokens / self._rates.prefill_tokens_per_s
        return ttft_s / (self._slo.ttft_s + self._slo.prefills * prefill_s)

    def tpot_ratio(self, seconds: float, tokens: int) -> float:
        """Of an answer of so many tokens whose first to last took so long."""
        limit_s = self._slo.tpot_s or self._slo.tpot_times * self._rates.alone_s
        return seconds / (tokens - 1) / limit_s if tokens > 1 and limit_s else 0.0
