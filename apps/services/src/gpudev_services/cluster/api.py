"""`api` as a service of its own: it answers from the database, calls no provider, and any number of it may run."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import tempfile
from collections.abc import Iterator, Sequence

import attrs
import structlog

from gpudev_sdk.engine.context import Engine
from gpudev_sdk.errors import InvalidRequest
from gpudev_sdk.ssh.audience import audience
from gpudev_sdk.store.bell import Ring
from gpudev_sdk.store.listener import Listener
from gpudev_sdk.store.pool import Store
from gpudev_sdk.wire.views import GatewayView
from gpudev_services.api.app import create_app
from gpudev_services.api.desk import Desk
from gpudev_services.api.hub import Hub
from gpudev_services.api.metrics import Figures
from gpudev_services.cluster.edge import Edge
from gpudev_services.cluster.ending import Ending
from gpudev_services.cluster.parts import Given, answering, opened
from gpudev_services.cluster.readiness import Readiness
from gpudev_services.cluster.secrets import API_DSN, GATEWAY_KEY, HOST_CA
from gpudev_services.tls import Certificates
from gpudev_services.up import build
from gpudev_services.up.doors import ApiDoors, address, wide_socket
from gpudev_services.up.folder import DataFolder

log = structlog.get_logger()
CONNECTIONS = 12
#: Seconds between two looks at whether the certificate's files were renewed.
RENEW_LOOK = 60.0
ANYWHERE = ("0.0.0.0", "::", "")


@attrs.frozen(kw_only=True)
class Fixed:
    """What is read once, before anything is answered: what is wrong with it shows at once."""

    given: Given
    dsn: str = attrs.field(repr=False)
    nonce_secret: bytes = attrs.field(repr=False)
    gateway: GatewayView
    certificates: Certificates | None
    audiences: frozenset[str]


def read_fixed(given: Given, listen: str, origins: Sequence[str]) -> Fixed:
    """Read and check it. People sign their logins for the origins and for the configuration's `names`."""
    certificates = given.secrets.certificates()
    host, port = address(given.configuration.settings.gateway, "gateway")
    _, own = address(listen, "--listen")
    # By its own port, or by 443 where something in front of it has that.
    named = [f"https://{name}{port}" for name in given.configuration.settings.names for port in (f":{own}", "")]
    dialled = [*origins, *named]
    if not dialled:
        log.warning("nobody can sign in: name where people reach the API by --public-origin or `names`")
    view = GatewayView(
        port=port,
        host=None if host in (*ANYWHERE, "127.0.0.1") else host,
        host_key=given.secrets.public_line(GATEWAY_KEY),
        host_ca=given.secrets.public_line(HOST_CA),
    )
    return Fixed(
        given=given,
        dsn=given.dsn(API_DSN),
        nonce_secret=given.secrets.nonce_secret(),
        gateway=view,
        certificates=certificates,
        audiences=_audiences(dialled, certificates),
    )


def _audiences(origins: Sequence[str], certificates: Certificates | None) -> frozenset[str]:
    pins = [None] if certificates is None or not certificates.pin else [None, certificates.pin]
    try:
        return frozenset(audience(origin, pin) for origin in origins for pin in pins)
    except InvalidRequest as error:
        raise InvalidRequest(
            f"--public-origin: {error.message}", hint="Write it like https://gpu.example, without a path."
        ) from error


def run(given: Given, listen: str, origins: Sequence[str], ending: Ending) -> None:
    """Answer until told to end; the probes from the beginning, all else once the database is there."""
    fixed = read_fixed(given, listen, origins)
    build.named_plugins(given.configuration)
    with opened(fixed.dsn, CONNECTIONS) as store, _folder() as folder:
        asyncio.run(_serve(fixed, listen, store, folder, ending))


@contextlib.contextmanager
def _folder() -> Iterator[DataFolder]:
    """Give logins a folder, which every provider is built with."""
    with tempfile.TemporaryDirectory(prefix="gpudev-api-") as name:
        yield DataFolder(pathlib.Path(name))


async def _serve(fixed: Fixed, listen: str, store: Store, folder: DataFolder, ending: Ending) -> None:
    readiness, hub = Readiness(store, fixed.dsn), Hub()
    hub.bind()
    edge = Edge(readiness.why_not, Figures(store).text)
    doors = ApiDoors(edge)
    socket = wide_socket(listen)
    doors.open_wide(socket, fixed.certificates)
    await doors.ready()
    log.info("api listens", port=socket.getsockname()[1], tls=fixed.certificates is not None)
    listener = Listener(fixed.dsn, hub.ring, lambda: hub.ring(Ring("access")))
    renewing = asyncio.create_task(_keep_fresh(doors, fixed.certificates))
    try:
        if await asyncio.to_thread(readiness.wait, ending):
            desk = await asyncio.to_thread(_desk, fixed, store, folder, hub)
            edge.open(create_app(desk))
            listener.start()
            log.info("api answers", backends=sorted(desk.engine.backends), logins=sorted(desk.logins))
            await asyncio.to_thread(ending.over.wait)
    finally:
        renewing.cancel()
        hub.close()
        await doors.close()
        listener.stop()


def _desk(fixed: Fixed, store: Store, folder: DataFolder, hub: Hub) -> Desk:
    configuration = fixed.given.configuration
    engine: Engine = answering(fixed.given, store)
    logins, _ = build.logins(configuration, engine.install_id, folder)
    return Desk(
        engine=engine,
        doctor_engine=engine,
        hub=hub,
        name=configuration.settings.name,
        nonce_secret=fixed.nonce_secret,
        logins=logins,
        audiences=fixed.audiences,
        gateway=fixed.gateway,
        ca_pem=(fixed.certificates.ca_pem or None) if fixed.certificates else None,
    )


async def _keep_fresh(doors: ApiDoors, certificates: Certificates | None) -> None:
    """Show a renewed certificate once its files are in place."""
    if certificates is None:
        return
    shown = certificates.certificate.stat().st_mtime_ns
    while True:
        await asyncio.sleep(RENEW_LOOK)
        with contextlib.suppress(OSError):
            # OSError (ssl.SSLError is one): the two files are being replaced; what is shown stays until the next look.
            found = certificates.certificate.stat().st_mtime_ns
            if found != shown:
                doors.renew(certificates)
                shown = found
                log.info("the certificate was renewed")
