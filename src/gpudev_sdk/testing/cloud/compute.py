"""Compute over a simulated cloud: written as a plugin's is, against a cloud that misbehaves."""

from __future__ import annotations

from collections.abc import Mapping

from gpudev_sdk.domain.gpu import GpuType, Instance, Node
from gpudev_sdk.domain.server import Claim, Phase, Presence, ServerId, ServerSpec, Sighting, digest_files
from gpudev_sdk.errors import Conflict, NotFound, TryLater
from gpudev_sdk.providers import Compute, Context, Gang
from gpudev_sdk.testing.cloud.doubts import Doubts
from gpudev_sdk.testing.cloud.settings import SimulatedSettings
from gpudev_sdk.testing.cloud.truth import CloudServer, types_of


class SimulatedCompute(Compute, Gang):
    """Servers of a `SimulatedCloud`."""

    Settings = SimulatedSettings

    def __init__(self, settings: SimulatedSettings, context: Context) -> None:
        self._cloud = settings.cloud
        self._install_id = context.install_id
        self._doubts: Doubts[ServerId] = Doubts()

    def gpu_types(self) -> tuple[GpuType, ...]:
        return self._cloud.call("compute.gpu_types", lambda: types_of(self._cloud.built))

    def get_availability_zones(self) -> tuple[str, ...]:
        zones = dict.fromkeys(node.zone for node in self._cloud.built)
        return self._cloud.call("compute.get_availability_zones", lambda: tuple(zones))

    def list_instances(self) -> tuple[Instance, ...]:
        return self._cloud.call("compute.list_instances", self._instances)

    def get_instance(self, instance_id: str) -> Instance:
        return self._cloud.call("compute.get_instance", lambda: self._instance(instance_id))

    def nodes(self) -> tuple[Node, ...]:
        return self._cloud.call("compute.nodes", self._nodes)

    def launch(self, spec: ServerSpec) -> None:
        machines = self._cloud.machines
        self._cloud.call("compute.launch", lambda: machines.launch(self._install_id, spec))

    def observe(self, server_id: ServerId) -> Sighting:
        return self._cloud.call("compute.observe", lambda: self._observe(server_id))

    def configure(self, server_id: ServerId, files: Mapping[str, bytes]) -> None:
        machines = self._cloud.machines
        self._cloud.call("compute.configure", lambda: machines.configure(self._install_id, server_id, files))

    def terminate(self, server_id: ServerId) -> None:
        machines = self._cloud.machines
        self._cloud.call("compute.terminate", lambda: machines.terminate(self._install_id, server_id))

    def list_servers(self) -> tuple[ServerId, ...]:
        return self._cloud.call("compute.list_servers", self._list)

    def read_claim(self) -> Claim | None:
        return self._cloud.call("compute.read_claim", lambda: self._cloud.claim)

    def write_claim(self, new: Claim, expected: Claim | None) -> None:
        self._cloud.call("compute.write_claim", lambda: self._replace_claim(new, expected))

    def describe(self) -> dict[str, str]:
        return {"isolation": "simulated"}

    def _instances(self) -> tuple[Instance, ...]:
        return tuple(
            Instance(id=f"i-{node.name}", type="simulated", zone=node.zone, state="lost" if node.lost else "running")
            for node in self._cloud.machines.nodes.values()
        )

    def _instance(self, instance_id: str) -> Instance:
        found = next((instance for instance in self._instances() if instance.id == instance_id), None)
        if found is None:
            raise NotFound(f"there is no instance {instance_id}")
        return found

    def _nodes(self) -> tuple[Node, ...]:
        return tuple(
            Node(
                name=node.name,
                slots=node.slots_seen(),
                zone=node.zone,
                schedulable=node.schedulable,
                reason=node.reason,
                volumes=node.volumes,
            )
            for node in self._cloud.machines.nodes.values()
        )

    def _observe(self, server_id: ServerId) -> Sighting:
        if self._cloud.is_blind:
            self._cloud.faults["blind"] += 1
            return Sighting.unknown("the nodes do not answer")
        key, then = (self._install_id, server_id), self._cloud.then(self._cloud.weather.server_lag)
        servers = self._cloud.machines.servers
        server = servers.find(key) if then is None else servers.find_then(key, then)
        if server is not None:
            self._doubts.see(server_id)
            return _sighting(server)
        if not self._is_missing(server_id):
            return Sighting.unknown("it is not shown, and may just not be shown yet")
        rebooted = self._cloud.machines.is_rebooted(key)
        return Sighting.absent("its node restarted" if rebooted else "not there", rebooted=rebooted)

    def _is_missing(self, server_id: ServerId) -> bool:
        return self._doubts.miss(server_id, self._cloud.clock.now, self._cloud.weather.server_lag.most)

    def _list(self) -> tuple[ServerId, ...]:
        """Return all that are shown, and what was there and is not known to be gone."""
        then = self._cloud.then(self._cloud.weather.server_lag)
        servers = self._cloud.machines.servers
        shown = servers.all() if then is None else servers.all_then(then)
        if self._cloud.chance("partial_list", self._cloud.weather.partial_list):
            raise TryLater("the list broke off")
        found = dict.fromkeys(server.server_id for server in shown if server.install_id == self._install_id)
        for server_id in found:
            self._doubts.see(server_id)
        doubted = [known for known in self._doubts.known() if known not in found and not self._is_missing(known)]
        return (*found, *doubted)

    def _replace_claim(self, new: Claim, expected: Claim | None) -> None:
        if self._cloud.claim != expected:
            raise Conflict(f"the claim is another: {self._cloud.claim}")
        self._cloud.claim = new


def _sighting(server: CloudServer) -> Sighting:
    if server.unreachable:
        return Sighting.unknown(server.reason)
    ready = server.phase is Phase.READY
    return Sighting(
        presence=Presence.PRESENT,
        phase=server.phase,
        reason=server.reason,
        endpoint=f"tcp:{server.node}.invalid:22" if ready else None,
        files_digest=digest_files(server.files),
        started_at=server.since,
    )
