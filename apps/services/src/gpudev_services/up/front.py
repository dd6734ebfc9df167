"""Opens the doors of one machine: the desk behind them, the API's sockets, and the gateway."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import attrs
import structlog

from gpudev_sdk.errors import ConfigError
from gpudev_sdk.ssh.audience import audience
from gpudev_sdk.store.bell import Ring
from gpudev_sdk.wire.views import GatewayView
from gpudev_services.api.app import create_app
from gpudev_services.api.desk import Desk
from gpudev_services.api.hub import Hub
from gpudev_services.gateway import Gateway, GatewaySettings, StoreAccess
from gpudev_services.tls import Certificates, ensure_certificates
from gpudev_services.up import build
from gpudev_services.up.doors import ApiDoors, address, local_socket, wide_socket
from gpudev_services.up.powers import Powers

if TYPE_CHECKING:
    from gpudev_services.up.life import Back

log = structlog.get_logger()


#: Seconds between two looks at the certificate's end.
RENEW_LOOK = 24 * 3600.0


@attrs.frozen(kw_only=True)
class Front:
    """The open doors."""

    doors: ApiDoors
    gateway: Gateway
    #: What another machine's person types, or None when only this machine is served.
    login_line: str | None
    local: str
    loop: asyncio.AbstractEventLoop
    renewing: asyncio.Task[None] | None = None

    def rung(self, ring: Ring) -> None:
        """Have the gateway look again at what is open, when access may have changed. Called from any thread."""
        if ring.kind in ("access", "reservation") and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.gateway.recheck)

    async def close(self) -> None:
        """Close all doors."""
        if self.renewing is not None:
            self.renewing.cancel()
        await self.doors.close()
        await self.gateway.stop()


@attrs.frozen(kw_only=True)
class Wide:
    """The door for other machines."""

    listener: socket.socket
    certificates: Certificates
    names: tuple[str, ...]
    #: What clients may have dialled.
    origins: tuple[str, ...]

    @property
    def login_line(self) -> str:
        """What another machine's person types."""
        return f"gpudev login {self.origins[0]}#sha256={self.certificates.pin}"

    @property
    def audiences(self) -> frozenset[str]:
        """What a login may be signed for."""
        return frozenset(audience(origin, self.certificates.pin) for origin in self.origins)


async def open_front(back: Back, hub: Hub, powers: Powers) -> Front:
    """Open them; raise ConfigError where an address cannot be had."""
    wide = _wide(back) if back.configuration.settings.listen else None
    gateway = await _open_gateway(back)
    doors = ApiDoors(create_app(_desk(back, hub, powers, _view(back, gateway), wide)))
    path = back.folder.socket_path()
    doors.open_local(local_socket(path))
    if wide is not None:
        doors.open_wide(wide.listener, wide.certificates)
    await doors.ready()
    loop = asyncio.get_running_loop()
    return Front(
        doors=doors,
        gateway=gateway,
        login_line=None if wide is None else wide.login_line,
        local=str(path),
        loop=loop,
        renewing=None if wide is None else loop.create_task(_keep_fresh(back, doors, wide)),
    )


async def _keep_fresh(back: Back, doors: ApiDoors, wide: Wide) -> None:
    """Renew the server's certificate while it still has months; the CA and its pin stay."""
    while True:
        await asyncio.sleep(RENEW_LOOK)
        doors.renew(await asyncio.to_thread(ensure_certificates, back.folder.tls, wide.names))


def _wide(back: Back) -> Wide:
    settings = back.configuration.settings
    host, _ = address(settings.listen, "listen")
    listener = wide_socket(settings.listen)
    port = listener.getsockname()[1]
    names = settings.names or ([host] if host not in ("0.0.0.0", "::") else [build.host_name()])
    origins = tuple(f"https://{f'[{name}]' if ':' in name else name}:{port}" for name in names)
    certificates = ensure_certificates(back.folder.tls, names)
    return Wide(listener=listener, certificates=certificates, names=tuple(names), origins=origins)


async def _open_gateway(back: Back) -> Gateway:
    host, port = address(back.configuration.settings.gateway, "gateway")
    settings = GatewaySettings(
        host=host, port=port, host_key=back.parts.host_ca.gateway_key(), install=back.configuration.settings.name
    )
    access = StoreAccess(back.api_engine.store)
    if port == 0 and (before := back.folder.gateway_port()) is not None:
        # People's ssh configurations have the port that was free the last time.
        with contextlib.suppress(ConfigError):
            return await _started(Gateway(attrs.evolve(settings, port=before), access))
    gateway = await _started(Gateway(settings, access))
    back.folder.note_gateway_port(gateway.port)
    return gateway


async def _started(gateway: Gateway) -> Gateway:
    await gateway.start()
    return gateway


def _view(back: Back, gateway: Gateway) -> GatewayView:
    authority = back.parts.host_ca
    return GatewayView(
        port=gateway.port, host=None, host_key=authority.gateway_public_line, host_ca=authority.public_line
    )


def _desk(back: Back, hub: Hub, powers: Powers, gateway: GatewayView, wide: Wide | None) -> Desk:
    logins, _ = build.logins(back.configuration, back.parts.install_id, back.folder)
    return Desk(
        engine=back.api_engine,
        doctor_engine=back.engine,
        hub=hub,
        name=back.configuration.settings.name,
        nonce_secret=back.folder.nonce_secret(),
        logins=logins,
        audiences=frozenset() if wide is None else wide.audiences,
        gateway=gateway,
        operator=back.operator,
        ca_pem=None if wide is None else wide.certificates.ca_pem,
        admin=powers.as_admin(),
    )
