"""How far a run is: a bar while it lasts, and a line for each measurement, on stderr."""

import math
import sys
from types import TracebackType
from typing import Self

from tqdm import tqdm

from serve_app.bench.answer import Measurement
from serve_app.bench.metrics import summary
from serve_app.bench.slo import Slo


class Progress:
    """Counts answers; on something that is no terminal only the lines remain."""

    def __init__(self, requests: int, rounds: int) -> None:
        self._rounds = rounds
        self.bar = tqdm(total=requests, unit=" requests", disable=None, dynamic_ncols=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.close()

    def begin(self, title: str) -> None:
        """What is being done now."""
        self.bar.set_description(title)

    def end(self, measurement: Measurement) -> None:
        """A line that stays."""
        numbers = summary([measurement], Slo())
        say(
            f"round {measurement.round + 1}/{self._rounds}  {measurement.level}  "
            f"{measurement.target}: {numbers['requests']} requests in "
            f"{measurement.duration_s:.1f} s, {numbers['output_tokens_per_s']:.0f} tokens/s, "
            f"TTFT p50 {numbers.get('ttft_p50_s', math.nan) * 1e3:.1f} ms, "
            f"{numbers['errors']} errors"
        )


def say(line: str) -> None:
    """A line on stderr, above the bar if there is one."""
    tqdm.write(line, file=sys.stderr)
