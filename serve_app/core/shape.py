"""What a transformer is made of, in numbers: parameters by part, for all of it and for a token.

The numbers come from a model's config.json. Parameters count weight matrices; norms and
biases, under 0.01 % of a large model, are left out.
"""

from dataclasses import astuple, dataclass

from serve_app.core.attention import Attention


@dataclass(frozen=True, slots=True)
class Experts:
    """The mixture of experts in all layers but the first `dense_layers`."""

    routed: int
    per_token: int
    shared: int
    width: int
    dense_layers: int

    def touched(self, tokens: float) -> float:
        """How many of a layer's experts `tokens` tokens are expected to use, chosen evenly.

        >>> round(Experts(256, 8, 1, 2048, 3).touched(4), 1)
        30.5
        """
        missed: float = (1 - self.per_token / self.routed) ** tokens
        return self.routed * (1 - missed)


@dataclass(frozen=True, slots=True)
class Parts:
    """One number for each part of a model: parameters, or bytes."""

    attention_whole: float = 0
    attention_split: float = 0
    router: float = 0
    shared: float = 0
    routed: float = 0
    dense: float = 0
    embeddings: float = 0
    mtp: float = 0

    @property
    def total(self) -> float:
        parts: tuple[float, ...] = astuple(self)
        return sum(parts)

    @property
    def without_mtp(self) -> float:
        return self.total - self.mtp


@dataclass(frozen=True, slots=True)
class Shape:
    """A model, as its config.json describes it. `width` is of dense layers, 0 without any."""

    name: str
    layers: int
    hidden: int
    vocab: int
    width: int
    attention: Attention
    max_model_len: int
    experts: Experts | None = None
    is_tied: bool = False  # one matrix for both embeddings
    mtp_layers: int = 0

    @property
    def moe_layers(self) -> int:
        return self.layers - self.experts.dense_layers if self.experts else 0

    @property
    def dense_layers(self) -> int:
        return self.layers - self.moe_layers

    @property
    def head(self) -> int:
        """Parameters of one embedding matrix."""
        return self.vocab * self.hidden

    @property
    def layer(self) -> Parts:
        """Parameters of one layer with experts."""
        experts = self.experts or Experts(0, 0, 0, 0, 0)
        expert = 3 * self.hidden * experts.width
        return Parts(
            attention_whole=self.attention.whole(self.hidden),
            attention_split=self.attention.split(self.hidden),
            router=self.hidden * experts.routed,
            shared=experts.shared * expert,
            routed=experts.routed * expert,
        )

    @property
    def parameters(self) -> Parts:
        """All of them. An MTP layer is one more layer, a projection of two hidden states to
        one, and its own copy of both embeddings."""
        layer = self.layer
        mtp = layer.total + 2 * self.hidden * self.hidden + 2 * self.head
        return Parts(
            attention_whole=self.layers * layer.attention_whole,
            attention_split=self.layers * layer.attention_split,
            router=self.moe_layers * layer.router,
            shared=self.moe_layers * layer.shared,
            routed=self.moe_layers * layer.routed,
            dense=self.dense_layers * 3 * self.hidden * self.width,
            embeddings=self.head * (1 if self.is_tied else 2),
            mtp=self.mtp_layers * mtp,
        )

    @property
    def used_per_token(self) -> float:
        """Parameters that one token is multiplied with: its experts, one embedding of two."""
        every = self.parameters
        used = every.total - every.mtp - every.embeddings + self.head
        if self.experts:
            used -= every.routed * (1 - self.experts.per_token / self.experts.routed)
        return used
