"""Who is measured: `NAME=URL`, and after commas what else is known of it.

    gateway=http://127.0.0.1:8000
    api=https://api.example.com/v1,model=large-2,api-key-env=API_KEY,price-input=0.27

A key is named by the environment variable that holds it: what stands on a command line is
in `ps` and in the shell's history.
"""

import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from serve_app.bench.errors import BenchError
from serve_app.bench.price import KINDS, Price
from serve_app.checking.question import pairs, positive

_NAME = re.compile(r"[\w.:+-]{1,16}")
_VERSION = re.compile(r"/v\d[^/]*(/|$)")
_PRICES = {f"price-{kind}": kind for kind in KINDS}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint. `url` is the base of its OpenAI routes; an empty `model` is asked for."""

    name: str
    url: str
    model: str = ""
    api_key_env: str = ""
    price: Price | None = None

    @classmethod
    def parse(cls, text: str) -> "Target":
        """A target as the command line has it."""
        head, _, rest = text.partition(",")
        name, _, url = head.partition("=")
        if not _NAME.fullmatch(name) or not url:
            raise BenchError(
                f"--target {text}: write NAME=URL, with a NAME of at most 16 letters, digits "
                "or .:+-"
            )
        options = pairs(rest, ("model", "api-key-env", *_PRICES))
        prices = {_PRICES[k]: positive(v, k) for k, v in options.items() if k in _PRICES}
        return cls(
            name,
            _base(url, text),
            model=options.get("model", ""),
            api_key_env=options.get("api-key-env", ""),
            price=Price(**prices) if prices else None,
        )

    @property
    def is_local(self) -> bool:
        """On this machine; a proxy that the environment names would not reach it."""
        return urlsplit(self.url).hostname in _LOOPBACK

    def headers(self) -> dict[str, str]:
        """The key, from the environment."""
        if not self.api_key_env:
            return {}
        key = os.environ.get(self.api_key_env)
        if not key:
            raise BenchError(f"{self.name}: ${self.api_key_env} is not set; export the key there")
        return {"Authorization": f"Bearer {key}"}


def _base(url: str, text: str) -> str:
    """The URL up to and with its version; OpenAI's own is /v1.

    >>> _base("http://127.0.0.1:8000", "")
    'http://127.0.0.1:8000/v1'
    >>> _base("https://example.com/v1beta/openai/", "")
    'https://example.com/v1beta/openai'
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BenchError(f"--target {text}: {url} is no URL; write NAME=http://HOST:PORT")
    if parts.username or parts.query or parts.fragment:
        raise BenchError(
            f"--target: the URL of {parts.hostname} carries more than a path; a key goes into an "
            "environment variable, named with ,api-key-env=NAME"
        )
    plain = url.rstrip("/")
    return plain if _VERSION.search(parts.path) else f"{plain}/v1"
