"""Public keys as people paste them: read strictly, without a cryptographic library, so that the client can do it too.

What is stored and written into files is made anew from the checked parts; of the given text, only the key survives.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

import attrs

from gpudev_sdk.errors import InvalidRequest
from gpudev_sdk.ssh.blobs import Blob

MAX_TEXT = 16 * 1024
MIN_RSA_BITS = 3072
MAX_RSA_BITS = 16384
MAKE_ONE = "Make one: ssh-keygen -t ed25519, and give the file that ends in .pub."

#: Curves by name: bytes of a coordinate, prime, and the curve's b (a is always -3).
_CURVES: dict[str, tuple[int, int, int]] = {
    "nistp256": (
        32,
        2**256 - 2**224 + 2**192 + 2**96 - 1,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    ),
    "nistp384": (
        48,
        2**384 - 2**128 - 2**96 + 2**32 - 1,
        0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
    ),
    "nistp521": (
        66,
        2**521 - 1,
        int(
            "0051953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109E156193951EC7E937B1652C0BD3BB1BF073573DF88"
            "3D2C34F1EF451FD46B503F00",
            16,
        ),
    ),
}
KINDS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa",
)


@attrs.frozen(kw_only=True)
class PublicKey:
    """A checked public key."""

    kind: str
    #: `kind base64`, without options and comment.
    line: str
    #: `SHA256:…`, as ssh-keygen prints it.
    fingerprint: str
    comment: str = ""


def parse_public_key(text: str) -> PublicKey:
    """Read one public key line; raise InvalidRequest, saying what it is instead, for anything else."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_TEXT:
        raise _refuse("the key is longer than 16 KB")
    _refuse_other_formats(text)
    stripped = text.strip(" \t\r\n")
    if not stripped:
        raise _refuse("the key is empty")
    if not all(char.isprintable() or char == "\t" for char in stripped):
        raise _refuse("the key is more than one line, or holds control characters", "Give one key at a time.")
    kind, _, rest = stripped.replace("\t", " ").partition(" ")
    encoded, _, comment = rest.strip().partition(" ")
    _check_kind(kind, rest)
    return _from_blob(_decode(encoded), kind, comment.strip())


def key_from_blob(blob: bytes, comment: str = "") -> PublicKey:
    """Read a public key in its binary form; raise InvalidRequest."""
    return _from_blob(blob, None, comment)


def _refuse(message: str, hint: str = MAKE_ONE) -> InvalidRequest:
    return InvalidRequest(message, field="public_key", hint=hint)


def _refuse_other_formats(text: str) -> None:
    if "PRIVATE KEY" in text or text.lstrip().startswith("PuTTY-User-Key-File"):
        raise _refuse(
            "that is a private key; it has to stay with you, and no server should ever see it",
            "Give the file that ends in .pub. If the private key left your machine, make a new pair.",
        )
    if "SSH2 PUBLIC KEY" in text or "BEGIN PUBLIC KEY" in text or "BEGIN RSA PUBLIC KEY" in text:
        raise _refuse("that is a public key in another format", "Convert it: ssh-keygen -i -f FILE.")


def _check_kind(kind: str, rest: str) -> None:
    if kind in KINDS:
        return
    if kind.endswith(("-cert-v01@openssh.com", "-cert-v00@openssh.com")):
        raise _refuse("that is a certificate, not a key", "Give the key's own .pub file.")
    if kind in ("ssh-dss", "ssh-dsa"):
        raise _refuse("DSA keys are too weak")
    if any(known in rest for known in KINDS):
        raise _refuse("the key has options in front of it", "Give only the type and the key.")
    shown = kind if len(kind) <= 40 else kind[:37] + "..."
    raise _refuse(f"{shown!r} is not a type of key that is accepted here")


def _decode(encoded: str) -> bytes:
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _refuse("the key is damaged: its body is not base64") from error
    if base64.b64encode(blob).decode() != encoded:
        raise _refuse("the key is damaged: its body is not written as it should be")
    return blob


def _from_blob(blob: bytes, claimed: str | None, comment: str) -> PublicKey:
    try:
        fields = Blob(blob)
        kind = fields.text()
        if kind not in KINDS or claimed not in (None, kind):
            raise ValueError("the type inside is another")
        _check_fields(kind, fields)
        fields.end()
    except ValueError as error:
        raise _refuse(f"the key is damaged: {error}") from error
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return PublicKey(
        kind=kind,
        line=f"{kind} {base64.b64encode(blob).decode()}",
        fingerprint=f"SHA256:{digest}",
        comment="".join(char if char.isprintable() else "?" for char in comment)[:200],
    )


def _check_fields(kind: str, fields: Blob) -> None:
    if kind == "ssh-rsa":
        _check_rsa(fields)
    elif kind.endswith("ed25519") or kind.startswith("sk-ssh-ed25519"):
        if len(fields.string()) != 32:
            raise ValueError("it has the wrong length")
    else:
        _check_point(fields.text(), fields.string(), kind)
    if kind.startswith("sk-") and not fields.text():
        raise ValueError("it names no application")


def _check_rsa(fields: Blob) -> None:
    exponent, modulus = fields.mpint(), fields.mpint()
    bits = modulus.bit_length()
    if bits < MIN_RSA_BITS:
        raise _refuse(f"that RSA key has {bits} bits; {MIN_RSA_BITS} are the least that is accepted")
    if bits > MAX_RSA_BITS or not modulus & 1 or not exponent & 1 or not 3 <= exponent < 2**64:
        raise ValueError("its numbers are not those of an RSA key")


def _check_point(curve: str, point: bytes, kind: str) -> None:
    if curve not in _CURVES or f"-{curve}" not in kind:
        raise ValueError("its curve is another")
    size, prime, b = _CURVES[curve]
    if len(point) != 2 * size + 1 or point[0] != 4:
        raise ValueError("it has the wrong length")
    x, y = int.from_bytes(point[1 : size + 1], "big"), int.from_bytes(point[size + 1 :], "big")
    if x >= prime or y >= prime or (y * y - (x * x * x - 3 * x + b)) % prime:
        raise ValueError("it is not a point of its curve")
