"""The files of a box, as the engine sends them: real keys, so that a real SSH server starts on them."""

from __future__ import annotations

import json
import time
import uuid

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    SSHCertificateBuilder,
    SSHCertificateType,
)

_DAY = 24 * 3600


def box_files(name: str, *, notice: str = "", authorized: str = "") -> dict[str, bytes]:
    """Return first files for a box: a fresh host key with its certificate, and one person's key."""
    key, now = Ed25519PrivateKey.generate(), int(time.time())
    certificate = (
        SSHCertificateBuilder()
        .public_key(key.public_key())
        .serial(1)
        .type(SSHCertificateType.HOST)
        .key_id(name.encode())
        .valid_for_all_principals()  # type: ignore[no-untyped-call]
        .valid_after(now - _DAY)
        .valid_before(now + _DAY)
        .sign(Ed25519PrivateKey.generate())
    )
    about = {"id": str(uuid.uuid4()), "name": name, "owner": "ada", "gpu_type": "cpu", "gpus": 0,
             "agent_forwarding": False, "expires_at": None}  # fmt: skip
    return {
        "authorized_keys": f"{authorized or public_line(Ed25519PrivateKey.generate())}\n".encode(),
        "host_key": key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
        "host_key-cert.pub": certificate.public_bytes() + b"\n",
        "reservation.json": json.dumps(about).encode(),
        "notice": notice.encode(),
    }


def public_line(key: Ed25519PrivateKey) -> str:
    """Return a key's public line."""
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
