"""`api` as a service of its own: it answers from the database, calls no provider, and any number of it may run."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs
import structlog

from gpudev_sdk.engine.context import Engine
from gpudev_sdk.errors import ConfigError, Unavailable
from gpudev_sdk.store.bell import Ring
from gpudev_sdk.store.listener import Listener
from gpudev_sdk.store.pool import Store
from gpudev_services.api.app import create_app
from gpudev_services.api.desk import Desk
from gpudev_services.api.hub import Hub
from gpudev_services.api.metrics import CONTENT_TYPE, Figures
from gpudev_services.cluster.certificates import Shown
from gpudev_services.cluster.edge import STARTING, Edge
from gpudev_services.cluster.ending import Ending
from gpudev_services.cluster.fixed import Fixed, read_fixed
from gpudev_services.cluster.health import Answer, living, ready, serving
from gpudev_services.cluster.local import operator, prepared, refusing
from gpudev_services.cluster.parts import Given, answering, opened
from gpudev_services.cluster.readiness import Readiness
from gpudev_services.tls import end_of
from gpudev_services.up import build
from gpudev_services.up.doors import ApiDoors, local_socket, wide_socket
from gpudev_services.up.folder import DataFolder

log = structlog.get_logger()
CONNECTIONS = 12
#: Seconds between two looks at whether the certificate's files were renewed.
RENEW_LOOK = 60.0
#: Seconds within which the loop that answers people gives a sign of life.
BEAT = 5.0


@attrs.frozen(kw_only=True)
class Where:
    """Where the API listens."""

    listen: str
    #: Where people reach it.
    origins: Sequence[str] = ()
    #: For probes and metrics, which ask for no token; nowhere if None.
    health: str | None = None
    #: A folder for the socket of whoever owns this machine; there is none if None.
    local: pathlib.Path | None = None
    #: The configuration's file, which that folder shows as its own.
    config: pathlib.Path | None = None


def run(given: Given, where: Where, ending: Ending) -> None:
    """Answer until told to end; the probes from the beginning, all else once the database is there."""
    with _folder(where) as folder:
        fixed = read_fixed(given, where.listen, where.origins, folder.tls)
        build.named_plugins(given.configuration)
        with opened(fixed.dsn, CONNECTIONS) as store:
            asyncio.run(_Api(fixed, where, store, folder).serve(ending))


@contextlib.contextmanager
def _folder(where: Where) -> Iterator[DataFolder]:
    """Give logins a folder, which every provider is built with; the local socket is in it."""
    if where.local is not None:
        yield prepared(where.local, where.config)
        return
    with tempfile.TemporaryDirectory(prefix="gpudev-api-") as name:
        yield DataFolder(pathlib.Path(name))


@attrs.frozen
class _Api:
    """One API, from the first probe to the last answer."""

    fixed: Fixed
    where: Where
    store: Store
    folder: DataFolder
    edge: Edge = attrs.field(factory=Edge)

    async def serve(self, ending: Ending) -> None:
        readiness, hub = Readiness(self.store, self.fixed.dsn), Hub()
        hub.bind()
        doors = ApiDoors(self.edge)
        with serving(self.where.health, self._probes(readiness, asyncio.get_running_loop())):
            await self._open(doors)
            listener = Listener(self.fixed.dsn, hub.ring, lambda: hub.ring(Ring("access")))
            renewing = asyncio.create_task(_keep_fresh(doors, self.fixed.shown))
            try:
                if await asyncio.to_thread(readiness.wait, ending):
                    desk = await asyncio.to_thread(self._desk, hub)
                    self.edge.open(create_app(desk))
                    listener.start()
                    log.info("api answers", backends=sorted(desk.engine.backends), logins=sorted(desk.logins))
                    await asyncio.to_thread(ending.over.wait)
            finally:
                renewing.cancel()
                hub.close()
                await doors.close()
                listener.stop()

    async def _open(self, doors: ApiDoors) -> None:
        socket = wide_socket(self.where.listen)
        doors.open_wide(socket, self.fixed.shown.certificates if self.fixed.shown else None)
        if self.where.local is not None:
            doors.open_local(local_socket(self.folder.socket_path()))
        await doors.ready()
        log.info("api listens", port=socket.getsockname()[1], tls=self.fixed.shown is not None)

    def _probes(self, readiness: Readiness, loop: asyncio.AbstractEventLoop) -> Mapping[str, Callable[[], Answer]]:
        shown = self.fixed.shown
        figures = Figures(
            self.store,
            backends=self.fixed.given.configuration.backends,
            certificate_end=lambda: end_of(shown.certificates) if shown else None,
        )

        def alive() -> Answer:
            beat = threading.Event()
            loop.call_soon_threadsafe(beat.set)
            if not beat.wait(BEAT):
                raise Unavailable("it answers nobody")
            return living()

        return {
            "/healthz": alive,
            "/readyz": lambda: ready(lambda: readiness.why_not() or (None if self.edge.is_open else STARTING)),
            "/metrics": lambda: Answer(200, figures.text(), CONTENT_TYPE),
        }

    def _desk(self, hub: Hub) -> Desk:
        configuration = self.fixed.given.configuration
        engine: Engine = answering(self.fixed.given, self.store)
        logins, _ = build.logins(configuration, engine.install_id, self.folder)
        return Desk(
            engine=engine,
            doctor_engine=engine,
            hub=hub,
            name=configuration.settings.name,
            nonce_secret=self.fixed.nonce_secret,
            logins=logins,
            audiences=self.fixed.audiences,
            gateway=self.fixed.gateway,
            ca_pem=self.fixed.ca_pem,
            operator=None if self.where.local is None else operator(engine),
            admin=refusing(),
        )


async def _keep_fresh(doors: ApiDoors, shown: Shown | None) -> None:
    """Show a renewed certificate once its files are in place."""
    if shown is None:
        return
    certificates = shown.certificates
    known = certificates.certificate.stat().st_mtime_ns
    while True:
        await asyncio.sleep(RENEW_LOOK)
        try:
            await asyncio.to_thread(shown.renew)
            found = certificates.certificate.stat().st_mtime_ns
            if found != known:
                doors.renew(certificates)
                known = found
                log.info("the certificate was renewed")
        except OSError:
            # ssl.SSLError is one: the two files are being replaced; what is shown stays until the next look.
            continue
        except ConfigError as error:
            log.error("the certificate cannot be renewed", reason=error.message, next_step=error.hint)
