"""The secrets of a service: one file each, in a folder that is mounted for reading. Read at the start; none is ever logged."""

from __future__ import annotations

import base64
import binascii
import pathlib
import uuid

import attrs
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from gpudev_sdk.errors import ConfigError
from gpudev_sdk.ssh.keys import parse_public_key
from gpudev_sdk.store.dsn import quoted

OWNER_DSN, API_DSN, ENGINE_DSN = "owner-dsn", "api-dsn", "engine-dsn"
HOST_CA, GATEWAY_KEY, NONCE, CONTROL_PLANE = "host-ca", "gateway-key", "nonce-secret", "control-plane-id"
#: What the API serves TLS with: a certificate of somebody's, or an authority that it makes its own with.
CERTIFICATE, CERTIFICATE_KEY, AUTHORITY, AUTHORITY_KEY = "tls.crt", "tls.key", "ca.crt", "ca.key"
NONCE_BYTES = 32
MAKE_KEY = (
    "Put an Ed25519 key without a passphrase there, in OpenSSH or PKCS#8 form: ssh-keygen -t ed25519 -N '' -f {}."
)
#: What each file holds, for whoever has to put it there.
WANTED = {
    OWNER_DSN: "Put the connection string of the database's owner there.",
    API_DSN: "Put the connection string of gpudev_api there.",
    ENGINE_DSN: "Put the connection string of gpudev_engine there.",
    HOST_CA: MAKE_KEY.format(HOST_CA),
    GATEWAY_KEY: MAKE_KEY.format(GATEWAY_KEY),
    NONCE: "Put 32 random bytes there, in base64 or as they are: openssl rand -base64 32.",
    CONTROL_PLANE: "Put a UUID there, and never change it: uuidgen.",
}
FIRST = "`gpudev-services first-secrets` makes all of them in a cluster."


@attrs.frozen
class Secrets:
    """The files of one folder."""

    folder: pathlib.Path

    def has(self, name: str) -> bool:
        """Say whether there is such a file."""
        return (self.folder / name).exists()

    def text(self, name: str) -> str:
        """Return a file's text without the space around it; raise ConfigError, which names the file and the next step."""
        path = self.folder / name
        try:
            found = self._bytes(name).decode().strip()
        except UnicodeDecodeError as error:
            raise ConfigError(f"the secret {path} is no text", hint=WANTED.get(name)) from error
        if not found or "\0" in found:
            raise ConfigError(f"the secret {path} is empty or no text", hint=WANTED.get(name))
        return found

    def _bytes(self, name: str) -> bytes:
        path = self.folder / name
        try:
            return path.read_bytes()
        except FileNotFoundError as error:
            hint = f"{WANTED.get(name, '')} {FIRST}".strip()
            raise ConfigError(f"the secret {path} is missing", hint=hint) from error
        except OSError as error:
            hint = "Have the secret mounted as a file that this service's user may read."
            raise ConfigError(f"the secret {path} cannot be read: {error.strerror}", hint=hint) from error

    def dsn(self, name: str, plain: str) -> str:
        """Return how one role connects: what the file says, or `plain` of the configuration with that role's password file."""
        role = name.removesuffix("-dsn")
        if self.has(name) or not plain or not self.has(f"{role}-password"):
            return self.text(name)
        return f"{plain} user=gpudev_{role} password={quoted(self.text(f'{role}-password'))}"

    def key(self, name: str) -> Ed25519PrivateKey:
        """Return a private key."""
        content = self._bytes(name)
        load = load_ssh_private_key if b"OPENSSH PRIVATE KEY" in content else load_pem_private_key
        try:
            key = load(content, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ConfigError(f"the secret {self.folder / name} is no usable key", hint=WANTED[name]) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigError(f"the secret {self.folder / name} is no Ed25519 key", hint=WANTED[name])
        return key

    def public_line(self, name: str) -> str:
        """Return a key's public line: of the file NAME.pub where there is one, so that a service need not have the key."""
        if self.has(f"{name}.pub"):
            return parse_public_key(self.text(f"{name}.pub")).line
        return self.key(name).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()

    def nonce_secret(self) -> bytes:
        """Return the key that login nonces are made with; every API of an install has the same one."""
        content = self._bytes(NONCE)
        try:
            decoded = base64.b64decode(content.strip(), validate=True)
        except binascii.Error:
            decoded = content
        found = decoded if len(decoded) >= NONCE_BYTES else content
        if len(found) < NONCE_BYTES:
            raise ConfigError(
                f"the secret {self.folder / NONCE} is shorter than {NONCE_BYTES} bytes", hint=WANTED[NONCE]
            )
        return found

    def control_plane_id(self) -> uuid.UUID:
        """Return who we are among control planes: kept beside the database, so that a copy of that is found out."""
        text = self.text(CONTROL_PLANE)
        try:
            return uuid.UUID(text)
        except ValueError as error:
            raise ConfigError(
                f"the secret {self.folder / CONTROL_PLANE} is no UUID", hint=WANTED[CONTROL_PLANE]
            ) from error

    def content(self, name: str) -> bytes:
        """Return a file as it is; empty if it is not there."""
        return self._bytes(name) if self.has(name) else b""


def private_text(key: Ed25519PrivateKey) -> bytes:
    """Return a private key in OpenSSH form."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
