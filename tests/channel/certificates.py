"""Throw-away certificate authorities, and what Ray's environment says of their certificates."""

import datetime as dt
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def issued(folder: Path) -> dict[str, str]:
    """A new authority and a certificate of it, as the environment of a node of Ray."""
    folder.mkdir()
    authority_key, node_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _signed("authority", authority_key, "authority", authority_key, is_authority=True)
    node = _signed("node", node_key, "authority", authority_key, is_authority=False)
    files = {
        "RAY_TLS_CA_CERT": authority.public_bytes(serialization.Encoding.PEM),
        "RAY_TLS_SERVER_CERT": node.public_bytes(serialization.Encoding.PEM),
        "RAY_TLS_SERVER_KEY": node_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    }
    for name, pem in files.items():
        (folder / name).write_bytes(pem)
    return {"RAY_USE_TLS": "1"} | {name: str(folder / name) for name in files}


def _signed(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
