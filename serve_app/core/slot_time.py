"""How long a token takes in a slot: what makes tokens per second a number of slots.

    slots in use = tokens that arrive per second × seconds in a slot per token   (Little's law)

It holds for sums and not for the mean of the calls' own ratios: in that one an answer of one
token, whose second was spent on its prompt, weighs as much as one of a thousand.
"""

FORGETS = 0.02  # what one more call weighs beside those before it


class SlotTime:
    """Seconds and tokens of calls that ended lately."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._tokens = 0.0

    def __repr__(self) -> str:
        return f"<SlotTime {self.token_s:.4f} s per token>"

    @property
    def token_s(self) -> float:
        """Seconds in a slot per token; 0 until a call has ended."""
        return self._seconds / self._tokens if self._tokens else 0.0

    def ended(self, seconds: float, sequences: int, *, tokens: int) -> None:
        """A call held `sequences` slots for so long, for `tokens` of prompt and answer; one
        without tokens says nothing."""
        if tokens:
            self._seconds += sequences * seconds - FORGETS * self._seconds
            self._tokens += tokens - FORGETS * self._tokens
