import asyncio
from contextlib import asynccontextmanager

import pytest

from serve_app.channel import handshake
from serve_app.channel.gateway_end import connect
from serve_app.channel.replica_end import ChannelServer
from serve_app.channel.wire import Submit, encode, framed
from serve_app.serving.channels import Address
from tests.channel.raw_peer import raw_gateway, raw_replica
from tests.channel.scripted import HOST, ScriptedReplica, a_call, ends, until

NONCE = bytes(handshake.NONCE_BYTES)
WRONG = b"not the secret"


@asynccontextmanager
async def listening(**knobs):
    """A server, and its port; afterwards nobody may have called its engine."""
    replica = ScriptedReplica()
    server = ChannelServer(replica, **knobs)
    yield server, await server.start(HOST)
    server.close()
    await until(lambda: not server._connections)
    assert replica.called == []


def hello(secret, nonce, name="here"):
    proof = handshake.proof(secret, "gateway", nonce, NONCE, name.encode())
    return handshake.Hello(name, NONCE, proof)


async def refused(port, secret):
    with pytest.raises(ConnectionError):
        await connect(HOST, port, secret, gateway="here")


def test_a_gateway_with_a_wrong_secret_is_refused_and_forgotten(run):
    async def work():
        async with listening() as (server, port):
            await refused(port, WRONG)
            await until(lambda: not server._connections)

    run(work())


def test_a_replica_with_a_wrong_secret_is_refused(run):
    async def play(gateway):
        gateway.say(handshake.Challenge(NONCE))
        heard = handshake.decode_hello(await gateway.hear())
        said = (NONCE, heard.nonce, heard.gateway.encode())
        gateway.say(handshake.Welcome(handshake.proof(WRONG, "replica", *said)))
        assert await gateway.is_closed()

    async def work():
        async with raw_replica(play) as port:
            await refused(port, b"the secret")

    run(work())


def test_a_proof_sent_back_to_its_maker_proves_nothing(run):
    async def play(gateway):
        gateway.say(handshake.Challenge(NONCE))
        heard = handshake.decode_hello(await gateway.hear())
        gateway.say(handshake.Welcome(heard.proof))
        assert await gateway.is_closed()

    async def work():
        async with raw_replica(play) as port:
            await refused(port, b"the secret")

    run(work())


def test_a_proof_for_one_connection_does_not_open_another(run):
    async def work():
        async with listening() as (server, port), raw_gateway(port) as one:
            first = handshake.decode_challenge(await one.hear()).nonce
            async with raw_gateway(port) as other:
                await other.hear()
                other.say(hello(server.secret, first))
                assert await other.is_closed()
            one.say(hello(server.secret, first))  # and it does open its own
            assert handshake.decode_welcome(await one.hear()).proof

    run(work())


def test_a_proof_is_for_the_name_that_was_given_with_it(run):
    async def work():
        async with listening() as (server, port), raw_gateway(port) as peer:
            given = hello(server.secret, handshake.decode_challenge(await peer.hear()).nonce)
            peer.say(handshake.Hello("another", given.nonce, given.proof))
            assert await peer.is_closed()

    run(work())


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param((1025).to_bytes(4, "little"), id="a message over 1 KiB, by its length"),
        pytest.param(framed(encode(Submit(0, a_call("early")))), id="a call before the proof"),
        pytest.param(framed(b"\x93\xa2\xff\xfe\xc4\x00\xc4\x00"), id="a name that is not UTF-8"),
        pytest.param(framed(b"\x93\xa1a\xc4\x00\xc4\x00" + b"\x91" * 1000), id="arrays in arrays"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="HTTP"),
    ],
)
def test_a_stranger_is_closed_at_the_first_wrong_message(run, raw):
    async def work():
        async with listening() as (server, port), raw_gateway(port) as peer:
            await peer.hear()
            peer.writer.write(raw)
            assert await peer.is_closed()
            await until(lambda: not server._connections)

    run(work())


def test_a_message_over_1_kib_is_refused_by_a_gateway_before_the_proof(run):
    async def play(gateway):
        gateway.say(handshake.Challenge(bytes(1100)))
        assert await gateway.is_closed()

    async def work():
        async with raw_replica(play) as port:
            await refused(port, b"the secret")

    run(work())


def test_a_replica_that_leaves_during_the_handshake_is_a_connection_error(run):
    async def play(gateway):
        gateway.say(handshake.Challenge(NONCE))

    async def work():
        async with raw_replica(play) as port:
            await refused(port, b"the secret")

    run(work())


def test_a_stranger_who_says_nothing_is_closed_when_patience_is_over(run):
    async def work():
        async with listening(patience_s=0.01) as (server, port), raw_gateway(port) as peer:
            assert await peer.is_closed()
            assert server._connections == set()

    run(work())


def test_patience_ends_with_the_proof(run):
    async def work():
        async with ends(ScriptedReplica()) as both:
            assert both.connection._patience.cancelled()
            assert (await both.channel.beat((0, 0, 0), 0)).replica == "r"

    run(work())


def test_leaving_connect_in_the_middle_of_the_handshake_closes_the_connection(run):
    async def work():
        has_said_hello = asyncio.Event()

        async def play(gateway):
            gateway.say(handshake.Challenge(NONCE))
            await gateway.hear()
            has_said_hello.set()
            assert await gateway.is_closed()

        async with raw_replica(play) as port:
            connecting = asyncio.create_task(connect(HOST, port, b"", gateway="here"))
            await has_said_hello.wait()
            connecting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await connecting

    run(work())


def test_a_secret_is_not_shown():
    secret = handshake.new_secret()
    shown = repr(Address(HOST, 1, secret))
    assert shown == f"Address(host='{HOST}', port=1)"
    assert len(secret) == handshake.NONCE_BYTES
    assert secret != handshake.new_secret()
