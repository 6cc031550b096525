"""What cannot be measured, and why."""


class BenchError(Exception):
    """Found before anything is measured: one line, with what to do."""
