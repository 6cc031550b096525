"""What both ends of a channel share: a TCP connection that carries whole messages."""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any, cast

from serve_app.channel import handshake
from serve_app.channel.wire import BadMessage, Unframer, encode, framed

logger = logging.getLogger("ray.serve")

# A node that vanishes sends no FIN. Idle for 5 s → probe every 2 s → given up after 3 probes.
PROBES = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 11_000}


class Connection(asyncio.Protocol):
    """One end, before and after the handshake; `_hear` is who takes the next message."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._nonce = handshake.new_nonce()
        self._unframer = Unframer(handshake.LARGEST_MESSAGE)
        self._transport: asyncio.Transport | None = None
        self._is_finished = False
        self._hear: Callable[[bytes], None]

    @property
    def is_open(self) -> bool:
        transport = self._transport
        return transport is not None and not transport.is_closing() and not self._is_finished

    def close(self) -> None:
        """Lost at once, and with it what the socket has not taken."""
        if self._transport is not None:
            self._transport.abort()

    def finish(self) -> None:
        """Say no more, and let the other end close when it has heard everything.

        A socket that is closed with messages unread is reset, and what it sent is lost.
        """
        if self._transport is None or self._is_finished:
            return
        self._is_finished = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()  # TLS has no half-closed connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not derive from it
        _probe(transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._unframer.feed(data):
                self._hear(message)
        # What decoding raises: msgspec's errors are ValueErrors, one of bad UTF-8 is only that.
        except (BadMessage, ValueError, RecursionError) as error:
            logger.warning("channel closed: %s", error)
            self.close()

    def _send(self, message: Any) -> None:
        """Dropped when the connection is lost: whoever waits for an answer learns it there."""
        if self._transport is not None and not self._is_finished:
            self._transport.write(framed(encode(message)))


def _probe(connected: socket.socket) -> None:
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in PROBES.items():
        if (option := getattr(socket, name, None)) is not None:  # Linux has them all
            connected.setsockopt(socket.IPPROTO_TCP, option, value)
