"""What is no trace, and where it is not."""

from serve_app.checking.question import QuestionError


class TraceError(QuestionError):
    """One line: the file, the line, what is wrong, and what would be right."""
