"""What every block of knobs has in common."""

from pydantic import BaseModel, ConfigDict


class Knobs(BaseModel):
    """Base of every block: frozen, and strict about its keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )
