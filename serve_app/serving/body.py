"""Reading a request body: bounded in bytes and in time, before anything looks at it.

A declared length that is too large is refused before the first byte is read. A chunked
body declares none, so bytes are counted as they arrive. The limit on time is for the
whole body: a client that sends one byte a second never trips a limit on each read.
"""

import asyncio

from starlette.types import Receive, Scope

from serve_app.config import Limits
from serve_app.errors import BodyTooLarge, ClientGone, Malformed, RequestTimeout, Unsupported


async def read_body(scope: Scope, receive: Receive, limits: Limits) -> bytes:
    """The whole body of a request.

    Raises `Malformed`, `Unsupported`, `BodyTooLarge`, `RequestTimeout` and `ClientGone`.
    """
    for name, value in scope["headers"]:
        _check_header(name.lower(), value.strip().lower(), limits.body_bytes)
    try:
        async with asyncio.timeout(limits.body_timeout_s):
            return await _read(receive, limits.body_bytes)
    except TimeoutError:
        raise RequestTimeout(
            f"the body did not arrive within {limits.body_timeout_s:g} s "
            "(limits.body_timeout_s). Send the request again, over a faster connection."
        ) from None


def _check_header(name: bytes, value: bytes, limit: int) -> None:
    if name == b"content-length":
        if not value.isdigit():
            raise Malformed("content-length is not a number. Send the body's length in bytes.")
        # A length of more digits than a Python int may have is too large without counting.
        if len(value) > 18 or int(value) > limit:
            raise _too_large(f"content-length is {value[:18].decode()}", limit)
    elif name == b"content-type":
        if value.partition(b";")[0].rstrip() != b"application/json":
            raise Unsupported("this content-type is not read. Send content-type: application/json.")
    elif name == b"content-encoding" and value != b"identity":
        raise Unsupported("compressed bodies are not read. Send the body without content-encoding.")


async def _read(receive: Receive, limit: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone("the client left before its request was complete")
        body += message.get("body", b"")
        if len(body) > limit:
            raise _too_large(f"the body has more than {limit} bytes", limit)
        if not message.get("more_body", False):
            return bytes(body)


def _too_large(measured: str, limit: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"{measured}; the limit is {limit} bytes (limits.body_bytes). "
        "Shorten the prompt, or have the operator raise the limit."
    )
