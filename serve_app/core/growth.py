"""How fast it becomes more that runs above what a fleet carries in time."""

from serve_app.core.window import Window


class Growth:
    """The mean of the last `seconds`.

    What a fleet does tells what its load is, while it keeps up. Above what it carries it tells only
    what the fleet can do, and what comes beyond that piles up.
    """

    def __init__(self, seconds: float) -> None:
        self._each_s = Window(seconds)
        self._running = 0.0
        self._looked_at: float | None = None

    def __repr__(self) -> str:
        return f"<Growth by {self.per_s:.1f} sequences/s>"

    @property
    def per_s(self) -> float:
        """In sequences per second; below 0 while it becomes less."""
        return self._each_s.mean()

    def add(self, running: float, carried: float, *, now: float) -> None:
        """So many sequences run on all replicas, and so many would be in time."""
        if self._looked_at is not None and now > self._looked_at:
            more = max(running, carried) - max(self._running, carried)
            self._each_s.add(more / (now - self._looked_at), now=now)
        self._running, self._looked_at = running, now
