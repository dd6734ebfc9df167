"""Gangs as Kubernetes has them: pods of their own, each placed, started, killed and ended alone; nobody has all of them or none.

What is there of one is a server whose shares fill as its pods are placed. One that ended by itself, or was ended, lets go of its
slots alone; the others go on until they are asked to end too.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import attrs

from gpudev_sdk.domain.server import Peer, Phase, ServerSpec
from gpudev_sdk.errors import Unworkable
from gpudev_sdk.testing.cloud.floor import Key
from gpudev_sdk.testing.cloud.machines import Machines
from gpudev_sdk.testing.cloud.truth import CloudServer

#: The share of a rank that has no place yet.
NOWHERE = Peer("", ())


@attrs.frozen(kw_only=True)
class PodGang(CloudServer):
    """What is there of a gang."""

    #: Ranks whose box ended by itself, and why; and those that were asked to end.
    dead: dict[int, str] = attrs.field(factory=dict)
    asked: frozenset[int] = frozenset()

    @property
    def holds(self) -> bool:
        """Whether any of its boxes takes its slots still."""
        return any(peer.slots for peer in self.spec.peers)

    def placed(self) -> list[int]:
        """Return the ranks that have a node, whatever became of them there."""
        return [rank for rank, peer in enumerate(self.spec.peers) if peer.node]

    def runs(self, rank: int) -> bool:
        """Whether a rank's box is there, or starts."""
        return self.spec.peers[rank].node != "" and rank not in self.dead and rank not in self.down


class GangMachines(Machines):
    """Machines on which a server may be several pods."""

    def join(self, key: Key, spec: ServerSpec, rank: int, ranks: int) -> None:
        """Start what one pod of a gang asks for, where there is room for it alone; `spec` is that pod's."""
        gang, now = self.servers.find(key), self._sky.clock.now
        if gang is None:
            whole = attrs.evolve(spec, node="", slots=(), mount=None, peers=(NOWHERE,) * ranks)
            slipped = key in self._launched
            gang = PodGang(server_id=key[1], install_id=key[0], spec=whole, since=now, slipped=slipped)
        zones = {self.nodes[peer.node].zone for peer in gang.spec.peers if peer.node}
        if zones - {self.nodes[spec.node].zone}:
            raise Unworkable("the nodes of a gang are in one zone")
        peers = tuple(Peer(spec.node, spec.slots) if rank == of else peer for of, peer in enumerate(gang.spec.peers))
        joined = attrs.evolve(gang.spec, peers=peers)
        if rank == 0:
            joined = attrs.evolve(joined, node=spec.node, slots=spec.slots, mount=spec.mount)
        self._launched[key] = joined
        self.servers.put(key, attrs.evolve(gang, spec=joined), now)
        if rank == 0:
            # It may have to wait for its disk.
            self._attach(key, now)
        else:
            self._boot_rank(key, rank, now)

    def end_rank(self, key: Key, rank: int) -> None:
        """Stop one box of a gang; one that ended by itself is gone at once."""
        gang, now = self._gang(key), self._sky.clock.now
        if gang is None or not gang.spec.peers[rank].node or rank in gang.asked | gang.down:
            return
        self._change(key, now, stopping=True, asked=gang.asked | {rank}, reason="it is stopping")
        if gang.runs(rank):
            self._sky.after(self._sky.weather.stop, self._same(key, self._rank(self._stopped, rank)), since=now)
        else:
            self._stopped(key, now, rank)

    def _gang(self, key: Key) -> PodGang | None:
        found = self.servers.find(key)
        return found if isinstance(found, PodGang) else None

    def _boot(self, key: Key, at: dt.datetime) -> None:
        if self._gang(key) is None:
            super()._boot(key, at)
        else:
            self._boot_rank(key, 0, at)

    def _boot_rank(self, key: Key, rank: int, at: dt.datetime) -> None:
        weather, what = self._sky.weather, self._rank(self._ready, rank)
        if self._sky.chance("dies_booting", weather.dies_booting):
            what = self._rank(self._crash, rank)
        self._sky.after(weather.boot, self._same(key, what), since=at)

    def _ready(self, key: Key, at: dt.datetime, rank: int) -> None:
        gang = self._gang(key)
        if gang is None or gang.runs(rank):
            super()._ready(key, at, rank)

    def _die(self, key: Key, at: dt.datetime, reason: str) -> None:
        """Let a server end by itself: of a gang, one of its boxes."""
        gang = self._gang(key)
        running = [rank for rank in gang.placed() if gang.runs(rank)] if gang is not None else []
        if gang is None:
            super()._die(key, at, reason)
        elif running:
            self._kill(key, at, self._sky.rng.choice(running), reason)

    def _crash(self, key: Key, at: dt.datetime, rank: int) -> None:
        self._kill(key, at, rank, "it crashed while booting")

    def _kill(self, key: Key, at: dt.datetime, rank: int, reason: str) -> None:
        gang = self._gang(key)
        if gang is not None and gang.runs(rank):
            spec = _without(gang.spec, rank)
            self._change(key, at, spec=spec, dead=gang.dead | {rank: reason}, phase=Phase.FINISHED, reason=reason)

    def _stopped(self, key: Key, at: dt.datetime, rank: int) -> None:
        """Let one box be gone, and with the last that was ever placed the whole. On a lost node that is told with the node."""
        gang = self._gang(key)
        if gang is None:
            super()._stopped(key, at, rank)
        elif not self.nodes[gang.spec.peers[rank].node].lost:
            self._over(key, at, rank)

    def _over(self, key: Key, at: dt.datetime, rank: int) -> None:
        gang = self._gang(key)
        if gang is None:
            return
        down = gang.down | {rank}
        self._change(key, at, spec=_without(gang.spec, rank), down=down)
        if down >= set(gang.placed()):
            self._gone(key, at)

    def restart_rank(self, key: Key, node: str) -> None:
        """Restart the box of a gang that is on a node, as its kubelet does."""
        gang, now = self._gang(key), self._sky.clock.now
        for rank in gang.placed() if gang is not None and gang.phase is not Phase.FINISHED else ():
            if gang.spec.peers[rank].node == node and rank in gang.up and rank not in gang.asked | gang.down:
                self._change(key, now, phase=Phase.STARTING, up=gang.up - {rank}, reason="a node of it restarted")
                self._boot_rank(key, rank, now)

    def _loss_told(self, name: str) -> Callable[[Key, dt.datetime], None]:
        """Let it be known that what was on a node is gone."""

        def tell(key: Key, at: dt.datetime) -> None:
            gang = self._gang(key)
            if gang is None:
                self._gone(key, at)
                return
            if not self.nodes[name].lost:
                # It is another of its nodes that does not answer.
                return
            others = [peer.node for peer in gang.spec.peers if peer.node and peer.node != name]
            unreachable = any(self.nodes[node].lost for node in others)
            reason = f"its node {name} is lost"
            self._change(key, at, phase=Phase.FINISHED, reason=reason, unreachable=unreachable)
            for rank in [rank for rank in gang.placed() if gang.spec.peers[rank].node == name]:
                self._over(key, at, rank)

        return tell


def _without(spec: ServerSpec, rank: int) -> ServerSpec:
    """Return what is left of a gang whose box of a rank has ended: its node is known, its slots are free."""
    left = tuple(Peer(peer.node, ()) if of == rank else peer for of, peer in enumerate(spec.peers))
    return attrs.evolve(spec, peers=left)
