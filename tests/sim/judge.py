"""Holds the laws against the tables, the cloud's truth and what people were told: after every step, and at the end."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from gpudev_sdk.domain.plan import Plan, Question
from gpudev_sdk.domain.server import Peer, ServerId
from gpudev_sdk.engine.check import (
    SAFETY,
    Acknowledged,
    Loss,
    MountSeen,
    Record,
    SeenBackend,
    SeenServer,
    SeenSnapshot,
    SeenVolume,
    World,
    check,
    read_tables,
)
from gpudev_sdk.engine.planner import plan
from gpudev_sdk.testing.cloud.truth import CloudServer
from tests.sim.order import passed_over

if TYPE_CHECKING:
    from tests.sim.simulation import Simulation


class Judge:
    """One simulation's."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self.found: list[str] = []
        self.checks = self.plans = 0
        #: Gangs that people could work in.
        self.gangs: set[ServerId] = set()
        self._mounts = self._deletions = self._doubles = self._overbookings = 0
        self._losses: list[Loss] = []
        self._wrong_mounts: list[MountSeen] = []

    def watched_plan(self, question: Question) -> Plan:
        """Plan as the real planner does, and note whom a start would delay."""
        answer = plan(question)
        self.plans += len(answer.starting)
        self.found += passed_over(question, answer)
        return answer

    def after_step(self) -> None:
        """Hold what must be true at every moment."""
        self._check(only=SAFETY, settled=False)

    def at_the_end(self) -> None:
        """Hold everything, now that nothing has stood in the way for long."""
        self._check(only=None, settled=True)
        left = [str(server.server_id) for server in self._sim.cloud.servers()]
        if left:
            self._sim.violated([f"servers are left: {left}"])
        if left := self._sim.place.left():
            self._sim.violated([f"the cluster is left with {left}"])

    def look_at_mounts(self) -> None:
        """Compare what boxes came up with to what their disks must hold; before anybody writes."""
        for seen in self._sim.cloud.mounts[self._mounts :]:
            lawful = self._sim.book.lawful(seen.disk_id)
            if seen.content not in lawful:
                self._wrong_mounts.append(
                    MountSeen(
                        server_id=seen.server_id, disk_id=seen.disk_id, seen=seen.content, expected=lawful, at=seen.at
                    )
                )
        self._mounts = len(self._sim.cloud.mounts)

    def _check(self, *, only, settled: bool) -> None:
        self.checks += 1
        self.look_at_mounts()
        sim = self._sim
        with sim.store.transaction() as conn:
            record = self._record(settled)
            world = World(backends=(self._backend(),), record=record)
            tables = read_tables(conn, world, whole=settled)
        self._look_at_deletions({disk.id: disk for disk in tables.disks})
        found = check(tables, world, sim.clock.now, sim.limits, only=only, settled=settled)
        # What somebody else deleted is missing: that it is told is all that can be done.
        expected = {f"I-8:gone:{snapshot_id}" for snapshot_id in sim.fate.snapshots_lost}
        broken = [str(violation) for violation in found if violation.key not in expected]
        broken += self.found + sim.book.broken + list(sim.place.broken)
        broken += [f"a disk is to be mounted twice: {seen}" for seen in sim.cloud.double_attachments[self._doubles :]]
        broken += [f"slots are used twice: {seen}" for seen in sim.cloud.overbookings[self._overbookings :]]
        if broken:
            sim.violated(broken)

    def _record(self, settled: bool) -> Record:
        sim = self._sim
        names = {person.user.id: person.user.name for person in getattr(sim, "persons", [])}
        acknowledged = tuple(
            Acknowledged(owner=names[owner], idempotency_key=key, reservation_id=answer[0])
            for (owner, key), answer in sim.book.acknowledged.items()
        )
        return Record(
            acknowledged=acknowledged if settled or self.checks % 20 == 0 else (),
            losses=tuple(self._losses),
            mounts=tuple(self._wrong_mounts),
            canaries=tuple(sim.canaries()) if settled or self.checks % 200 == 0 else (),
        )

    def _backend(self) -> SeenBackend:
        cloud = self._sim.cloud
        self.gangs |= {server.server_id for server in cloud.servers() if server.running and server.spec.peers}
        return SeenBackend(
            name="sim",
            servers=tuple(
                SeenServer(
                    server_id=server.server_id,
                    node=server.node,
                    gpu_type=server.spec.gpu_type,
                    slots=server.spec.slots if server.holds else (),
                    peers=_seen(server),
                    volume_id=server.volume_id,
                    since=server.since,
                )
                for server in cloud.servers()
            ),
            volumes=tuple(
                SeenVolume(volume_id=v.volume_id, attachments=() if v.attached is None else (str(v.attached),))
                for v in cloud.volumes()
            ),
            snapshots=tuple(
                SeenSnapshot(snapshot_id=s.snapshot_id, state=str(s.state)) for s in cloud.snapshots() if not s.foreign
            ),
            allocatable={
                (node.name, kind): slots for node in self._sim.knobs.nodes for kind, slots in node.slots.items()
            },
        )

    def _look_at_deletions(self, disks: dict[uuid.UUID, object]) -> None:
        """Content that no snapshot has may go only with a disk that its owner deleted long enough ago."""
        for gone in self._sim.cloud.deletions[self._deletions :]:
            if gone.saved or not gone.content:
                continue
            disk = self._sim.owner.execute("SELECT purge_at FROM disk WHERE id = %s", (gone.disk_id,)).fetchone()
            if disk is None or disk["purge_at"] is None or disk["purge_at"] > gone.at:
                self._losses.append(Loss(volume_id=gone.volume_id, disk_id=gone.disk_id, at=gone.at))
        self._deletions = len(self._sim.cloud.deletions)


def _seen(server: CloudServer) -> tuple[Peer, ...]:
    """Return what there is of a gang; a pod that waits for its place has none."""
    return tuple(Peer(peer.node, peer.slots if server.holds else ()) for peer in server.spec.peers if peer.node)
