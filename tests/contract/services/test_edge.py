"""What the API says before it can answer, and how it takes up a renewed certificate."""

from __future__ import annotations

import asyncio
import json
import os

import pytest

from gpudev_sdk.errors import Unavailable
from gpudev_services.cluster import api
from gpudev_services.cluster.edge import Edge
from gpudev_services.tls import Certificates


def asked(edge, path):
    """Ask as a server would; return (status, body)."""
    sent = []

    async def send(event):
        sent.append(event)

    asyncio.run(edge({"type": "http", "path": path}, None, send))
    return sent[0]["status"], sent[1]["body"]


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"the app"})


@pytest.fixture
def trouble():
    return [None]


@pytest.fixture
def edge(trouble):
    def figures():
        raise Unavailable("no figures")

    return Edge(lambda: trouble[0], figures)


def test_before_there_is_an_application_it_lives_and_is_not_ready(edge):
    assert asked(edge, "/healthz")[0] == 200
    assert asked(edge, "/readyz")[0] == 503
    status, body = asked(edge, "/v1/server")
    assert status == 503
    assert json.loads(body)["type"].endswith("/unavailable")


def test_an_application_is_handed_everything_but_the_probes(edge):
    edge.open(app)

    assert asked(edge, "/v1/server") == (200, b"the app")
    assert asked(edge, "/") == (200, b"the app")
    assert asked(edge, "/readyz") == (200, b"ok\n")


def test_while_the_database_is_away_it_lives_and_is_not_ready(edge, trouble):
    edge.open(app)
    trouble[0] = Unavailable("the database is away")

    assert asked(edge, "/readyz") == (503, b"the database is away\n")
    assert asked(edge, "/healthz")[0] == 200
    assert asked(edge, "/metrics")[0] == 503


class Doors:
    """Counts; the first renewal meets files of which one is not in place yet."""

    def __init__(self):
        self.renewed = 0

    def renew(self, certificates):
        self.renewed += 1
        if self.renewed == 1:
            raise OSError("the key does not belong to the certificate")


def test_a_renewed_certificate_is_taken_up_once_both_files_are_in_place(tmp_path, monkeypatch):
    monkeypatch.setattr(api, "RENEW_LOOK", 0.01)
    path = tmp_path / "tls.crt"
    path.write_text("old")
    doors, certificates = Doors(), Certificates(certificate=path, key=path, ca_pem=b"", pin="")

    async def live():
        renewing = asyncio.create_task(api._keep_fresh(doors, certificates))
        await asyncio.sleep(0.1)
        assert doors.renewed == 0
        os.utime(path, ns=(1, 1))
        while doors.renewed < 2:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        renewing.cancel()

    asyncio.run(asyncio.wait_for(live(), 20))
    assert doors.renewed == 2


def test_without_a_certificate_there_is_nothing_to_renew():
    asyncio.run(api._keep_fresh(Doors(), None))
