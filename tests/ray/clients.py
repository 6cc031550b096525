"""Clients of a running gateway, in threads, while a test looks at what their load does."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

MESSAGES = [{"role": "user", "content": "one two three"}]


@contextmanager
def load(url: str, model: str, *, clients: int, max_tokens: int = 20) -> Iterator[list[int]]:
    """So many ask, one request after the other; yields the statuses as they come."""
    statuses: list[int] = []
    is_over = threading.Event()
    body = {"model": model, "messages": MESSAGES, "max_tokens": max_tokens}

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=120) as http:
            while not is_over.is_set():
                statuses.append(http.post("/v1/chat/completions", json=body).status_code)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
