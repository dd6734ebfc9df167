"""The API over a real database, on Unix sockets: one that is the owner's, one that stands for the network."""

from __future__ import annotations

import asyncio
import threading

import attrs
import httpx2
import pytest

from gpudev_services.api.app import create_app, door
from gpudev_services.api.auth import issue_token
from gpudev_services.api.desk import Desk
from gpudev_services.api.hub import Hub
from gpudev_services.up.doors import ApiDoors, _uvicorn, local_socket


@attrs.define
class Api:
    """The desk, and clients at both doors."""

    desk: Desk
    folder: object
    clients: list = attrs.field(factory=list)

    def client(self, which="local", user=None, token=None):
        """Return a client; with a user, one that brings a fresh token of theirs."""
        if user is not None:
            with self.desk.engine.store.transaction() as conn:
                token, _ = issue_token(conn, user.id)
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        transport = httpx2.HTTPTransport(uds=str(self.folder / f"{which}.sock"))
        made = httpx2.Client(transport=transport, base_url="http://gpudev", headers=headers, timeout=20)
        self.clients.append(made)
        return made


async def _serve(desk, folder, started, over):
    desk.hub.bind()
    app = create_app(desk)
    doors = ApiDoors(app)
    doors.open_local(local_socket(folder / "local.sock"))
    doors._open(_uvicorn(door(app, "wide")), local_socket(folder / "wide.sock"))
    await doors.ready()
    started.set()
    await asyncio.get_running_loop().run_in_executor(None, over.wait)
    desk.hub.close()
    await doors.close()


@pytest.fixture
def logins():
    """The configured logins, by name; a test that wants some has a fixture of this name."""
    return {}


@pytest.fixture
def audiences():
    """What a login may be signed for."""
    return frozenset()


@pytest.fixture
def api(bench, kim, api_store, tmp_path_factory, logins, audiences):
    """The API; kim is the owner of the machine."""
    folder = tmp_path_factory.mktemp("api")
    kim = attrs.evolve(kim, is_admin=True)
    engine = attrs.evolve(bench.engine, store=api_store)
    desk = Desk(
        engine=engine, doctor_engine=bench.engine, hub=Hub(), name="lab", nonce_secret=b"n" * 32, operator=kim,
        logins=logins, audiences=audiences,
    )  # fmt: skip
    started, over = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(desk, folder, started, over)))
    thread.start()
    assert started.wait(20)
    made = Api(desk, folder)
    yield made
    for client in made.clients:
        client.close()
    over.set()
    thread.join(20)
