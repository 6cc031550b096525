"""What tokens cost: an API's price per token, or a machine's price per hour."""

from dataclasses import dataclass

from serve_app.checking.question import pairs, positive

KINDS = ("input", "output", "hour")


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens in and out, and per hour that the target runs."""

    input: float = 0.0
    output: float = 0.0
    hour: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "Price":
        """`input=0.27,output=1.10`, or `hour=24`."""
        return cls(**{kind: positive(value, kind) for kind, value in pairs(text, KINDS).items()})

    def dollars(self, *, input_tokens: int, output_tokens: int, duration_s: float) -> float:
        """The bill for so many tokens in so much time.

        >>> Price(input=1.0, hour=2.0).dollars(input_tokens=10**6, output_tokens=0, duration_s=1800)
        2.0
        """
        tokens = self.input * input_tokens + self.output * output_tokens
        return tokens / 1e6 + self.hour * duration_s / 3600
