"""`gateway` as a service of its own: it reads rows with the API's rights, and dials what they say."""

from __future__ import annotations

import asyncio

import structlog

from gpudev_sdk.store.bell import Ring
from gpudev_sdk.store.listener import Listener
from gpudev_sdk.store.pool import Store
from gpudev_services.cluster.ending import Ending
from gpudev_services.cluster.health import living, ready, serving
from gpudev_services.cluster.parts import Given, opened
from gpudev_services.cluster.readiness import Readiness
from gpudev_services.cluster.secrets import API_DSN, ENGINE_DSN, GATEWAY_KEY
from gpudev_services.gateway import Gateway, GatewaySettings, StoreAccess
from gpudev_services.up.doors import address

log = structlog.get_logger()
CONNECTIONS = 12


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
        with serving(health, {"/healthz": living, "/readyz": lambda: ready(readiness.why_not)}):
            if readiness.wait(ending):
                asyncio.run(_serve(settings, store, dsn, ending))


async def _serve(settings: GatewaySettings, store: Store, dsn: str, ending: Ending) -> None:
    gateway = Gateway(settings, StoreAccess(store))
    await gateway.start()

    def rung(ring: Ring) -> None:
        if ring.kind in ("access", "reservation"):
            gateway.recheck()

    # Without the bell all the same within the gateway's own sweep.
    listener = Listener(dsn, rung, gateway.recheck)
    listener.start()
    log.info("gateway listens", host=settings.host, port=gateway.port)
    try:
        await asyncio.to_thread(ending.over.wait)
    finally:
        listener.stop()
        await gateway.stop()
