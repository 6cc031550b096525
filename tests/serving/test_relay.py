"""Engine items in, ASGI messages out."""

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest
from starlette.types import Message

from serve_app.engine.protocol import Frame, Head, Items, Usage
from serve_app.errors import ClientGone, ClientStalled, ReplicaLost, RequestError
from serve_app.serving.relay import Relay, while_connected
from tests.serving.scripted import LAST, STREAM, WHOLE


async def items(*script: Head | Frame | RequestError) -> AsyncGenerator[Items, None]:
    for item in script:
        if isinstance(item, RequestError):
            raise item
        yield [item]


def relayed(*script: Head | Frame | RequestError) -> tuple[Relay, list[Message]]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    relay = Relay(send, idle_write_timeout_s=5.0)
    asyncio.run(relay.pass_on(items(*script)))
    return relay, sent


def bodies(sent: list[Message]) -> list[bytes]:
    return [message["body"] for message in sent[1:]]


def test_a_stream_is_passed_on_frame_by_frame_unchanged() -> None:
    relay, sent = relayed(STREAM, Frame(b"data: 1\n\n"), Frame(b"data: [DONE]\n\n"), LAST)

    assert sent[0]["status"] == 200
    assert bodies(sent) == [b"data: 1\n\n", b"data: [DONE]\n\n", b""]
    assert [message["more_body"] for message in sent[1:]] == [True, True, False]
    assert relay.outcome.usage == Usage(3, 1, 2)


def test_a_frame_without_bytes_is_no_message() -> None:
    _, sent = relayed(STREAM, Frame(b"", token_ids=(5,)), Frame(b"data: 1\n\n"), LAST)

    assert bodies(sent) == [b"data: 1\n\n", b""]


def test_a_stream_that_breaks_ends_with_an_error_event_and_without_done() -> None:
    relay, sent = relayed(STREAM, Frame(b"data: 1\n\n"), ReplicaLost("gone"))

    last = bodies(sent)[-1]
    assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "replica_lost"
    assert b"[DONE]" not in b"".join(bodies(sent))
    assert sent[-1]["more_body"] is False
    assert relay.outcome.code == "replica_lost"


def test_a_stream_that_just_stops_is_an_error_too() -> None:
    relay, sent = relayed(STREAM, Frame(b"data: 1\n\n"))

    assert b'"engine_error"' in bodies(sent)[-1]
    assert relay.outcome.code == "engine_error"


def test_an_error_before_the_first_byte_has_its_own_status() -> None:
    _, sent = relayed(STREAM, ReplicaLost("gone", retry_after_s=2.4))

    assert sent[0]["status"] == 503
    assert dict(sent[0]["headers"])[b"retry-after"] == b"3"
    assert json.loads(sent[1]["body"])["error"]["message"] == "gone"


def test_a_whole_answer_that_breaks_half_way_is_never_begun() -> None:
    _, sent = relayed(WHOLE, Frame(b"{"), ReplicaLost("gone"))

    assert sent[0]["status"] == 503
    assert len(sent) == 2


def test_a_whole_answer_arrives_in_one_piece_with_its_headers() -> None:
    _, sent = relayed(WHOLE, Frame(b"{"), Frame(b"}", finished=True))

    assert bodies(sent) == [b"{}"]
    assert dict(sent[0]["headers"]) == dict(WHOLE.headers)


def test_a_refusal_of_the_engine_keeps_its_status_and_bytes() -> None:
    head = Head(400, ((b"content-type", b"application/json"), (b"x-engine", b"secret")))
    relay, sent = relayed(head, Frame(b"{}", finished=True))

    assert sent[0]["status"] == 400
    assert b"x-engine" not in dict(sent[0]["headers"])
    assert relay.outcome.code == "refused"


def test_a_client_that_leaves_cancels_the_work() -> None:
    async def scenario() -> bool:
        was_cancelled = False

        async def work() -> None:
            nonlocal was_cancelled
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                was_cancelled = True
                raise

        async def receive() -> Message:
            return {"type": "http.disconnect"}

        with pytest.raises(ClientGone):
            await while_connected(receive, work())
        return was_cancelled

    assert asyncio.run(scenario())


def test_a_client_that_takes_nothing_is_cut_off_and_its_answer_is_closed() -> None:
    closed = False

    async def endless() -> AsyncGenerator[Items, None]:
        nonlocal closed
        try:
            yield [STREAM, Frame(b"data: 1\n\n")]
            await asyncio.Event().wait()
        finally:
            closed = True

    async def never(_message: Message) -> None:
        await asyncio.Event().wait()

    relay = Relay(never, idle_write_timeout_s=0.01)
    with pytest.raises(ClientStalled, match="took nothing for"):
        asyncio.run(relay.pass_on(endless()))
    assert closed


def test_a_client_that_is_slow_but_reads_is_served_to_the_end() -> None:
    taken: list[Message] = []

    async def slow(message: Message) -> None:
        for _ in range(50):
            await asyncio.sleep(0)
        taken.append(message)

    relay = Relay(slow, idle_write_timeout_s=5.0)
    asyncio.run(relay.pass_on(items(STREAM, Frame(b"data: 1\n\n"), LAST)))
    assert [m["type"] for m in taken] == ["http.response.start", *2 * ["http.response.body"]]
    assert relay.outcome.code == "ok"
