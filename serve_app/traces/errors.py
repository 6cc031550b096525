"""What is no trace, and where it is not."""


class TraceError(Exception):
    """One line: the file, the line, what is wrong, and what would be right."""
