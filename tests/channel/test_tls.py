import random

import pytest

from serve_app.channel.gateway_end import connect
from serve_app.channel.replica_end import ChannelServer
from serve_app.channel.tls import client_context, server_context
from serve_app.channel.wire import encode, framed
from serve_app.serving.channels import Channels
from tests.channel.certificates import issued
from tests.channel.raw_peer import raw_gateway
from tests.channel.scripted import HOST, ScriptedReplica, answer, ends, until


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """The environment of a node of our cluster."""
    return issued(tmp_path_factory.mktemp("tls") / "ours")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """The environment of a node of somebody else's cluster."""
    return issued(tmp_path_factory.mktemp("tls") / "theirs")


def test_calls_cross_tls_whole(run, ours):
    data = random.Random(0).randbytes(2_000_000)

    async def work():
        tls = server_context(ours), client_context(ours)
        async with ends(ScriptedReplica(one=answer(data, b"end")), tls=tls) as both:
            assert both.channel._transport.get_extra_info("cipher")
            assert (await both.channel.beat((0, 1, 0), 2)).replica == "r"
            return await both.answer("one")

    assert run(work()) == data + b"end"


def refused(run, *, server, client):
    """Whether a server of one kind refuses a gateway of another, which knows the secret."""

    async def work():
        listening = ChannelServer(ScriptedReplica())
        port = await listening.start(HOST, tls=server)
        with pytest.raises(OSError):  # noqa: PT011 - of many kinds, by loop and by side
            await connect(HOST, port, listening.secret, gateway="here", tls=client)
        listening.close()
        await until(lambda: not listening._connections)

    run(work())


def test_a_gateway_of_another_authority_is_refused(run, ours, theirs):
    other = client_context(theirs)
    other.load_verify_locations(ours["RAY_TLS_CA_CERT"])  # it would talk to us
    refused(run, server=server_context(ours), client=other)


def test_a_replica_of_another_authority_is_refused(run, ours, theirs):
    other = server_context(theirs)
    other.load_verify_locations(ours["RAY_TLS_CA_CERT"])
    refused(run, server=other, client=client_context(ours))


def test_a_gateway_without_a_certificate_is_refused(run, ours):
    bare = client_context(ours).__class__(client_context(ours).protocol)
    bare.check_hostname = False
    bare.load_verify_locations(ours["RAY_TLS_CA_CERT"])
    refused(run, server=server_context(ours), client=bare)


def test_a_plain_client_hears_nothing_of_a_server_that_speaks_tls(run, ours):
    async def work():
        listening = ChannelServer(ScriptedReplica())
        port = await listening.start(HOST, tls=server_context(ours))
        async with raw_gateway(port) as peer:
            peer.writer.write(framed(encode([0, b"plain"])))
            heard = await peer.reader.read()
        listening.close()
        await until(lambda: not listening._connections)
        return heard

    heard = run(work())
    assert heard == b"" or heard[0] == 21  # an alert of TLS, and no challenge


@pytest.mark.parametrize("environ", [{}, {"RAY_USE_TLS": "0"}, {"RAY_USE_TLS": "false"}])
def test_without_tls_in_ray_there_is_none_here(environ):
    assert server_context(environ) is None
    assert client_context(environ) is None


@pytest.mark.parametrize("switch", ["1", "true", "True"])
def test_the_switch_is_rays(ours, switch):
    for context in (server_context, client_context):
        made = context(ours | {"RAY_USE_TLS": switch})
        assert made.verify_mode.name == "CERT_REQUIRED"


def test_channels_of_a_gateway_follow_the_environment(run, ours, monkeypatch):
    for name, value in ours.items():
        monkeypatch.setenv(name, value)

    async def work():
        return Channels("here", spend=lambda _: None)._tls

    assert run(work()) is not None
