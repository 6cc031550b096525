"""What cannot be planned, and why."""


class PlanError(Exception):
    """The question is wrong: one line that says what is known, and what to do."""
