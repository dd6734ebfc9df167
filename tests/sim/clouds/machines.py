"""Machines on which pods run: one is started by its kubelet alone, and a restart of a node starts again what was there."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs

from gpudev_sdk.domain.server import Phase, ServerSpec
from gpudev_sdk.errors import NoCapacity
from gpudev_sdk.testing.cloud.floor import Key
from tests.sim.clouds.gangs import GangMachines, PodGang


class PodMachines(GangMachines):
    """As those of the simulated cloud, but for what Kubernetes does in another way."""

    def __init__(self, *of: Any) -> None:
        super().__init__(*of)
        #: Nodes whose objects were removed, as their machines are off.
        self.removed: set[str] = set()

    @property
    def now(self) -> dt.datetime:
        """The moment it is."""
        return self._sky.clock.now

    def start(self, key: Key, spec: ServerSpec, rank: int = 0, ranks: int = 1) -> None:
        """Start what a pod asks for. Raises NoCapacity where there is no room for it now, and nothing is started."""
        slipped = key in self._launched and (ranks == 1 or self.servers.find(key) is None)
        if slipped and not self._floor.is_free(spec):
            # It is an older pod's ghost, and no mistake of whoever has the place now.
            raise NoCapacity("another has its place")
        self._floor.claim(key[0], spec)
        if ranks > 1:
            self.join(key, spec, rank, ranks)
        else:
            self._launched[key] = spec
            self._begin(key, self.now, {}, slipped=slipped)

    def runs(self, key: Key, rank: int) -> bool:
        """Whether a pod's box is there, or starts."""
        server = self.servers.find(key)
        if isinstance(server, PodGang):
            return server.runs(rank)
        return server is not None and server.holds

    def end(self, key: Key, rank: int = 0) -> None:
        """Stop a pod's box; one that has ended by itself is gone at once, and only its disk stays for a while."""
        server = self.servers.find(key)
        if isinstance(server, PodGang):
            self.end_rank(key, rank)
        elif server is not None and not server.holds:
            self._gone(key, self.now)
        else:
            self.terminate(*key)

    def reboot(self, name: str) -> None:
        """Restart a node: the kubelet starts the boxes again that were there, each with its disk."""
        now = self.now
        for key in self._on(name):
            server = self.servers.find(key)
            if isinstance(server, PodGang):
                self.restart_rank(key, name)
            elif server is not None and server.phase is Phase.READY and not server.stopping:
                self._change(key, now, phase=Phase.STARTING, up=frozenset(), reason="its node restarted")
                self._boot(key, now)

    def lose(self, name: str) -> None:
        """Let a node be lost; its boxes are told to be gone when its object is removed, all at once."""
        now = self.now
        self.nodes[name] = attrs.evolve(self.nodes[name], schedulable=False, lost=True, reason="the node is lost")
        for key in self._on(name):
            self._change(key, now, unreachable=True, reason="its node does not answer")

        def tell(at: dt.datetime) -> None:
            if self.nodes[name].lost:
                self.removed.add(name)
                for key in self._on(name):
                    self._loss_told(name)(key, at)

        self._sky.after(self._sky.weather.loss_noticed, tell, since=now)

    def restore(self, name: str) -> None:
        """Let a node be as it was built."""
        self.removed.discard(name)
        super().restore(name)
