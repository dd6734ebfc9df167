"""What the API says before it can answer, and how it takes up a renewed certificate."""

from __future__ import annotations

import asyncio
import json
import os

from gpudev_sdk.errors import ConfigError
from gpudev_services.cluster import api
from gpudev_services.cluster.certificates import Shown
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


def test_before_there_is_an_application_everybody_is_told_to_wait():
    edge = Edge()

    status, body = asked(edge, "/v1/server")

    assert status == 503
    assert json.loads(body)["type"].endswith("/unavailable")


def test_an_application_is_handed_everything():
    edge = Edge()
    edge.open(app)

    for path in ("/v1/server", "/", "/readyz", "/metrics"):
        assert asked(edge, path) == (200, b"the app")


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
    doors, shown = Doors(), Shown(certificates=Certificates(certificate=path, key=path, ca_pem=b"", pin=""))

    async def live():
        renewing = asyncio.create_task(api._keep_fresh(doors, shown))
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


def test_a_renewal_that_cannot_be_is_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(api, "RENEW_LOOK", 0.01)
    path = tmp_path / "server.pem"
    path.write_text("old")
    tries = []

    def renew():
        tries.append(1)
        raise ConfigError("the authority has expired")

    certificates = Certificates(certificate=path, key=path, ca_pem=b"", pin="")

    async def live():
        renewing = asyncio.create_task(api._keep_fresh(Doors(), Shown(certificates=certificates, renew=renew)))
        while len(tries) < 2:
            await asyncio.sleep(0.01)
        renewing.cancel()

    asyncio.run(asyncio.wait_for(live(), 20))
