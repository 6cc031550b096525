"""Ray Serve's delays, which lie between any policy and the replicas that are ordered."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delays:
    """`upscale_delay_s`, `downscale_delay_s`, and `downscale_to_zero_delay_s`, which is as long
    as the second one where it is None."""

    up_s: float = 30.0
    down_s: float = 600.0
    to_zero_s: float | None = None

    def down_from(self, ordered: int) -> float:
        return self.down_s if ordered > 1 or self.to_zero_s is None else self.to_zero_s


class Delay:
    """`_apply_delay_logic` of Serve 2.60: a change must be wanted for so long without a break,
    and then what is wanted at that moment is taken. From one replica it may go to none."""

    def __init__(self, delays: Delays = Delays()) -> None:
        self._delays = delays
        self._direction = 0
        self._since = 0.0

    def replicas(self, wanted: int, ordered: int, *, now: float) -> int:
        """What is ordered, where `wanted` would be and `ordered` is."""
        direction = (wanted > ordered) - (wanted < ordered)
        if direction != self._direction:
            self._direction, self._since = direction, now
        delay_s = self._delays.up_s if direction > 0 else self._delays.down_from(ordered)
        if not direction or now - self._since + 1e-6 < delay_s:
            return ordered
        self._direction = 0
        return wanted if direction > 0 or ordered == 1 else max(1, wanted)
