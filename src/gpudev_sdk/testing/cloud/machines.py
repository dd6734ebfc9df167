"""Nodes and servers of a simulated cloud: what is launched boots, runs, dies, and goes."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping

import attrs

from gpudev_sdk.domain.server import Phase, ServerId, ServerSpec
from gpudev_sdk.testing.cloud.floor import Floor, Key
from gpudev_sdk.testing.cloud.ledger import MEMORY, Ledger
from gpudev_sdk.testing.cloud.shelf import Shelf
from gpudev_sdk.testing.cloud.sky import Sky
from gpudev_sdk.testing.cloud.truth import CloudNode, CloudServer, DoubleAttachment, MountSeen

TOMBSTONE = dt.timedelta(hours=1)


class Machines:
    """The truth about nodes and servers."""

    def __init__(self, sky: Sky, shelf: Shelf, nodes: tuple[CloudNode, ...]) -> None:
        self._sky = sky
        self._shelf = shelf
        self._built = {node.name: node for node in nodes}
        self.nodes = dict(self._built)
        self.servers: Ledger[Key, CloudServer] = Ledger()
        self.tombstones: dict[Key, dt.datetime] = {}
        self.mounts: list[MountSeen] = []
        self.double_attachments: list[DoubleAttachment] = []
        self._floor = Floor(sky, shelf, self.nodes, self.servers)
        self.overbookings = self._floor.overbookings
        self._launched: dict[Key, ServerSpec] = {}
        self._rebooted: set[Key] = set()
        shelf.on_detached = self._attach_waiting

    def launch(self, install_id: uuid.UUID, spec: ServerSpec) -> None:
        """Start a server, unless it was ever started or has a tombstone."""
        key, now = (install_id, spec.server_id), self._sky.clock.now
        self._bury()
        if key in self.tombstones or key in self._launched:
            return
        self._floor.claim(install_id, spec)
        self._launched[key] = attrs.evolve(spec, files={}, env={})
        self._rebooted.discard(key)
        self._begin(key, now, dict(spec.files))

    def slip(self, server_id: ServerId) -> bool:
        """Let a launch of an attempt that is gone take effect once more, past its tombstone; return whether it could.

        What comes up has a throw-away home: its disk may be another's by now.
        """
        now = self._sky.clock.now
        for key, spec in self._launched.items():
            if key[1] != server_id or self.servers.find(key) is not None or not self._floor.is_free(spec):
                continue
            self._launched[key] = attrs.evolve(spec, mount=None)
            self._begin(key, now, {}, slipped=True)
            return True
        return False

    def _begin(self, key: Key, now: dt.datetime, files: dict[str, bytes], *, slipped: bool = False) -> None:
        server = CloudServer(
            server_id=key[1],
            install_id=key[0],
            spec=self._launched[key],
            since=now,
            files=files,
            reason="starting",
            slipped=slipped,
        )
        self.servers.put(key, server, now)
        self._attach(key, now)

    def terminate(self, install_id: uuid.UUID, server_id: ServerId) -> None:
        """Leave a tombstone, and let the server go after a while."""
        key, now = (install_id, server_id), self._sky.clock.now
        self._bury()
        self.tombstones[key] = now
        self._rebooted.discard(key)
        server = self.servers.find(key)
        if server is None or server.stopping:
            return
        self._change(key, now, stopping=True, reason="it is stopping")
        for rank in range(len(server.spec.shares)):
            self._sky.after(self._sky.weather.stop, self._same(key, self._rank(self._stopped, rank)), since=now)

    def configure(self, install_id: uuid.UUID, server_id: ServerId, files: Mapping[str, bytes]) -> None:
        """Replace the files of a server that is there."""
        self._change((install_id, server_id), self._sky.clock.now, files=dict(files))

    def is_rebooted(self, key: Key) -> bool:
        """Whether a server was there when its node restarted, and may be launched again."""
        return key in self._rebooted

    def die(self, server_id: ServerId, reason: str, at: dt.datetime | None = None) -> None:
        """Let a server end by itself; its traces stay until it is terminated."""
        for key in self._keys(server_id):
            self._die(key, at or self._sky.clock.now, reason)

    def cordon(self, name: str, reason: str) -> None:
        """Let nothing start on a node any more."""
        self.nodes[name] = attrs.evolve(self.nodes[name], schedulable=False, reason=reason)

    def lose(self, name: str) -> None:
        """Let a node be lost, and all on it die; the cloud says so only after a while."""
        now = self._sky.clock.now
        self.nodes[name] = attrs.evolve(self.nodes[name], schedulable=False, lost=True, reason="the node is lost")
        for key in self._on(name):
            self._change(key, now, unreachable=True, reason="its node does not answer")
            self._sky.after(self._sky.weather.loss_noticed, self._same(key, self._loss_told(name)), since=now)

    def restore(self, name: str) -> None:
        """Let a node be as it was built; what was on it when it was lost is gone."""
        for key in self._on(name):
            server = self.servers.find(key)
            if server is not None and server.unreachable:
                self._loss_told(name)(key, self._sky.clock.now)
        self.nodes[name] = self._built[name]

    def reboot(self, name: str) -> None:
        """Restart a node under its servers; those that ran may be launched again, and their volumes are free."""
        now = self._sky.clock.now
        for key in self._on(name):
            server = self.servers.find(key)
            if server is not None and server.spec.peers:
                # The other nodes did not restart, so it cannot be launched again as it was.
                self._die(key, now, f"its node {name} restarted")
                continue
            if server is not None and server.holds and not server.stopping:
                self._rebooted.add(key)
                self._launched.pop(key, None)
            self.servers.drop(key, now)
            self._shelf.detach(key, now)

    def shrink(self, name: str, gpu_type: str, gone: int) -> None:
        """Take the last slots of a type away; what runs on them dies."""
        node = self.nodes[name]
        left = max(0, node.slots.get(gpu_type, 0) - gone)
        self.nodes[name] = attrs.evolve(node, slots={**node.slots, gpu_type: left})
        for key in self._on(name):
            server = self.servers.find(key)
            share = server.share_of(name) if server and server.spec.gpu_type == gpu_type else None
            if share is not None and max(share.slots, default=-1) >= left:
                self._die(key, self._sky.clock.now, f"its {gpu_type} is gone from the node")

    def _attach(self, key: Key, at: dt.datetime) -> None:
        """Let a server have its volume and boot, or wait until the volume is free."""
        server = self.servers.find(key)
        if server is None or server.phase is not Phase.STARTING or server.volume_id is not None:
            return
        if server.spec.mount is not None:
            volume_id = server.spec.mount.volume_id
            volume = self._shelf.find_volume(key[0], volume_id)
            if volume is None or not volume.ready:
                self._change(key, at, reason="its volume is not there")
                return
            if volume.attached is not None:
                self._note_double(server, volume.attached, at)
                self._change(key, at, reason=f"its volume is attached to {volume.attached}")
                return
            self._shelf.attach(key, volume_id, at)
            self._change(key, at, volume_id=volume_id, reason="starting")
        self._boot(key, at)

    def _note_double(self, server: CloudServer, holder: ServerId, at: dt.datetime) -> None:
        assert server.spec.mount is not None  # it waits for a volume
        volume_id = server.spec.mount.volume_id
        if not any((d.server_id, d.holder) == (server.server_id, holder) for d in self.double_attachments):
            self.double_attachments.append(
                DoubleAttachment(volume_id=volume_id, server_id=server.server_id, holder=holder, at=at)
            )

    def _attach_waiting(self, volume_id: uuid.UUID, at: dt.datetime) -> None:
        for key, server in [((s.install_id, s.server_id), s) for s in self.servers.all()]:
            if server.spec.mount is not None and server.spec.mount.volume_id == volume_id:
                self._attach(key, at)

    def _boot(self, key: Key, at: dt.datetime) -> None:
        weather = self._sky.weather
        for rank in range(len(self._launched[key].shares)):
            if self._sky.chance("dies_booting", weather.dies_booting):
                end = self._same(key, lambda key, at: self._die(key, at, "it crashed while booting"))
                self._sky.after(weather.boot, end, since=at)
            else:
                self._sky.after(weather.boot, self._same(key, self._rank(self._ready, rank)), since=at)

    def _ready(self, key: Key, at: dt.datetime, rank: int) -> None:
        """Let one node's share be up; with the last of them the server is ready."""
        server = self.servers.find(key)
        if server is None or server.phase is not Phase.STARTING or server.unreachable:
            return
        up, ranks = server.up | {rank}, len(server.spec.shares)
        if len(up) < ranks:
            self._change(key, at, up=up, reason=f"{len(up)} of {ranks} nodes are up")
            return
        self._change(key, at, up=up, phase=Phase.READY, reason="it is stopping" if server.stopping else "")
        if server.volume_id is not None:
            self.mounts.append(self._shelf.mount_seen(key, server.volume_id, at))
        for _ in server.spec.shares:
            self._face(key, at)

    def _face(self, key: Key, at: dt.datetime) -> None:
        for kind, rate, reason in (
            ("dies_per_hour", self._sky.weather.dies_per_hour, "killed: out of memory"),
            ("evicted_per_hour", self._sky.weather.evicted_per_hour, "evicted: the node was low on memory"),
        ):
            self._sky.hourly(rate, self._same(key, self._fate(kind, reason)), since=at)

    def _fate(self, kind: str, reason: str) -> Callable[[Key, dt.datetime], None]:
        def strike(key: Key, at: dt.datetime) -> None:
            self._sky.faults[kind] += 1
            self._die(key, at, reason)

        return strike

    def _die(self, key: Key, at: dt.datetime, reason: str) -> None:
        server = self.servers.find(key)
        if server is not None and server.phase is not Phase.FINISHED:
            self._change(key, at, phase=Phase.FINISHED, reason=reason)

    def _stopped(self, key: Key, at: dt.datetime, rank: int) -> None:
        """Let one node's share be gone, and with the last the server; of a lost node that is known only when the loss is."""
        server = self.servers.find(key)
        if server is None or server.unreachable:
            return
        down = server.down | {rank}
        self._change(key, at, down=down)
        if len(down) == len(server.spec.shares):
            self._gone(key, at)

    def _loss_told(self, name: str) -> Callable[[Key, dt.datetime], None]:
        """Let the cloud know that a node is lost: what was there alone is gone, and a gang has ended with it."""

        def tell(key: Key, at: dt.datetime) -> None:
            server = self.servers.find(key)
            if server is None or not server.spec.peers:
                self._gone(key, at)
                return
            self._die(key, at, f"its node {name} is lost")
            self._change(key, at, unreachable=False)
            for rank in range(len(server.spec.shares)) if server.stopping else ():
                self._sky.after(self._sky.weather.stop, self._same(key, self._rank(self._stopped, rank)), since=at)

        return tell

    def _rank(self, what: Callable[[Key, dt.datetime, int], None], rank: int) -> Callable[[Key, dt.datetime], None]:
        return lambda key, at: what(key, at, rank)

    def _gone(self, key: Key, at: dt.datetime) -> None:
        self.servers.drop(key, at)
        self._sky.after(self._sky.weather.detach, lambda at: self._shelf.detach(key, at), since=at)

    def _same(self, key: Key, what: Callable[[Key, dt.datetime], None]) -> Callable[[dt.datetime], None]:
        """Return `what` for this very server: not for another one that was launched again with its name."""
        began = self.servers.find(key)

        def if_same(at: dt.datetime) -> None:
            server = self.servers.find(key)
            if server is not None and began is not None and server.since == began.since:
                what(key, at)

        return if_same

    def _change(self, key: Key, at: dt.datetime, **changes: object) -> None:
        server = self.servers.find(key)
        if server is not None:
            self.servers.put(key, attrs.evolve(server, **changes), at)  # type: ignore[arg-type]

    def _keys(self, server_id: ServerId) -> list[Key]:
        return [(s.install_id, s.server_id) for s in self.servers.all() if s.server_id == server_id]

    def _on(self, node: str) -> list[Key]:
        return [(s.install_id, s.server_id) for s in self.servers.all() if s.share_of(node)]

    def _bury(self) -> None:
        now = self._sky.clock.now
        self.servers.forget(now - MEMORY)
        self.tombstones = {key: at for key, at in self.tombstones.items() if now - at < TOMBSTONE}
