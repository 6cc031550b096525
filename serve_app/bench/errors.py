"""What cannot be measured, and why."""

from serve_app.checking.question import QuestionError


class BenchError(QuestionError):
    """Found before anything is measured: one line, with what to do."""
