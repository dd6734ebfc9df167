"""`processor` as a service of its own: workers over one database and its backends; any number of them may run."""

from __future__ import annotations

import pathlib

import structlog

from gpudev_sdk.engine.claim import Claims
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.errors import Unavailable
from gpudev_sdk.store.pool import Store
from gpudev_services.api.metrics import CONTENT_TYPE, Metrics
from gpudev_services.cluster.ending import Ending
from gpudev_services.cluster.health import Answer, living, ready, serving
from gpudev_services.cluster.parts import Given, acting, opened
from gpudev_services.cluster.readiness import Readiness
from gpudev_services.cluster.secrets import ENGINE_DSN, HOST_CA
from gpudev_services.cluster.telling import OneTeller
from gpudev_services.up import build
from gpudev_services.up.workers import Workers

log = structlog.get_logger()


class Watched:
    """What the probes see of a processor: its database, and once it works, the laws."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness
        self._metrics: Metrics | None = None

    def works(self, engine: Engine, workers: Workers) -> None:
        """From now on there are an engine and its workers to look at."""
        self._metrics = Metrics(engine, "processor", workers.late)

    def ready(self) -> Answer:
        """Say whether it works."""
        if self._metrics is None:
            return ready(lambda: self._readiness.why_not() or Unavailable("it is starting"))
        return ready(self._readiness.why_not)

    def metrics(self) -> Answer:
        """Say how many violations of each law there are, and what is live and held."""
        if self._metrics is None:
            raise Unavailable("it is starting")
        return Answer(200, self._metrics.text(), CONTENT_TYPE)


def run(given: Given, health: str | None, scratch: pathlib.Path, ending: Ending) -> None:
    """Work until told to end; while the database is away, wait for it."""
    dsn, settings = given.dsn(ENGINE_DSN), given.configuration.settings
    # What is wrong with these shows at once, and not when the database is there.
    given.secrets.key(HOST_CA)
    given.secrets.control_plane_id()
    build.check(given.configuration)
    with opened(dsn, settings.processors + 8) as store:
        readiness = Readiness(store, dsn)
        watched = Watched(readiness)
        answers = {"/healthz": living, "/readyz": watched.ready, "/metrics": watched.metrics}
        with serving(health, answers):
            if readiness.wait(ending):
                _work(given, store, scratch, watched, ending)


def _work(given: Given, store: Store, scratch: pathlib.Path, watched: Watched, ending: Ending) -> None:
    engine, parts = acting(given, store, scratch)
    claims = Claims(engine)
    for backend, why in claims.start().items():
        log.error("paused", backend=backend, reason=why)
    workers = Workers(engine, claims, given.dsn(ENGINE_DSN), given.configuration.settings.processors)
    telling = OneTeller(engine, parts.plugins)
    workers.watch(telling.rung)
    workers.start()
    telling.start()
    watched.works(engine, workers)
    log.info("processor works", workers=given.configuration.settings.processors, backends=sorted(engine.backends))
    ending.over.wait()
    workers.stop()
    telling.stop()
