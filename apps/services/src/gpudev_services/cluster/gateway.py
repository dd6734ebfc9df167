"""`gateway` as a service of its own: it reads rows with the API's rights, and dials what they say."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog
from prometheus_client.core import CounterMetricFamily, Metric

from gpudev_sdk.errors import Unavailable
from gpudev_sdk.store.bell import Ring
from gpudev_sdk.store.listener import Listener
from gpudev_services.api.figures import gauge
from gpudev_services.api.metrics import CONTENT_TYPE, Shown
from gpudev_services.cluster.ending import Ending
from gpudev_services.cluster.health import Answer, living, ready, serving
from gpudev_services.cluster.parts import Given, opened
from gpudev_services.cluster.readiness import Readiness
from gpudev_services.cluster.secrets import API_DSN, ENGINE_DSN, GATEWAY_KEY
from gpudev_services.gateway import Gateway, GatewaySettings, StoreAccess
from gpudev_services.up.doors import address

log = structlog.get_logger()
CONNECTIONS = 12
STARTING = Unavailable("it is starting")


def run(given: Given, listen: str, health: str | None, ending: Ending) -> None:
    """Let people in until told to end."""
    # The API's rights are enough; where only the engine's are mounted, those have them too.
    dsn = given.dsn(ENGINE_DSN if given.secrets.has(ENGINE_DSN) and not given.secrets.has(API_DSN) else API_DSN)
    given.secrets.key(GATEWAY_KEY)
    host, port = address(listen, "--listen")
    settings = GatewaySettings(
        host=host,
        port=port,
        host_key=given.secrets.folder / GATEWAY_KEY,
        install=given.configuration.settings.name,
    )
    with opened(dsn, CONNECTIONS) as store:
        readiness = Readiness(store, dsn)
        gateway = Gateway(settings, StoreAccess(store))
        seen = Seen(gateway, readiness)
        answers = {
            "/healthz": living,
            "/readyz": lambda: ready(lambda: readiness.why_not() or (None if gateway.listens else STARTING)),
            "/metrics": lambda: Answer(200, seen.text(), CONTENT_TYPE),
        }
        with serving(health, answers):
            if readiness.wait(ending):
                asyncio.run(_serve(gateway, settings.host, dsn, ending))


class Seen(Shown):
    """What a gateway tells of itself."""

    def __init__(self, gateway: Gateway, readiness: Readiness) -> None:
        super().__init__("gateway")
        self._gateway = gateway
        self._readiness = readiness

    def asked(self) -> list[Metric]:
        """Ask whether the database is there; nothing more is wanted of it."""
        trouble = self._readiness.why_not()
        if isinstance(trouble, Unavailable):
            raise trouble
        return []

    def own(self) -> list[Metric]:
        """Return who is connected, and how logins and channels came out."""
        tally = self._gateway.tally
        there = {(state,): float(number) for state, number in self._gateway.connections().items()}
        return [
            gauge("gpudev_gateway_connections", "Connections by whether they have logged in.", there, ["state"]),
            _counter("gpudev_gateway_logins", "Logins by how they came out.", tally.logins),
            _counter("gpudev_gateway_channels", "Channels to boxes by how they came out.", tally.channels),
        ]


def _counter(name: str, about: str, counts: Mapping[str, int]) -> Metric:
    made = CounterMetricFamily(name, about, labels=["outcome"])
    for outcome, number in counts.items():
        made.add_metric([outcome], number)
    return made


async def _serve(gateway: Gateway, host: str, dsn: str, ending: Ending) -> None:
    await gateway.start()

    def rung(ring: Ring) -> None:
        if ring.kind in ("access", "reservation"):
            gateway.recheck()

    # Without the bell all the same within the gateway's own sweep.
    listener = Listener(dsn, rung, gateway.recheck)
    listener.start()
    log.info("gateway listens", host=host, port=gateway.port)
    try:
        await asyncio.to_thread(ending.over.wait)
    finally:
        listener.stop()
        await gateway.stop()
