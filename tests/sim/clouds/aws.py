"""AWS as a place of the simulation: the plugin over moto's server, whose backend in this process is the truth.

moto makes all at once and remembers no token; the proxy of the contract tests adds tokens, and the vault here adds time.
"""

from __future__ import annotations

import datetime as dt
import logging
import random
import types
import uuid
from collections.abc import Callable
from typing import Any

import boto3
import botocore.endpoint
import pytest
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.exceptions import InvalidSnapshotIdError, InvalidVolumeIdError
from moto.ec2.models.elastic_block_store import Snapshot, Volume
from moto.moto_api._internal import mock_random
from moto.server import ThreadedMotoServer

from gpudev_aws import compute as aws_compute
from gpudev_aws import storage as aws_storage
from gpudev_aws import tags
from gpudev_aws.session import Session
from gpudev_aws.settings import AwsSettings
from gpudev_sdk.engine.context import Backend
from gpudev_sdk.providers import Context
from gpudev_sdk.testing.cloud import CloudNode, VirtualClock
from tests.contract.aws.weather import Refusal, Weather
from tests.sim.clouds.cloud import COMPUTE, STORAGE, PluginCloud, under
from tests.sim.clouds.shelf import Drive, Shot
from tests.sim.clouds.wire import Wire

REGION = "us-east-1"
#: Fast enough that no call waits for its turn.
FAST = 1000.0
#: What was made is shown after this long at the latest; the plugin takes 30 seconds for what EC2 promises.
MOST_LAG = 25.0
_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
}  # fmt: skip
_UNSET = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ENDPOINT_URL")


class Proxy(Weather):
    """The proxy of the contract tests, with the trouble of a simulation."""

    wire: Wire

    def trouble(self, action: str) -> Refusal | None:
        """Decide what happens to a call."""
        what = self.wire.strike(changes=action.startswith(("Create", "Delete")))
        if what in ("cut", "lose"):
            {"cut": self.cut, "lose": self.lose}[what][action] = 1
        return (503, "RequestLimitExceeded", "Request limit exceeded.") if what == "refuse" else None


class Vault:
    """What moto has."""

    def __init__(self, clock: VirtualClock, rng: random.Random) -> None:
        self.ec2: Any = get_backend("ec2")[DEFAULT_ACCOUNT_ID][REGION]
        self._clock, self._rng = clock, rng
        #: How long what was made is not shown, at most, and since when each is.
        self.lag = 0.0
        self._shown_from: dict[str, dt.datetime] = {}
        #: The instances behind nodes.
        self.instances: dict[str, str] = {}
        self._copies: set[str] = set()
        self._waiting: set[str] = set()

    def drives(self) -> list[str]:
        return [handle for handle, each in self.ec2.volumes.items() if tags.VOLUME in _tags(each)]

    def shots(self) -> list[str]:
        return [
            handle
            for handle, each in self.ec2.snapshots.items()
            if handle not in self._copies and tags.SNAPSHOT in _tags(each)
        ]

    def drive(self, handle: str) -> Drive:
        volume: Volume = self.ec2.volumes[handle]
        ours = _tags(volume)
        self._waiting.add(handle)
        self._hide(handle)
        return Drive(
            handle=handle, install_id=uuid.UUID(ours[tags.INSTALL]), volume_id=uuid.UUID(ours[tags.VOLUME]),
            disk_id=uuid.UUID(ours[tags.DISK]), zone=volume.zone.name, made_of=volume.snapshot_id,
        )  # fmt: skip

    def shot(self, handle: str, at: dt.datetime) -> Shot:
        snapshot: Snapshot = self.ec2.snapshots[handle]
        snapshot.start_time, snapshot.status = at.replace(tzinfo=None), "pending"
        ours = _tags(snapshot)
        self._hide(handle)
        return Shot(
            handle=handle, install_id=uuid.UUID(ours[tags.INSTALL]), snapshot_id=uuid.UUID(ours[tags.SNAPSHOT]),
            volume_id=uuid.UUID(ours[tags.VOLUME]), disk_id=uuid.UUID(ours[tags.DISK]), source=snapshot.volume.id,
        )  # fmt: skip

    def _hide(self, handle: str) -> None:
        """Let something new not be shown for a while."""
        self._shown_from[handle] = self._clock.now + dt.timedelta(seconds=self._rng.uniform(0, self.lag))

    def shown(self, describe: Callable[..., Any], missing: Callable[[str], Exception]) -> Callable[..., Any]:
        """Return a describe that shows what is new late; asked for it by name, it says that there is no such thing."""

        def described(ids: list[str] | None = None, filters: Any = None) -> Any:
            late = {handle for handle, at in self._shown_from.items() if at > self._clock.now}
            for handle in late & set(ids or ()):
                raise missing(handle)
            return [each for each in describe(ids, filters) if each.id not in late]

        return described

    def state(self, volume: Volume) -> str:
        """Return the state of a volume as EC2 says it."""
        if volume.id in self._waiting:
            return "creating"
        return "in-use" if volume.attachment else "available"

    def make_ready(self, handle: str) -> None:
        self._waiting.discard(handle)

    def attach(self, handle: str, node: str) -> None:
        self.ec2.attach_volume(handle, self.instances[node], handle)

    def detach(self, handle: str) -> None:
        self.ec2.detach_volume(handle, self.ec2.volumes[handle].attachment.instance.id, handle)

    def end_shot(self, handle: str, *, bad: bool) -> None:
        self.ec2.snapshots[handle].status = "error" if bad else "completed"

    def copy(self, handle: str) -> None:
        """Let somebody take a snapshot of something else, and put our tags on it."""
        other = self.ec2.create_volume(size=1, zone_name=f"{REGION}a")
        made = self.ec2.create_snapshot(other.id, "somebody's")
        self._copies.add(made.id)
        made.add_tags(_tags(self.ec2.snapshots[handle]))

    def named(self, source: str) -> str | None:
        return source

    def drop_shot(self, handle: str) -> None:
        self.ec2.delete_snapshot(handle)


class Aws:
    """The place."""

    def __init__(self, sim: Any) -> None:
        self._patch = pytest.MonkeyPatch()
        for name in _UNSET:
            self._patch.delenv(name, raising=False)
        for name, value in _ENVIRONMENT.items():
            self._patch.setenv(name, value)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        mock_random.seed(sim.seed)
        get_backend("ec2")[DEFAULT_ACCOUNT_ID][REGION].reset()
        vault = Vault(sim.clock, random.Random(f"lag-{sim.seed}"))
        ec2, lag = vault.ec2, sim.knobs.weather.lag.most.total_seconds()
        vault.lag = min(lag, MOST_LAG)
        describe = vault.shown(ec2.describe_volumes, InvalidVolumeIdError)
        self._patch.setattr(
            ec2, "describe_volumes", lambda volume_ids=None, filters=None: describe(volume_ids, filters)
        )
        told = vault.shown(ec2.describe_snapshots, lambda handle: InvalidSnapshotIdError())
        self._patch.setattr(
            ec2, "describe_snapshots", lambda snapshot_ids=None, filters=None: told(snapshot_ids, filters)
        )
        vault.instances = _start_machines(f"http://{host}:{port}", sim.knobs.nodes)
        self._patch.setattr(Volume, "status", property(vault.state))
        # What botocore waits before it tries again is no virtual time, and changes nothing.
        self._patch.setattr(botocore.endpoint, "time", types.SimpleNamespace(sleep=lambda seconds: None))
        self._wire = Wire()
        self._proxy = Proxy(f"http://{host}:{port}")
        self._proxy.wire = self._wire
        self.cloud = PluginCloud(vault, self._wire, sim.clock, sim.cloud_rng, sim.knobs.weather, nodes=sim.knobs.nodes)
        cluster = self.cloud.cluster
        cluster.patch(self._patch)
        cluster.provider_ids = {
            node.name: f"aws:///{node.zone}/{vault.instances[node.name]}" for node in sim.knobs.nodes
        }
        self._storage = under(
            self.cloud, "storage", STORAGE, aws_storage.AwsStorage, keep_volumes=sim.knobs.keep_volumes
        )
        self._compute = under(
            self.cloud, "compute", COMPUTE, aws_compute.AwsCompute, connect=lambda compute: cluster.api
        )
        address = self._proxy.address
        self._settings = AwsSettings(
            region=REGION, endpoint=address, calls_per_second=FAST, types=cluster.types, deleted_nodes_are_off=True
        )
        # Each costs a second of CPU, and remembers nothing: what a process knows is in its storage.
        self._session = Session(REGION, address, FAST)
        for module in (aws_storage, aws_compute):
            self._patch.setattr(module, "Session", lambda *of: self._session)

    @property
    def broken(self) -> list[str]:
        """What was done to EC2 that no plugin may do."""
        return self.cloud.broken

    def backend(self, context: Context) -> Backend:
        """Return the backend as a process has it that just started."""
        of = self._settings, context
        return Backend(name="sim", compute=self._compute(*of), storage=self._storage(*of))

    def left(self) -> list[str]:
        """Return what is left in the cluster."""
        return self.cloud.cluster.left()

    def close(self) -> None:
        """Let go of everything."""
        self._session.close()
        self._proxy.close()
        self._server.stop()
        self.cloud.cluster.close()
        self._patch.undo()


def _tags(item: Any) -> dict[str, str]:
    return dict(item.ec2_backend.tags.get(item.id, {}))


def _start_machines(address: str, nodes: tuple[CloudNode, ...]) -> dict[str, str]:
    """Start an instance for each node, and return which is whose."""
    client = boto3.client("ec2", region_name=REGION, endpoint_url=address)
    try:
        image = client.register_image(Name="image", RootDeviceName="/dev/xvda")["ImageId"]
        started = {}
        for node in nodes:
            place = {"AvailabilityZone": node.zone}
            made = client.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro", Placement=place)
            started[node.name] = made["Instances"][0]["InstanceId"]
        return started
    finally:
        client.close()
