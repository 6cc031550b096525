"""When a heartbeat has sent the status, whatever fails is told in the stream."""

import json
import re
from typing import Any

import pytest

from serve_app.engine.protocol import Frame, Head
from serve_app.errors import DeadlineExceeded, ReplicaLost
from tests.serving.scripted import LAST, STREAM, WHOLE
from tests.serving.virtual_time import CHAT, Client, Script, heard, play, relay_to, run

ONE = Frame(b"data: 1\n\n")
REFUSED = Head(400, ((b"content-type", b"application/json"),))
LATE = DeadlineExceeded("waited 40 s")


def error_in(text: str) -> Any:
    return json.loads(re.split(r"^data: ", text, flags=re.MULTILINE)[-1])["error"]


@pytest.mark.parametrize("path", [CHAT, "/v1/completions"])
def test_what_fails_after_a_heartbeat_is_an_event_of_openais(path: str) -> None:
    client, relay = heard(40.0, LATE, path=path)

    last = client.heard[-1][1]
    assert json.loads(last.removeprefix("data: ")) == {"error": LATE.fields()}
    assert last.endswith("\n\n")
    assert (relay.outcome.code, relay.outcome.status) == ("deadline_exceeded", 200)


def test_on_messages_it_is_an_event_of_anthropics() -> None:
    client, _ = heard(40.0, LATE, path="/v1/messages")

    name, data, *_ = client.heard[-1][1].splitlines()
    error = {**LATE.fields(), "type": "overloaded_error"}
    assert name == "event: error"
    assert json.loads(data.removeprefix("data: ")) == {"type": "error", "error": error}


def test_on_responses_it_is_their_event_with_the_error_inside_too() -> None:
    client, _ = heard(40.0, LATE, path="/v1/responses")

    name, data, *_ = client.heard[-1][1].splitlines()
    event = json.loads(data.removeprefix("data: "))
    assert name == "event: error"
    assert (event["type"], event["message"], event["error"]) == (
        "error",
        "waited 40 s",
        LATE.fields(),
    )


def test_a_whole_error_on_messages_suits_clients_of_both_kinds() -> None:
    client, _ = heard(1.0, LATE, path="/v1/messages")

    body = json.loads(client.text)
    assert body["type"] == "error"
    assert (body["error"]["type"], body["error"]["code"]) == (
        "overloaded_error",
        "deadline_exceeded",
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": {\n"message": "too long", "code": 400}}', "too long"),
        (b'{"detail": "no"}', '{"detail": "no"}'),
        (b'{"error": "no"}', '{"error": "no"}'),
        (b"[]", "[]"),
        (b"\xff\xff", "\ufffd\ufffd"),
    ],
)
@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/v1/responses"])
def test_an_engine_that_refuses_after_a_heartbeat_is_quoted(
    path: str, body: bytes, message: str
) -> None:
    client, relay = heard(20.0, REFUSED, Frame(body, finished=True), path=path)

    assert error_in(client.heard[-1][1])["message"] == message
    assert client.heard[-1][1].count("\n\n") == 1
    assert (len(client.starts), relay.outcome.code) == (1, "refused")


def test_before_a_heartbeat_it_refuses_with_its_own_status() -> None:
    client, _ = heard(5.0, REFUSED, Frame(b"{}", finished=True))

    assert (client.starts[0]["status"], client.heard) == (400, [(5, "{}")])


def test_a_document_cannot_follow_a_heartbeat() -> None:
    client, relay = heard(20.0, WHOLE, Frame(b"{}", finished=True))

    assert error_in(client.heard[-1][1])["code"] == relay.outcome.code == "engine_error"


def test_a_replica_that_is_lost_after_a_heartbeat_is_an_event() -> None:
    client, relay = heard(STREAM, ONE, 20.0, ReplicaLost("gone"))

    assert error_in(client.heard[-1][1])["code"] == relay.outcome.code == "replica_lost"


@pytest.mark.parametrize(
    "script",
    [
        (20.0, STREAM, LAST),
        (STREAM, LAST),
        (WHOLE, Frame(b"{}", finished=True)),
        (LATE,),
    ],
    ids=["heartbeat", "stream", "document", "error"],
)
def test_added_headers_go_out_with_whatever_begins(script: Script) -> None:
    client = Client()
    relay = relay_to(client)
    relay.add_headers(((b"x-queue-position", b"7"),))
    relay.add_headers(((b"x-queue-position", b"3"),))  # another replica, another wait
    relay.add_headers(((b"x-ratelimit-limit-requests", b"9"),))
    run(relay.pass_on(play(script)))

    names = [name for name, _ in client.starts[0]["headers"]]
    headers = dict(client.starts[0]["headers"])
    assert len(names) == len(headers)
    assert (headers[b"x-queue-position"], headers[b"x-ratelimit-limit-requests"]) == (b"3", b"9")
