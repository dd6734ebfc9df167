"""Compute on Kubernetes: a dev server is a pod, on the node that the plan chose."""

from __future__ import annotations

import base64
import datetime as dt
import threading
from collections.abc import Mapping

import attrs
import structlog

from gpudev_sdk.domain.gpu import GpuType, Instance, Node
from gpudev_sdk.domain.server import Claim, ServerId, ServerSpec, Sighting, digest_files
from gpudev_sdk.errors import NoCapacity, Unworkable
from gpudev_sdk.kube import catalogue, claim, ending, gang, names, pod, policy, record, static
from gpudev_sdk.kube.api import Api
from gpudev_sdk.kube.attaching import Attaching
from gpudev_sdk.kube.delays import Delays
from gpudev_sdk.kube.errors import ObjectAbsent, ObjectExists
from gpudev_sdk.kube.keeping import let_go
from gpudev_sdk.kube.kinds import CLAIM, CONFIG_MAP, POD, SECRET, SERVICE, VOLUME, Json, Kind
from gpudev_sdk.kube.seeing import see
from gpudev_sdk.kube.settings import KubeSettings
from gpudev_sdk.kube.sharing import Reaching
from gpudev_sdk.providers.abilities import Gang
from gpudev_sdk.providers.compute import Compute
from gpudev_sdk.providers.context import Context

log = structlog.get_logger()


@attrs.frozen(kw_only=True)
class _Opened:
    """What compute remembers of its cluster."""

    records: record.Records
    delays: Delays
    control: claim.Control
    attaching: Attaching


class PodCompute(Reaching, Compute, Gang):
    """Pods of one cluster. A cloud's plugin overrides `connect`, and `Settings` with a class that has these settings too."""

    Settings = KubeSettings
    is_here = False

    def __init__(self, settings: KubeSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._beginning = threading.Lock()
        self._opened: _Opened | None = None
        self._policies_applied = False

    def gpu_types(self) -> tuple[GpuType, ...]:
        return catalogue.gpu_types(catalogue.offers(self._settings, self._view.nodes()))

    def get_availability_zones(self) -> tuple[str, ...]:
        return catalogue.zones(catalogue.ours(self._settings, self._view.nodes()))

    def list_instances(self) -> tuple[Instance, ...]:
        return catalogue.instances(catalogue.ours(self._settings, self._view.nodes()))

    def nodes(self) -> tuple[Node, ...]:
        offered = catalogue.offers(self._settings, self._view.nodes())
        seen = catalogue.nodes(self._settings, offered, self._view.usage(), self._open().attaching.volumes())
        # Settings may tolerate the very taint by which a cloud says that it takes a machine back.
        why = {offer.node["metadata"]["name"]: self._why_taken(offer.node) for offer in offered}
        return catalogue.without_taken(seen, why)

    def launch(self, spec: ServerSpec) -> None:
        if self._records.is_known_buried(spec.server_id):
            return
        members = gang.members(spec)
        try:
            offers = [self._offer(member) for member in members]
        except NoCapacity:
            if self._records.is_buried(spec.server_id) or len(self._view.find_pods(spec.server_id)) == len(members):
                return
            raise
        self._apply_policies()
        note = static.noted(spec.mount, self._name(spec.server_id))
        owner = self._records.begin(spec.server_id, self._data(spec), note)
        if owner is None:
            return
        self._put_files(self._name(spec.server_id) + names.FILES_SUFFIX, spec.server_id, owner, spec.files)
        if spec.env:
            env = {name: value.encode() for name, value in spec.env.items()}
            self._put_files(self._name(spec.server_id) + names.ENV_SUFFIX, spec.server_id, owner, env)
        if spec.peers:
            self._join(spec, owner)
        for rank, (member, offer) in enumerate(zip(members, offers, strict=True)):
            made = pod.manifest(self._with_claim(member, owner), self._ground(owner, offer))
            made["metadata"]["annotations"] |= note
            self._create(POD, gang.member(made, spec, rank, self._settings) if spec.peers else made)

    def observe(self, server_id: ServerId) -> Sighting:
        pods = self._view.find_pods(server_id)
        if not pods:
            return Sighting.absent()
        now = _now()
        seen = [self._delays.explain(found, see(found, self._node_of(found), now), now) for found in pods]
        return gang.together(pods, seen) if names.nodes_of(pods[0]) > 1 else seen[0]

    def configure(self, server_id: ServerId, files: Mapping[str, bytes]) -> None:
        pods = self._view.find_pods(server_id)
        if not pods or any("deletionTimestamp" in found["metadata"] for found in pods):
            return
        self._put_files(self._name(server_id) + names.FILES_SUFFIX, server_id, pods[0], files)
        # Its kubelet looks at a pod's files when the pod changes, else once a minute.
        patch = {"metadata": {"annotations": {names.FILES: digest_files(files)}}}
        for found in pods:
            try:
                self._view.note_pod(self._api.merge(POD, found["metadata"]["name"], patch))
            except ObjectAbsent:
                return

    def terminate(self, server_id: ServerId) -> None:
        pods = self._view.find_pods(server_id)
        self._bury(server_id, pods)
        self._records.sweep(_now())
        for found in pods:
            if "deletionTimestamp" not in found["metadata"]:
                self._api.delete(POD, found["metadata"]["name"], uid=found["metadata"]["uid"])
        off = [found for found in pods if ending.has_let_go(found, gone_is_off=self._settings.deleted_nodes_are_off)]
        if len(off) == len(pods):
            # The pods last: once they are gone nobody asks again, and the rest would be left.
            self._remove_volume(server_id, pods)
        for found in off:
            let_go(self._api, POD, found)
        if pods and len(off) == len(pods) and all(map(_goes_with_ours, off)):
            self._view.note_gone(server_id, pods)

    def list_servers(self) -> tuple[ServerId, ...]:
        pods = {server for item in self._view.list_pods() if (server := names.server_of(item)) is not None}
        # A record without a pod is a launch that was cut short; ending it removes it.
        return tuple(sorted(pods | self._records.servers()))

    def read_claim(self) -> Claim | None:
        return self._open().control.read()

    def write_claim(self, new: Claim, expected: Claim | None) -> None:
        self._open().control.write(new, expected)

    def describe(self) -> dict[str, str]:
        nodes = catalogue.ours(self._settings, self._view.nodes())
        able = sum(map(catalogue.has_user_namespaces, nodes)) if self._settings.user_namespaces else 0
        return {
            "isolation": "pods",
            "root in a box": f"is nobody on {able} of {len(nodes)} nodes" if able else "is not to be had",
            "network": "by network policies of ours" if self._settings.network_policies else "as the cluster has it",
            "pods of others": "counted" if self._view.counts_others else "not seen; the scheduler decides",
            "namespace": self._settings.namespace,
        }

    @property
    def calls(self) -> int:
        """Calls made to the API server so far, but for watches."""
        return self._api.calls

    @property
    def _api(self) -> Api:
        return self._view.api

    @property
    def _records(self) -> record.Records:
        return self._open().records

    @property
    def _delays(self) -> Delays:
        return self._open().delays

    def _open(self) -> _Opened:
        api = self._api
        with self._beginning:
            if self._opened is None:
                records, control = record.Records(api, self._install), claim.Control(api, self._install)
                attaching = Attaching(api, self._install, self._settings.volume_driver)
                self._opened = _Opened(records=records, delays=Delays(api), control=control, attaching=attaching)
            return self._opened

    def _name(self, server_id: ServerId) -> str:
        return names.server_name(self._install, server_id)

    def _offer(self, spec: ServerSpec) -> catalogue.Offer:
        """Return what the planned node offers of the type, or refuse before anything is made."""
        for offer in catalogue.offers(self._settings, self._view.nodes()):
            if (offer.node["metadata"]["name"], offer.name) == (spec.node, spec.gpu_type):
                if spec.gpus > offer.gpus:
                    raise NoCapacity(f"{spec.node} has {offer.gpus} of {spec.gpu_type}, and the box asks for more")
                if spec.profile is not None and spec.profile not in offer.profiles:
                    raise Unworkable(f"boxes of {spec.gpu_type} have no profile {spec.profile[:40]!r} here any more")
                return offer
        raise NoCapacity(f"there is no node {spec.node[:80]!r} with {spec.gpu_type[:80]!r} in this cluster now")

    def _why_taken(self, node: Json) -> str:
        """Say why a cloud takes a node's machine back, or nothing; a plugin that is a `Spot` overrides it."""
        return ""

    def _node_of(self, found: Json) -> Json | None:
        where = found["spec"].get("nodeName")
        return self._view.find_node(where) if where else None

    def _with_claim(self, spec: ServerSpec, owner: Json) -> ServerSpec:
        """Give a pod a claim of its volume, where its storage gave something else; it all goes with the server."""
        made = None if spec.mount is None else static.static(spec.mount, owner, self._settings.namespace, spec.node)
        if made is None or spec.mount is None:
            return spec
        self._create(VOLUME, made.volume)
        self._create(CLAIM, made.claim)
        return attrs.evolve(spec, mount=static.as_claim(spec.mount, made.name))

    def _bury(self, server_id: ServerId, pods: list[Json]) -> None:
        """Put a tombstone in the place of a server's record, whose uid its pods know."""
        metadata = pods[0]["metadata"] if pods else {}
        owners = [owner["uid"] for owner in metadata.get("ownerReferences") or [] if owner["kind"] == CONFIG_MAP.name]
        self._records.bury(server_id, _now(), owners[0] if owners else None, metadata.get("annotations"))

    def _remove_volume(self, server_id: ServerId, pods: list[Json]) -> None:
        """Remove the object of a volume that was made for a server; the volume itself stays."""
        holder = pods[0] if pods else self._records.find(server_id)
        name = ((holder or {"metadata": {}})["metadata"].get("annotations") or {}).get(names.STATIC)
        if name is not None:
            self._api.delete(VOLUME, name)

    def _ground(self, owner: Json, offer: catalogue.Offer) -> pod.Ground:
        return pod.Ground(
            install=self._install,
            settings=self._settings,
            record=owner,
            resource=offer.settings.resource,
            user_namespaces=self._settings.user_namespaces and catalogue.has_user_namespaces(offer.node),
        )

    def _data(self, spec: ServerSpec) -> dict[str, str]:
        """Return what a server's record holds."""
        more = gang.files(spec, self._name(spec.server_id)) if spec.peers else {}
        return record.boot_files() | pod.accounts(spec.profile) | more

    def _join(self, spec: ServerSpec, owner: Json) -> None:
        """Make what the pods of a gang reach each other by. It all goes with the record."""
        name = self._name(spec.server_id)
        common = {
            "labels": names.server_labels(self._install, spec.server_id),
            "ownerReferences": names.owned_by(owner),
        }
        self._create(SECRET, gang.keys({"name": name + names.GANG_SUFFIX} | common))
        self._create(SERVICE, gang.service({"name": name} | common))
        if self._settings.network_policies:
            self._create(policy.NETWORK_POLICY, policy.gang_policy({"name": name} | common))

    def _create(self, kind: Kind, body: Json) -> None:
        """Make an object, unless an earlier launch did."""
        try:
            made = self._api.create(kind, body)
        except ObjectExists:
            log.debug("a server is launched again", kind=kind.name, name=body["metadata"]["name"])
            return
        if kind is POD:
            self._view.note_pod(made)

    def _put_files(self, name: str, server_id: ServerId, owner: Json, files: Mapping[str, bytes]) -> None:
        """Make a Secret hold exactly `files`; it goes with the server's record."""
        metadata = {
            "name": name,
            "labels": names.server_labels(self._install, server_id),
            "ownerReferences": owner["metadata"].get("ownerReferences") or names.owned_by(owner),
        }
        data = {key: base64.b64encode(content).decode() for key, content in files.items()}
        self._api.apply(SECRET, SECRET.body(metadata, type="Opaque", data=data))

    def _apply_policies(self) -> None:
        """Fence the boxes in before the first of them starts."""
        if self._settings.network_policies and not self._policies_applied:
            for body in policy.network_policies(self._settings, self._install):
                self._api.apply(policy.NETWORK_POLICY, body)
            self._policies_applied = True


def _goes_with_ours(pod: Json) -> bool:
    """Say whether nothing but our finalizer kept a pod's object: where that is taken off, the API server removes it at once."""
    kept = pod["metadata"].get("finalizers"), pod["metadata"].get("deletionGracePeriodSeconds")
    return kept == ([names.FINALIZER], 0)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
