"""The install's host CA and the gateway's own key: made once, kept in 0600 files, used in this process only.

Boxes get a host key an attempt, signed without principals, because a box has other names for other people. The
gateway's key is not signed by the CA: it is known by itself, so that no box can pose as the gateway.
"""

from __future__ import annotations

import os
import pathlib
import stat
import time
from collections.abc import Callable

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    SSHCertificate,
    SSHCertificateBuilder,
    SSHCertificateType,
    load_ssh_private_key,
    load_ssh_public_identity,
    load_ssh_public_key,
)

from gpudev_sdk.errors import ConfigError
from gpudev_sdk.ssh.keys import parse_public_key
from gpudev_sdk.ssh.once import make_once

CERT_LASTS = 24 * 3600
#: So that a client whose clock is behind, or a host whose clock was set back, still takes a fresh certificate.
BACKDATED = 2 * 3600


class HostAuthority:
    """Makes and signs the host keys of boxes, from keys in one folder of the install."""

    def __init__(self, folder: pathlib.Path, clock: Callable[[], float] = time.time) -> None:
        """Load the keys of `folder`, or make them; however many processes do so at once, they get the same ones."""
        self._clock = clock
        self._ca_path = folder / "host_ca"
        self._gateway_path = folder / "gateway_host_key"
        self._ca = _load(self._ca_path)
        self._gateway = _load(self._gateway_path)

    @property
    def public_line(self) -> str:
        """The CA's public key, as it stands behind `@cert-authority`."""
        return _public_line(self._ca)

    @property
    def gateway_public_line(self) -> str:
        """The gateway's own public key."""
        return _public_line(self._gateway)

    def gateway_key(self) -> pathlib.Path:
        """Return the file of the gateway's own private key."""
        return self._gateway_path

    def new_host_key(self) -> tuple[str, str]:
        """Return a fresh private key in OpenSSH form and its public line."""
        key = Ed25519PrivateKey.generate()
        return _private_text(key).decode(), _public_line(key)

    def sign_host_key(self, public: str, serial: int) -> str:
        """Return the certificate line for a host key: without principals, good for a day from now."""
        line = parse_public_key(public).line
        now = int(self._clock())
        builder = (
            SSHCertificateBuilder()
            .public_key(load_ssh_public_key(line.encode()))  # type: ignore[arg-type]
            .serial(serial)
            .type(SSHCertificateType.HOST)
            .key_id(f"gpudev-{serial}".encode())
            .valid_for_all_principals()  # type: ignore[no-untyped-call]
            .valid_after(now - BACKDATED)
            .valid_before(now + CERT_LASTS)
        )
        return str(builder.sign(self._ca).public_bytes(), "ascii")

    def has_signed(self, certificate: str) -> bool:
        """Say whether a certificate line is of this authority, and not of one that it took the place of."""
        try:
            found = load_ssh_public_identity(certificate.encode())
        except (ValueError, UnsupportedAlgorithm):
            return False
        by = found.signature_key() if isinstance(found, SSHCertificate) else None
        return isinstance(by, Ed25519PublicKey) and by.public_bytes_raw() == self._ca.public_key().public_bytes_raw()


def _private_text(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


def _public_line(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _load(path: pathlib.Path) -> Ed25519PrivateKey:
    text = make_once(path, lambda: _private_text(Ed25519PrivateKey.generate()))
    where = f"the key {path}"
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o077 or found.st_uid != os.geteuid():
        raise ConfigError(f"{where} can be read by others", hint=f"Make it yours alone: chmod 600 {path}")
    try:
        key = load_ssh_private_key(text, password=None)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(
            f"{where} is damaged", hint="Put it back from a backup; a new one locks clients out."
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{where} is not an Ed25519 key", hint="Put back the one that gpudev made.")
    return key
