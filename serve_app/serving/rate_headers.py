"""Where a client's limits stand, in the headers that OpenAI's clients read.

Of the tenant's and the key's limit the tighter one is told, and of a minute's and a day's
tokens too: it is the one that refuses first.
"""

from collections.abc import Sequence
from math import ceil

from serve_app.core.budget import LimitState
from serve_app.engine.protocol import Headers

_KINDS = {
    b"requests": ("requests_per_min",),
    b"tokens": ("tokens_per_min", "tokens_per_day"),
}


def rate_headers(states: Sequence[LimitState]) -> Headers:
    """Headers for the limits that there are; `states` is what `Limiter.states` says."""
    headers: list[tuple[bytes, bytes]] = []
    for kind, limits in _KINDS.items():
        found = [state for state in states if state.limit in limits]
        if found:
            tightest = min(found, key=lambda state: (state.remaining, -state.reset_s))
            headers += [
                (b"x-ratelimit-limit-" + kind, b"%d" % tightest.capacity),
                (b"x-ratelimit-remaining-" + kind, b"%d" % tightest.remaining),
                (b"x-ratelimit-reset-" + kind, duration(tightest.reset_s).encode()),
            ]
    return tuple(headers)


def duration(seconds: float) -> str:
    """As OpenAI, and Go, write it; rounded up to milliseconds.

    >>> [duration(s) for s in (0, 0.12, 1, 360, 3723.5)]
    ['0s', '120ms', '1s', '6m0s', '1h2m3.5s']
    """
    all_ms = ceil(round(seconds * 1000, 6))
    if 0 < all_ms < 1000:
        return f"{all_ms}ms"
    minutes, ms = divmod(all_ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    larger = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{larger}{ms / 1000:g}s"
