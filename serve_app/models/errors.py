"""What can go wrong before a model is on this machine."""


class ModelError(Exception):
    """No complete checkpoint: the message says what was found, and what to do."""
