"""What happens outside by itself: boxes write to their disks, and fate strikes."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from gpudev_sdk.domain.server import ServerId
from gpudev_sdk.testing.cloud import Weather

if TYPE_CHECKING:
    from tests.sim.simulation import Simulation


class Boxes:
    """The people's work in their boxes: markers, each on the disk when it is written."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self._number = 0

    def live(self) -> None:
        """Write now and then, in every box that runs."""
        while True:
            self._sim.scheduler.sleep(self._sim.rng.uniform(2, 25))
            servers = self._sim.cloud.servers()
            self._sim.judge.look_at_mounts()
            for server in servers:
                if server.running and server.volume_id is not None and self._sim.rng.random() < 0.7:
                    self._write(server)

    def _write(self, server) -> None:
        self._number += 1
        self._sim.cloud.write(server.server_id, f"m{self._number}")
        volume = next(v for v in self._sim.cloud.volumes() if v.volume_id == server.volume_id)
        self._sim.book.wrote(volume.disk_id, volume.content)
        self._sim.dirty = True


class Fate:
    """Nodes, capacity, the network, the mail, and a machine that sleeps."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self._calm = False
        self.done: dict[str, int] = {}
        self.snapshots_lost: set[uuid.UUID] = set()
        self._blows: tuple[tuple[str, int, Callable[[], None]], ...] = (
            ("node lost", 2, self._lose),
            ("node back", 6, self._restore),
            ("node cordoned", 2, self._cordon),
            ("node restarted", 5, self._reboot),
            ("box evicted", 3, self._evict),
            ("box killed", 3, self._kill),
            ("capacity gone", 1, self._shrink),
            ("blackout", 2, self._blackout),
            ("blind", 2, self._blind),
            ("foreign copy", 2, self._copy),
            ("snapshot lost", 1, self._lose_snapshot),
            ("weather turned", 2, self._turn),
            ("asleep", 1, self._sleep),
            ("late start", 8, self._slip),
        )

    def live(self) -> None:
        """Strike, and meddle with the mail."""
        while True:
            self._sim.scheduler.sleep(5.0)
            if self._calm:
                self._sim.post.make_visible()
                continue
            self._sim.post.meddle()
            if self._sim.rng.random() < 5.0 / self._sim.knobs.fate:
                weights = [weight for _, weight, _ in self._blows]
                name, _, strike = self._sim.rng.choices(self._blows, weights=weights)[0]
                strike()
                self.done[name] = self.done.get(name, 0) + 1
                self._sim.trace.append(f"{self._sim.clock.monotonic():.3f} fate {name}")
                self._sim.dirty = True
            if self._sim.rng.random() < 0.15:
                self._sim.post.make_visible()

    def calm_down(self) -> None:
        """Let nothing more go wrong, and mend what is broken."""
        self._calm = True
        self._sim.cloud.clear_up()
        for node in self._sim.knobs.nodes:
            self._sim.cloud.restore_node(node.name)

    def _node(self) -> str:
        return self._sim.rng.choice(self._sim.knobs.nodes).name

    def _server(self):
        found = self._sim.cloud.servers()
        return self._sim.rng.choice(found).server_id if found else None

    def _lose(self) -> None:
        self._sim.cloud.lose_node(self._node())

    def _restore(self) -> None:
        self._sim.cloud.restore_node(self._node())

    def _cordon(self) -> None:
        self._sim.cloud.cordon(self._node())

    def _reboot(self) -> None:
        self._sim.cloud.reboot_node(self._node())

    def _evict(self) -> None:
        if (server := self._server()) is not None:
            self._sim.cloud.evict(server)

    def _kill(self) -> None:
        if (server := self._server()) is not None:
            self._sim.cloud.kill_server(server, "killed: out of memory")

    def _shrink(self) -> None:
        self._sim.cloud.shrink(self._node(), "h100", self._sim.rng.randint(1, 3))

    def _blackout(self) -> None:
        self._sim.cloud.blackout(dt.timedelta(seconds=self._sim.rng.uniform(5, 90)))

    def _blind(self) -> None:
        self._sim.cloud.blind(dt.timedelta(seconds=self._sim.rng.uniform(5, 90)))

    def _copy(self) -> None:
        found = self._sim.cloud.snapshots()
        if found:
            self._sim.cloud.copy_foreign(self._sim.rng.choice(found).snapshot_id)

    def _lose_snapshot(self) -> None:
        """Somebody else deletes a snapshot, where the volume is there: nobody could bring back what has nothing else."""
        if self._sim.knobs.keep_volumes is not None:
            return
        volumes = {volume.volume_id for volume in self._sim.cloud.volumes()}
        found = [s for s in self._sim.cloud.snapshots() if not s.foreign and s.volume_id in volumes]
        if found:
            lost = self._sim.rng.choice(found).snapshot_id
            self._sim.cloud.lose_snapshot(lost)
            self.snapshots_lost.add(lost)

    def _slip(self) -> None:
        """A launch of an attempt that is over takes effect after all."""
        over = self._sim.owner.execute(
            "SELECT r.id, e.attempts FROM reservation r, LATERAL (SELECT count(*) AS attempts FROM reservation_event e"
            " WHERE e.reservation_id = r.id AND e.what = 'launch') e WHERE r.state = 'ended' AND e.attempts > 0 ORDER BY r.seq"
        ).fetchall()
        if over:
            found = self._sim.rng.choice(over)
            self._sim.cloud.slip(ServerId(found["id"], self._sim.rng.randint(1, found["attempts"])))

    def _turn(self) -> None:
        self._sim.cloud.weather = Weather.stormy(self._sim.rng)

    def _sleep(self) -> None:
        """The machine of the control plane sleeps: processes and their clocks stand still, the world goes on."""
        slept = dt.timedelta(seconds=self._sim.rng.uniform(20, 1200))
        for actor in self._sim.scheduler.actors:
            if not actor.name.startswith(("boxes", "fate", "person")):
                actor.wake = max(actor.wake, self._sim.clock.now + slept)
                actor.frozen = True
        self._sim.asleep += slept
