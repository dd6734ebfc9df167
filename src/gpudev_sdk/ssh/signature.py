"""The form of an SSH signature as `ssh-keygen -Y sign` writes it (OpenSSH's PROTOCOL.sshsig): read, not believed."""

from __future__ import annotations

import base64
import binascii
import hashlib

import attrs

from gpudev_sdk.errors import InvalidRequest
from gpudev_sdk.ssh.blobs import Blob, string
from gpudev_sdk.ssh.keys import PublicKey, key_from_blob

_MAGIC = b"SSHSIG"
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
MAX_TEXT = 16 * 1024
HASHES = ("sha256", "sha512")


@attrs.frozen(kw_only=True)
class Signature:
    """What a signature says of itself."""

    key: PublicKey
    namespace: str
    hash_name: str
    #: The algorithm inside, and the signature proper with it.
    algorithm: str
    raw: bytes = attrs.field(repr=False)

    def signed(self, message: bytes) -> bytes:
        """Return the bytes over which the key signed, if it signed this message."""
        digest = hashlib.new(self.hash_name, message).digest()
        return _MAGIC + string(self.namespace) + string(b"") + string(self.hash_name) + string(digest)


def parse_signature(text: str) -> Signature:
    """Read an armoured signature; raise InvalidRequest for whatever is not one that a login may use."""
    try:
        blob = Blob(_unwrap(text))
        if blob.take(len(_MAGIC)) != _MAGIC or blob.uint32() != 1:
            raise ValueError("it is of another kind or version")
        key, namespace, reserved = key_from_blob(blob.string()), blob.string().decode(), blob.string()
        hash_name, raw = blob.text(), blob.string()
        blob.end()
        algorithm = Blob(raw).text()
        if reserved or hash_name not in HASHES:
            raise ValueError("it is of another kind")
        _check_algorithm(key.kind, algorithm)
    except (ValueError, binascii.Error) as error:
        raise InvalidRequest(f"that is not an SSH signature: {error}", field="signature") from error
    return Signature(key=key, namespace=namespace, hash_name=hash_name, algorithm=algorithm, raw=raw)


def _unwrap(text: str) -> bytes:
    lines = text.strip().splitlines() if len(text) <= MAX_TEXT else []
    if len(lines) < 3 or lines[0] != _BEGIN or lines[-1] != _END:
        raise ValueError("its first and last line are not those of one")
    return base64.b64decode("".join(lines[1:-1]), validate=True)


def _check_algorithm(kind: str, algorithm: str) -> None:
    """An RSA key may not sign with SHA-1; every other key has one algorithm, its own."""
    allowed = ("rsa-sha2-256", "rsa-sha2-512") if kind == "ssh-rsa" else (kind,)
    if algorithm not in allowed:
        raise ValueError(f"{algorithm[:40]!r} is not accepted for that key")
