"""The client for notebooks and scripts: everything that `Calls` asks, and boxes to work with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Unpack

from gpudev_sdk.client.box import DevServer
from gpudev_sdk.client.boxes import introduce
from gpudev_sdk.client.calls import Calls
from gpudev_sdk.client.connecting import open_api
from gpudev_sdk.client.places import Places, find_places
from gpudev_sdk.client.requests import Options, make_body
from gpudev_sdk.client.targets import find_target
from gpudev_sdk.client.values import Reservation


class Client(Calls):
    """A server, and who one is there. Made by `connect`; safe to use from several threads."""

    def reserve(
        self,
        gpu_type: str,
        *,
        hours: float,
        wait: bool = True,
        on_change: Callable[[Reservation], None] | None = None,
        **options: Unpack[Options],
    ) -> DevServer:
        """Reserve a dev server and return it ready to use; with `wait=False` return it at once.

        Options are gpus (1; 0 for `cpu`), nodes (1; more are whole nodes of one zone, all at once), disk (`home`; None is a
        throw-away home), name, image, backend, priority, agent_forwarding, env (secret values) and max_wait (hours in
        line). `on_change` is called with the reservation whenever it changes while waiting. If the waiting ends in an
        error or an interrupt, the reservation is cancelled, because nobody would hold it.
        """
        body = make_body(gpu_type, hours, **options)
        introduce(self)
        box = DevServer(self, self.submit(body), agent=body.agent_forwarding)
        if wait:
            try:
                box.wait_ready(on_change=on_change)
            except BaseException:
                box.release_quietly()
                raise
        return box

    def get(self, ref: str) -> DevServer:
        """Return one's reservation by name, id, or the beginning of one, as a box to work with; raise NotFound."""
        return DevServer(self, self.show(ref))


def connect(server: str | None = None, *, places: Places | None = None, timeout: float = 30.0) -> Client:
    """Return a client of the server that is meant.

    That is `server` (an address, or the name of one that you signed in to; `local` is this machine), else GPUDEV_SERVER,
    else the server whose folder is GPUDEV_DATA, else the one that you signed in to last, else the one on this machine.
    Raises ServerUnreachable where none runs here; a server elsewhere is dialled with the first call.
    """
    found = places if places is not None else find_places()
    target = find_target(found, server)
    return Client(open_api(found, target, timeout), found, target)
