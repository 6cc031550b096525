"""How long a step takes that reads prompts, and decodes meanwhile.

    reading + step(1) + beside × (step(n) - step(1))

`beside` is how much of what n sequences take longer than one is in addition to reading: all of it
on a CPU, next to nothing on a GPU where a step that reads uses all experts anyway, or waits for its
kernels to be launched.
"""

from serve_app.core.curve import Steps, height


def reading_step_s(reading_s: float, sequences: float, *, steps: Steps, beside: float) -> float:
    """Of one in which reading takes `reading_s`; `steps` are those that only decode."""
    alone_s = height(steps, 1)
    return reading_s + alone_s + beside * (height(steps, sequences) - alone_s)
