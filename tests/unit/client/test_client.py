"""The client for scripts: what is reserved is let go, whatever happens; and the same behind asyncio."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest

import gpudev_sdk
from gpudev_sdk.client.aio import aconnect
from gpudev_sdk.client.client import connect
from gpudev_sdk.errors import Conflict, Unavailable
from tests.unit.client.stub_api import reservation


@pytest.fixture
def client(places, stub):
    with connect(places=places, timeout=2.0) as opened:
        yield opened


def _ended(stub) -> int:
    return len([call for call in stub.calls if call[0] == "DELETE"])


def test_a_box_is_let_go_at_the_end(client, stub):
    with client.reserve("h100", gpus=2, hours=4, disk="data", wait=False) as box:
        assert (box.name, box.state) == ("data", "queued")

    assert _ended(stub) == 1
    assert json.loads(stub.asked("POST", "/reservations")[0][2])["duration_seconds"] == 4 * 3600


def test_a_box_is_let_go_when_the_body_raises_and_the_error_comes_through(client, stub):
    with pytest.raises(ZeroDivisionError), client.reserve("cpu", hours=1, wait=False):
        raise ZeroDivisionError

    assert _ended(stub) == 1


def test_a_failure_to_let_go_does_not_hide_the_error_of_the_body(client, stub):
    box = client.reserve("cpu", hours=1, wait=False)
    stub.on("DELETE", f"/reservations/{box.id}", Conflict("x"))

    with pytest.raises(ZeroDivisionError), box:
        raise ZeroDivisionError


def test_a_wait_that_fails_lets_the_reservation_go(client, stub):
    row = reservation("home", "queued")
    stub.on("POST", "/reservations", row)
    end = msgspec.structs.replace(row, state="ended", end_reason="failed", detail="no image")
    stub.on("GET", f"/reservations/{row.id}/events", lambda body, headers: iter([row, end]))
    seen: list[str] = []

    with pytest.raises(Conflict, match="no image"):
        client.reserve("cpu", hours=1, on_change=lambda view: seen.append(view.state))
    assert seen == ["queued", "ended"]
    assert stub.asked("DELETE", f"/reservations/{row.id}")


def test_an_interrupted_wait_lets_the_reservation_go(client, stub):
    row = reservation("home", "queued")
    stub.on("POST", "/reservations", row)
    stub.on("GET", f"/reservations/{row.id}/events", lambda body, headers: iter([row]))

    def interrupt(view):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.reserve("cpu", hours=1, on_change=interrupt)
    assert stub.asked("DELETE", f"/reservations/{row.id}")


def test_a_box_that_has_ended_by_itself_is_no_error_at_the_end(client, stub):
    box = client.reserve("cpu", hours=1, wait=False)
    stub.on("DELETE", f"/reservations/{box.id}", Conflict("'home' ended already"))

    with box:
        pass


def test_the_client_behind_asyncio_is_the_same(places, stub):
    stub.rows = [reservation("work")]

    async def work() -> list[str]:
        async with aconnect(places=places) as client:
            rows = await client.list()
            disks = await client.disks.list()
            assert list(disks) == []
            async with client.reserve("cpu", hours=1, wait=False) as box:
                assert box.name == "home"
            with pytest.raises(Unavailable):
                stub.on("GET", "/me", Unavailable("away"))
                await client.me()
            return [row.name for row in rows]

    assert asyncio.run(work()) == ["work"]
    assert _ended(stub) == 1


def test_every_public_name_is_there():
    for name in gpudev_sdk.__all__:
        assert getattr(getattr(gpudev_sdk, name), "__name__", name) == name
    with pytest.raises(AttributeError):
        gpudev_sdk.nonsense  # noqa: B018
