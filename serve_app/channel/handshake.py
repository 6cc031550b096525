"""Each end proves that it knows the replica's secret, without showing it.

    replica → gateway   Challenge(nonce)
    gateway → replica   Hello(gateway, nonce, proof over both nonces)
    replica → gateway   Welcome(proof over both nonces)

The secret is made by the replica when it starts and reaches gateways with its beat,
through Ray's own authenticated channel. A proof is an HMAC (RFC 2104) that names the
side which makes it, so that none can be sent back to its maker.
"""

import hmac
import secrets
from typing import Literal

import msgspec

LARGEST_MESSAGE = 1024
TIMEOUT_S = 5.0
NONCE_BYTES = 32

Side = Literal["gateway", "replica"]


class Challenge(msgspec.Struct, frozen=True, array_like=True):
    nonce: bytes


class Hello(msgspec.Struct, frozen=True, array_like=True):
    gateway: str
    nonce: bytes
    proof: bytes


class Welcome(msgspec.Struct, frozen=True, array_like=True):
    proof: bytes


decode_challenge = msgspec.msgpack.Decoder(Challenge).decode
decode_hello = msgspec.msgpack.Decoder(Hello).decode
decode_welcome = msgspec.msgpack.Decoder(Welcome).decode


def new_secret() -> bytes:
    return secrets.token_bytes(NONCE_BYTES)


def new_nonce() -> bytes:
    return secrets.token_bytes(NONCE_BYTES)


def proof(secret: bytes, side: Side, *said: bytes) -> bytes:
    """`said` is what was exchanged so far, each part of fixed length but the last."""
    return hmac.digest(secret, b"/".join((side.encode(), *said)), "sha256")


def is_proof(given: bytes, secret: bytes, side: Side, *said: bytes) -> bool:
    return hmac.compare_digest(given, proof(secret, side, *said))
