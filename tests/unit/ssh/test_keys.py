"""Public keys as people paste them."""

from __future__ import annotations

import base64
import struct

import pytest

from gpudev_sdk.errors import InvalidRequest
from gpudev_sdk.ssh.keys import key_from_blob, parse_public_key

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICrmz4pTqlLYEaqa6WZmwUvnC4mDbYrkKNcnmYPDCl3F"
P256_POINT = bytes.fromhex(
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)


def line(kind: str, *fields: bytes, comment: str = "") -> str:
    parts = [kind.encode(), *fields]
    blob = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    return f"{kind} {base64.b64encode(blob).decode()} {comment}".strip()


def rsa(bits: int, exponent: bytes = b"\x01\x00\x01") -> str:
    modulus = (1 << (bits - 1)) + 1
    return line("ssh-rsa", exponent, modulus.to_bytes(bits // 8 + 1, "big"))


def test_a_key_is_read_with_its_comment() -> None:
    key = parse_public_key(f"{ED25519} kim@lab\n")
    assert (key.kind, key.line, key.comment) == ("ssh-ed25519", ED25519, "kim@lab")


def test_a_fingerprint_is_sha256_of_the_blob_without_padding() -> None:
    assert parse_public_key(ED25519).fingerprint.startswith("SHA256:")
    assert len(parse_public_key(ED25519).fingerprint) == len("SHA256:") + 43


def test_the_comment_never_gets_into_the_line() -> None:
    assert parse_public_key(f'{ED25519} command="rm -rf /"').line == ED25519


@pytest.mark.parametrize(
    "text",
    [
        line("ecdsa-sha2-nistp256", b"nistp256", P256_POINT),
        line("sk-ssh-ed25519@openssh.com", bytes(32), b"ssh:"),
        line("sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", P256_POINT, b"ssh:"),
        rsa(3072),
        rsa(4096),
    ],
)
def test_every_accepted_type_is_read(text: str) -> None:
    assert parse_public_key(text).line == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n", "private key"),
        ("-----BEGIN RSA PRIVATE KEY-----", "private key"),
        ("PuTTY-User-Key-File-3: ssh-ed25519", "private key"),
        ("---- BEGIN SSH2 PUBLIC KEY ----", "another format"),
        (f"{ED25519}\n{ED25519}", "more than one line"),
        (f"{ED25519} a\x1bb", "control characters"),
        (f"{ED25519} a\u2028b", "control characters"),
        (f'command="id" {ED25519}', "options in front"),
        (f"no-pty {ED25519}", "options in front"),
        (ED25519.replace("ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com"), "certificate"),
        (line("ssh-dss", b"x"), "too weak"),
        (line("ssh-ed448", bytes(57)), "not a type"),
        (rsa(2048), "2048 bits"),
        (rsa(3072, b"\x02"), "not those of an RSA key"),
        ("ssh-ed25519", "damaged"),
        ("ssh-ed25519 ####", "damaged"),
        (f"{ED25519}A", "damaged"),
        (line("ssh-ed25519", bytes(31)), "damaged"),
        (line("ssh-ed25519", bytes(32), b"more"), "damaged"),
        (line("ecdsa-sha2-nistp256", b"nistp256", P256_POINT[:-1] + b"\x00"), "not a point"),
        (line("ecdsa-sha2-nistp384", b"nistp256", P256_POINT), "curve"),
        (ED25519.replace("ssh-ed25519 ", "ssh-rsa "), "damaged"),
        ("ssh-ed25519 " + "A" * 20000, "16 KB"),
        (f"ssh-ed25519 {'é' * 9000}", "16 KB"),
        (f"{ED25519} \ud800", "control characters"),
    ],
)
def test_what_is_no_key_is_refused_by_what_it_is(text: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said) as refused:
        parse_public_key(text)
    assert refused.value.field == "public_key"
    assert refused.value.hint


def test_a_private_key_is_not_repeated_in_the_error() -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_public_key("-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----")
    assert "c2VjcmV0" not in f"{refused.value.message}{refused.value.hint}"


def test_base64_that_says_the_same_in_other_letters_is_refused() -> None:
    spelled = line("sk-ssh-ed25519@openssh.com", bytes(32), b"ssh:")
    assert spelled.endswith("=")
    kind, _, body = spelled.partition(" ")
    stripped = body.rstrip("=")
    other = stripped[:-1] + chr(ord(stripped[-1]) + 1) + "=" * (len(body) - len(stripped))
    assert base64.b64decode(other) == base64.b64decode(body)
    with pytest.raises(InvalidRequest, match="damaged"):
        parse_public_key(f"{kind} {other}")


def test_a_blob_is_read_as_its_line_is() -> None:
    assert key_from_blob(base64.b64decode(ED25519.split()[1])) == parse_public_key(ED25519)
