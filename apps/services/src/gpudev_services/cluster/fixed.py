"""What the API reads once, before anything is answered: what is wrong with it shows at once."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import attrs
import structlog

from gpudev_sdk.errors import InvalidRequest
from gpudev_sdk.ssh.audience import audience, split_pin
from gpudev_sdk.wire.views import GatewayView
from gpudev_services.cluster.certificates import LOOPBACK, Shown, has_authority, shown
from gpudev_services.cluster.parts import Given
from gpudev_services.cluster.secrets import API_DSN, GATEWAY_KEY, HOST_CA
from gpudev_services.up.doors import address

log = structlog.get_logger()
ANYWHERE = ("0.0.0.0", "::", "")


@attrs.frozen(kw_only=True)
class Fixed:
    """All of it."""

    given: Given
    dsn: str = attrs.field(repr=False)
    nonce_secret: bytes = attrs.field(repr=False)
    gateway: GatewayView
    shown: Shown | None
    audiences: frozenset[str]

    @property
    def ca_pem(self) -> bytes | None:
        """The authority that people pin, if there is one."""
        return (self.shown.certificates.ca_pem or None) if self.shown else None


def read_fixed(given: Given, listen: str, origins: Sequence[str], folder: pathlib.Path) -> Fixed:
    """Read and check it. People sign their logins for the origins and for the configuration's `names`.

    A certificate that is made here lies in `folder`.
    """
    host, port = address(given.configuration.settings.gateway, "gateway")
    dialled = _dialled(given, listen, origins)
    _audiences(dialled, None)
    certificate = shown(given.secrets, folder, _names(given, origins))
    view = GatewayView(
        port=port,
        host=None if host in (*ANYWHERE, "127.0.0.1") else host,
        host_key=given.secrets.public_line(GATEWAY_KEY),
        host_ca=given.secrets.public_line(HOST_CA),
    )
    pin = certificate.certificates.pin if certificate else ""
    return Fixed(
        given=given,
        dsn=given.dsn(API_DSN),
        nonce_secret=given.secrets.nonce_secret(),
        gateway=view,
        shown=certificate,
        audiences=_audiences(dialled, None) | (_audiences(dialled, pin) if pin else frozenset()),
    )


def _dialled(given: Given, listen: str, origins: Sequence[str]) -> list[str]:
    _, own = address(listen, "--listen")
    names = [*given.configuration.settings.names, *(LOOPBACK if has_authority(given.secrets) else ())]
    # By its own port, or by 443 where something in front of it has that.
    named = [
        f"https://{f'[{name}]' if ':' in name else name}{port}"
        for name in names
        for port in ((f":{own}", "") if own else ("",))
    ]
    if not origins and not named:
        log.warning("nobody can sign in: name where people reach the API by --public-origin or `names`")
    return [*origins, *named]


def _names(given: Given, origins: Sequence[str]) -> list[str]:
    """Return the names that a certificate of ours is for."""
    hosts = [split_pin(origin)[0].split("://")[1].rpartition(":")[0].strip("[]") for origin in origins]
    return [*given.configuration.settings.names, *hosts, *LOOPBACK]


def _audiences(origins: Sequence[str], pin: str | None) -> frozenset[str]:
    try:
        return frozenset(audience(origin, pin) for origin in origins)
    except InvalidRequest as error:
        raise InvalidRequest(
            f"--public-origin: {error.message}", hint="Write it like https://gpu.example, without a path."
        ) from error
