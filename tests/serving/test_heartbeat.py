"""What a client hears while nothing happens, and when. In virtual time."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from serve_app.engine.protocol import Frame, Head, Items
from serve_app.errors import ClientStalled, DeadlineExceeded
from serve_app.serving.heartbeat import HEARTBEAT, wants_heartbeats
from serve_app.serving.relay import Relay
from tests.serving.scripted import LAST, STREAM
from tests.serving.virtual_time import Client, heard, play, relay_to, run

ONE = Frame(b"data: 1\n\n")
LATE = DeadlineExceeded("waited 40 s")
BEAT = HEARTBEAT.decode()


def test_a_request_that_waits_hears_heartbeats_and_then_its_answer_unchanged() -> None:
    client, relay = heard(40.0, STREAM, ONE, LAST)

    assert client.heard == [(15, BEAT), (30, BEAT), (40, "data: 1\n\n"), (40, "")]
    [start] = client.starts
    assert (start["status"], relay.outcome.code) == (200, "ok")
    assert dict(start["headers"])[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert dict(start["headers"])[b"x-accel-buffering"] == b"no"


def test_a_pause_in_mid_stream_is_filled_from_the_last_event_on() -> None:
    client, _ = heard(7.0, STREAM, ONE, 31.0, ONE, 14.0, LAST)

    beats = [when for when, text in client.heard if text == BEAT]
    assert beats == [7 + 15, 7 + 30]


def test_tokens_without_text_are_silence() -> None:
    client, relay = heard(STREAM, ONE, 10.0, Frame(b"", token_ids=(5, 6)), 10.0, ONE, LAST)

    assert client.times == [0, 15, 20, 20]
    assert relay.outcome.output_tokens == 2


def test_nothing_follows_the_end() -> None:
    client, _ = heard(STREAM, ONE, Frame(b"data: [DONE]\n\n", finished=True), 40.0)

    assert client.heard[-1] == (0, "data: [DONE]\n\n")


def test_half_an_event_is_not_cut_in_two() -> None:
    client, _ = heard(STREAM, Frame(b"data: 1"), 50.0, Frame(b"\n\n"), 20.0, LAST)

    assert client.heard == [(0, "data: 1"), (50, "\n\n"), (65, BEAT), (70, "")]


@pytest.mark.parametrize("quiet", [{"streams": False}, {"heartbeat_s": 0.0}])
def test_who_asked_for_no_stream_or_no_heartbeats_waits_in_silence(quiet: dict[str, Any]) -> None:
    client, _ = heard(100.0, STREAM, ONE, LAST, **quiet)
    assert client.times == [100, 100]

    client, relay = heard(100.0, LATE, **quiet)
    assert (client.starts[0]["status"], relay.outcome.status) == (503, 503)


def test_a_frame_waits_for_the_heartbeat_before_it() -> None:
    client = Client(0.0, 10.0)  # the second message is the first heartbeat
    run(relay_to(client).pass_on(play([20.0, STREAM, ONE, LAST])))

    assert client.heard == [(25, BEAT), (25, "data: 1\n\n"), (25, "")]


def test_a_heartbeat_does_not_push_in_while_a_frame_is_being_taken() -> None:
    client = Client(0.0, 50.0)  # longer than the interval, shorter than idle_write_timeout_s
    run(relay_to(client).pass_on(play([STREAM, ONE, 20.0, LAST])))

    assert client.heard[0] == (50, "data: 1\n\n")
    assert client.heard[-1] == (70, "")


@pytest.mark.parametrize("stuck_at", [0, 1], ids=["head", "heartbeat"])
@pytest.mark.parametrize("wait_s", [1000.0, 20.0], ids=["waiting", "with a frame behind it"])
def test_a_client_that_does_not_take_a_heartbeat_has_stalled(stuck_at: int, wait_s: float) -> None:
    async def scenario() -> float:
        batches = play([wait_s, STREAM, ONE, 1000.0])
        relay = relay_to(Client(*[0.0] * stuck_at, 1e6))
        with pytest.raises(ClientStalled, match="took nothing for 60 s"):
            await relay.pass_on(batches)
        assert batches.ag_frame is None  # closed
        assert len(asyncio.all_tasks()) == 1
        return asyncio.get_running_loop().time()

    assert run(scenario()) == pytest.approx(15 + 60)


def test_a_connection_that_breaks_as_its_client_is_given_up_changes_nothing() -> None:
    async def stuck(_message: Message) -> None:
        try:
            await asyncio.sleep(1e6)
        except asyncio.CancelledError:
            raise OSError("connection reset") from None

    relay = Relay(stuck, idle_write_timeout_s=60.0, heartbeat_s=15.0)
    relay.expect_stream()
    with pytest.raises(ClientStalled):
        run(relay.pass_on(play([1000.0])))


@pytest.mark.parametrize("leaves_at", [5.0, 15.0, 20.0, 75.0])
def test_a_client_that_leaves_leaves_nothing_behind(leaves_at: float) -> None:
    """75 s is the moment at which its heartbeat would have been given up."""

    async def scenario() -> None:
        client = Client(0.0, 1e6)
        relaying = asyncio.create_task(relay_to(client).pass_on(play([1000.0])))
        await asyncio.sleep(leaves_at)
        relaying.cancel()
        await asyncio.wait([relaying])

        assert relaying.cancelled() or isinstance(relaying.exception(), ClientStalled)
        begun = len(client.starts)
        for _ in range(2):
            assert len(asyncio.all_tasks()) == 1
            await asyncio.sleep(1000)
        assert len(client.starts) == begun

    run(scenario())


def test_a_cancellation_while_a_stalled_client_is_given_up_is_not_swallowed() -> None:
    async def scenario() -> None:
        async def slow_to_close() -> AsyncGenerator[Items, None]:
            try:
                await asyncio.sleep(1000)
                yield [STREAM]
            finally:
                await asyncio.sleep(10)

        relaying = asyncio.create_task(relay_to(Client(1e6)).pass_on(slow_to_close()))
        await asyncio.sleep(15 + 60 + 5)
        relaying.cancel()
        await asyncio.wait([relaying])
        assert relaying.cancelled()

    run(scenario())


def test_a_heartbeat_that_cannot_be_sent_ends_the_response() -> None:
    async def broken(_message: Message) -> None:
        raise OSError("connection reset")

    relay = Relay(broken, idle_write_timeout_s=60.0, heartbeat_s=15.0)
    relay.expect_stream()
    with pytest.raises(OSError, match="connection reset"):
        run(relay.pass_on(play([1000.0])))


def test_cpu_before_the_answer_is_the_requests_though_a_heartbeat_has_begun_it() -> None:
    async def scenario() -> Relay:
        relay = relay_to(Client())

        async def batches() -> AsyncGenerator[Items, None]:
            await asyncio.sleep(40)
            relay.spend(1000.0)
            yield [STREAM, ONE]
            relay.spend(0.0)  # the step that sent it
            relay.spend(100.0)
            yield [LAST]

        await relay.pass_on(batches())
        return relay

    outcome = run(scenario()).outcome
    assert 1000 < outcome.request_cpu_s < 1001  # its own, and the heartbeats'
    assert outcome.frames_cpu_s == 100


@pytest.mark.parametrize(
    ("headers", "wants"),
    [
        ([], True),
        ([(b"x-heartbeat", b"none")], False),
        ([(b"x-heartbeat", b" None ")], False),
        ([(b"x-heartbeat", b"yes")], True),
        ([(b"accept", b"none")], True),
    ],
)
def test_a_client_opts_out_by_header(headers: list[tuple[bytes, bytes]], wants: bool) -> None:
    assert wants_heartbeats({"type": "http", "headers": headers}) is wants


@given(
    waits=st.lists(st.integers(0, 700).map(lambda tenths: tenths / 10), min_size=1, max_size=12),
    takes=st.lists(st.integers(0, 300).map(lambda tenths: tenths / 10), max_size=12),
)
def test_no_silence_is_long_and_no_byte_is_changed(waits: list[float], takes: list[float]) -> None:
    async def scenario() -> Client:
        script: list[float | Head | Frame] = [STREAM]
        for number, wait_s in enumerate(waits):
            script += [wait_s, Frame(f"data: {number}\n\n".encode())]
        client = Client(*takes)
        await relay_to(client).pass_on(play([*script, LAST]))
        return client

    client = run(scenario())
    events = "".join(f"data: {number}\n\n" for number in range(len(waits)))
    assert client.text.replace(BEAT, "") == events
    silences = [b - a for a, b in zip([0.0, *client.times], client.times, strict=False)]
    assert max(silences) <= 15 + 2 * max(takes, default=0.0) + 0.01
