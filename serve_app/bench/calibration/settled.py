"""The time of a decode step, from one of many answers that began together."""

from serve_app.bench.answer import Answer

SETTLED = 0.5  # of an answer: by then all prompts of its crowd have been read


def settled_step_s(answer: Answer) -> float | None:
    """The time of a token in the later part of an answer, also where a chunk holds several."""
    later = answer.itls_s[int(SETTLED * len(answer.itls_s)) :]
    if not later:
        return None
    tokens_per_chunk = (answer.output_tokens - 1) / len(answer.itls_s)
    return sum(later) / len(later) / tokens_per_chunk
