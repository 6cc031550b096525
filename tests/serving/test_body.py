import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from serve_app.config import Limits
from serve_app.errors import (
    BodyTooLarge,
    ClientGone,
    Malformed,
    RequestError,
    RequestTimeout,
    Unsupported,
)
from serve_app.serving.body import read_body

LIMITS = Limits(body_bytes=1024, body_timeout_s=5)


class Client:
    """Sends the messages it was given, then goes silent; counts what was asked for."""

    def __init__(self, messages: Iterable[dict[str, Any]]) -> None:
        self.messages = iter(messages)
        self.received = 0

    async def receive(self) -> dict[str, Any]:
        self.received += 1
        message = next(self.messages, None)
        if message is None:
            await asyncio.Event().wait()
        assert message is not None
        return message


def chunk(data: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": data, "more_body": more}


def read(client: Client, *headers: tuple[bytes, bytes], limits: Limits = LIMITS) -> bytes:
    scope = {"type": "http", "headers": list(headers)}
    return asyncio.run(read_body(scope, client.receive, limits))


def test_a_body_in_several_chunks_is_joined():
    client = Client([chunk(b'{"a"'), chunk(b""), chunk(b": 1}", more=False)])
    assert read(client, (b"content-type", b"application/json; charset=utf-8")) == b'{"a": 1}'


def test_a_message_without_a_body_is_an_empty_body():
    assert read(Client([{"type": "http.request"}])) == b""


def test_a_body_of_exactly_the_limit_is_read():
    assert len(read(Client([chunk(b"x" * 1024, more=False)]))) == 1024


def test_a_declared_length_above_the_limit_is_refused_before_reading():
    client = Client([])
    with pytest.raises(BodyTooLarge, match=r"1025.*1024 bytes") as caught:
        read(client, (b"content-length", b"1025"))
    assert (caught.value.status, client.received) == (413, 0)


def test_a_chunked_body_is_dropped_at_the_limit():
    client = Client(chunk(b"x" * 100) for _ in range(1_000))
    with pytest.raises(BodyTooLarge):
        read(client)
    assert client.received == 11


def test_a_declared_length_that_lies_does_not_lift_the_limit():
    client = Client([chunk(b"x" * 2000, more=False)])
    with pytest.raises(BodyTooLarge):
        read(client, (b"content-length", b"5"))


def test_a_body_that_stops_arriving_is_a_408():
    limits = Limits(body_timeout_s=0.01)
    with pytest.raises(RequestTimeout, match=r"0\.01 s") as caught:
        read(Client([chunk(b"{")]), limits=limits)
    assert (caught.value.status, caught.value.code) == (408, "request_timeout")


def test_the_time_limit_is_for_the_whole_body_and_not_for_each_chunk():
    async def trickle() -> dict[str, Any]:
        await asyncio.sleep(0)
        return chunk(b"")

    with pytest.raises(RequestTimeout):
        asyncio.run(read_body({"headers": []}, trickle, Limits(body_timeout_s=0.02)))


def test_a_client_that_leaves_while_sending_is_gone():
    with pytest.raises(ClientGone):
        read(Client([chunk(b"{"), {"type": "http.disconnect"}]))


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        (b"content-length", b"", Malformed),  # not a number
        (b"content-length", b"-1", Malformed),  # would pass a comparison
        (b"content-length", b"0x10", Malformed),  # a number to some parsers
        (b"content-length", b"5, 5", Malformed),  # two lengths: smuggling
        (b"content-length", b"9" * 5000, BodyTooLarge),  # int() refuses so many digits
        (b"Content-Length", b"9999", BodyTooLarge),  # names have no case
        (b"content-type", b"application/x-www-form-urlencoded", Unsupported),  # curl's default
        (b"content-type", b"application/json5", Unsupported),  # starts alike
        (b"content-type", b"multipart/form-data; boundary=x", Unsupported),  # not for chat
        (b"content-encoding", b"gzip", Unsupported),  # a bomb until it is unpacked
    ],
)
def test_a_header_that_makes_the_body_unreadable_is_refused(
    name: bytes, value: bytes, error: type[RequestError]
):
    client = Client([chunk(b"{}", more=False)])
    with pytest.raises(error):
        read(client, (name, value))
    assert client.received == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"content-type", b"Application/JSON"),  # types have no case
        (b"content-type", b"application/json ; charset=utf-8"),  # parameters do not matter
        (b"content-encoding", b"identity"),  # says that there is none
        (b"content-length", b"2"),
        (b"x-anything", b"gzip"),
    ],
)
def test_a_header_that_says_plain_json_is_accepted(name: bytes, value: bytes):
    assert read(Client([chunk(b"{}", more=False)]), (name, value)) == b"{}"
