"""Checkpoints on this machine: get one (`fetch`), find one (`resolve`)."""

from serve_app.models.cache import resolve
from serve_app.models.command import fetch
from serve_app.models.errors import ModelError

__all__ = ["ModelError", "fetch", "resolve"]
