"""Routes of what there is, and of the server itself."""

from __future__ import annotations

import importlib.metadata

from litestar import MediaType, Response, get

from gpudev_sdk.engine import availability
from gpudev_sdk.errors import NotFound
from gpudev_sdk.store import fleet
from gpudev_sdk.wire.views import AvailabilityView, GpuTypesView, LoginOffer, ServerView
from gpudev_services.api.desk import TheDesk, Who

VERSION = importlib.metadata.version("gpudev-services")


@get("/gpu-types", sync_to_thread=True)
def gpu_types(desk: TheDesk, who: Who) -> GpuTypesView:
    """Show the catalogue."""
    return GpuTypesView(items=availability.gpu_types(desk.engine))


@get("/availability", sync_to_thread=True)
def show_availability(desk: TheDesk, who: Who) -> AvailabilityView:
    """Say what could start now, and who holds what until when."""
    return availability.availability(desk.engine, who.user)


@get("/server", sync_to_thread=True)
def server(desk: TheDesk) -> ServerView:
    """Say who answers here, and by which keys its gateway and boxes are known. Needs no sign-in."""
    with desk.engine.store.transaction() as conn:
        claims = conn.execute(fleet.Q["list_claims"]).fetchall()
    return ServerView(
        version=VERSION,
        install_id=desk.engine.install_id,
        install=desk.name,
        paused={claim["backend"]: claim["paused"] for claim in claims if claim["paused"] is not None},
        backends={name: backend.notes() for name, backend in desk.engine.backends.items()},
        gateway=desk.gateway,
        logins=sorted(desk.logins),
        login_offers=[
            LoginOffer(name=name, provider=login.provider, settings=dict(login.public))
            for name, login in sorted(desk.logins.items())
        ],
    )


@get("/healthz", sync_to_thread=False)
def healthz() -> dict[str, str]:
    """Say that the process lives."""
    return {"status": "ok"}


@get("/readyz", sync_to_thread=True)
def readyz(desk: TheDesk) -> dict[str, str]:
    """Say that the database answers; 503 otherwise."""
    with desk.engine.store.transaction() as conn:
        conn.execute("SELECT 1")
    return {"status": "ok"}


@get("/ca.pem", media_type=MediaType.TEXT, sync_to_thread=False)
def ca_pem(desk: TheDesk) -> Response[bytes]:
    """Return the certificate authority of this install, to be compared with the pin."""
    if desk.ca_pem is None:
        raise NotFound("this server does not listen for other machines")
    return Response(desk.ca_pem, media_type="application/x-pem-file")


ROUTES = [gpu_types, show_availability, server, healthz, readyz, ca_pem]
