"""Which certificate the API shows: one that is mounted, one that it makes itself with the install's authority, or none."""

from __future__ import annotations

import pathlib
import ssl
from collections.abc import Callable, Sequence

import attrs

from gpudev_sdk.errors import ConfigError
from gpudev_services.cluster.secrets import AUTHORITY, AUTHORITY_KEY, CERTIFICATE, CERTIFICATE_KEY, Secrets
from gpudev_services.tls import Certificates, ensure_certificates, pin_of

#: The API's own machine, from which a port-forward comes.
LOOPBACK = ("127.0.0.1", "localhost", "::1")
AGAIN = (
    "Remove the Secret with both and run first-secrets (helm upgrade) with a new secrets.revision; "
    "people then log in again with the new pin."
)


@attrs.frozen(kw_only=True)
class Shown:
    """A certificate, and how it stays a good one."""

    certificates: Certificates
    #: Sees that the files are good for the coming weeks; for those that somebody else renews, nothing.
    renew: Callable[[], object] = lambda: None


def has_authority(secrets: Secrets) -> bool:
    """Say whether the API makes its certificates itself."""
    return secrets.has(AUTHORITY_KEY) and not secrets.has(CERTIFICATE) and not secrets.has(CERTIFICATE_KEY)


def shown(secrets: Secrets, folder: pathlib.Path, names: Sequence[str]) -> Shown | None:
    """Return what to serve TLS with, or None where that is done in front of us. What is made here lies in `folder`."""
    if has_authority(secrets):
        return _own(secrets, folder, names)
    if secrets.has(CERTIFICATE) or secrets.has(CERTIFICATE_KEY):
        return Shown(certificates=_mounted(secrets))
    return None


def _own(secrets: Secrets, folder: pathlib.Path, names: Sequence[str]) -> Shown:
    """Every API has a certificate of its own by one authority, which is what people pin."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "ca.pem"
    path.touch(mode=0o600)
    path.write_bytes(secrets.content(AUTHORITY_KEY).strip() + b"\n" + secrets.content(AUTHORITY))

    def renew() -> Certificates:
        return ensure_certificates(folder, names)

    try:
        return Shown(certificates=renew(), renew=renew)
    except ConfigError as error:
        where = f"{secrets.folder / AUTHORITY} and {AUTHORITY_KEY}"
        raise ConfigError(f"{where} cannot be used: {error.message}", hint=AGAIN) from error


def _mounted(secrets: Secrets) -> Certificates:
    certificate, key = secrets.folder / CERTIFICATE, secrets.folder / CERTIFICATE_KEY
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        hint = "Mount a certificate and its key, both in PEM form, or neither to have TLS ended in front of the API."
        raise ConfigError(f"{certificate} and {key} cannot be used: {error.strerror or error}", hint=hint) from error
    authority = secrets.content(AUTHORITY)
    pin = pin_of(authority) if authority else ""
    return Certificates(certificate=certificate, key=key, ca_pem=authority, pin=pin)
