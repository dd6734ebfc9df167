"""Compute on Kubernetes: a dev server is a pod, on the node that the plan chose."""

from __future__ import annotations

import base64
import datetime as dt
import threading
from collections.abc import Mapping

import structlog

from gpudev_sdk.domain.gpu import GpuType, Instance, Node
from gpudev_sdk.domain.server import Claim, ServerId, ServerSpec, Sighting, digest_files
from gpudev_sdk.errors import NoCapacity, NotFound
from gpudev_sdk.kube import catalogue, claim, cluster, ending, names, pod, policy, record
from gpudev_sdk.kube.api import Api
from gpudev_sdk.kube.errors import ObjectAbsent, ObjectExists
from gpudev_sdk.kube.kinds import POD, SECRET, Json
from gpudev_sdk.kube.seeing import see
from gpudev_sdk.kube.settings import KubeSettings
from gpudev_sdk.kube.view import View
from gpudev_sdk.providers.compute import Compute
from gpudev_sdk.providers.context import Context

log = structlog.get_logger()


class PodCompute(Compute):
    """Pods of one cluster. A cloud's plugin overrides `connect`, and `Settings` with a class that has these settings too."""

    Settings = KubeSettings

    def __init__(self, settings: KubeSettings, context: Context) -> None:
        self._settings = settings
        self._install = context.install_id
        self._opening = threading.Lock()
        self._opened: tuple[Api, View, record.Records] | None = None
        self._policies_applied = False

    def connect(self) -> Api:
        """Reach the cluster; nothing is dialled yet."""
        return cluster.connect(self._settings.kubeconfig, self._settings.context, self._settings.namespace)

    def gpu_types(self) -> tuple[GpuType, ...]:
        return catalogue.gpu_types(catalogue.offers(self._settings, self._view.nodes()))

    def get_availability_zones(self) -> tuple[str, ...]:
        return catalogue.zones(catalogue.ours(self._settings, self._view.nodes()))

    def list_instances(self) -> tuple[Instance, ...]:
        return catalogue.instances(catalogue.ours(self._settings, self._view.nodes()))

    def get_instance(self, instance_id: str) -> Instance:
        for instance in self.list_instances():
            if instance.id == instance_id:
                return instance
        raise NotFound(f"there is no machine {instance_id[:80]!r} in this cluster")

    def nodes(self) -> tuple[Node, ...]:
        offered = catalogue.offers(self._settings, self._view.nodes())
        return catalogue.nodes(self._settings, offered, self._view.usage())

    def launch(self, spec: ServerSpec) -> None:
        if self._records.is_buried(spec.server_id):
            return
        try:
            offer = self._offer(spec)
        except NoCapacity:
            if self._view.find_pod(self._name(spec.server_id)) is not None:
                return
            raise
        self._apply_policies()
        ground = pod.Ground(
            install=self._install,
            settings=self._settings,
            record=self._records.begin(spec.server_id, record.boot_files() | pod.ACCOUNTS),
            resource=offer.settings.resource,
            user_namespaces=self._settings.user_namespaces and catalogue.has_user_namespaces(offer.node),
        )
        self._put_files(pod.run_files_name(ground), spec.server_id, ground.record, spec.files)
        if spec.env:
            env = {name: value.encode() for name, value in spec.env.items()}
            self._put_files(pod.env_name(ground), spec.server_id, ground.record, env)
        try:
            self._view.note_pod(self._api.create(POD, pod.manifest(spec, ground)))
        except ObjectExists:
            log.debug("a server is launched again", server=str(spec.server_id))

    def observe(self, server_id: ServerId) -> Sighting:
        found = self._view.find_pod(self._name(server_id))
        if found is None:
            return Sighting.absent()
        where = found["spec"].get("nodeName")
        node = self._view.find_node(where) if where else None
        return see(found, node, _now())

    def configure(self, server_id: ServerId, files: Mapping[str, bytes]) -> None:
        found = self._view.find_pod(self._name(server_id))
        if found is None or "deletionTimestamp" in found["metadata"]:
            return
        name = self._name(server_id)
        self._put_files(name + names.FILES_SUFFIX, server_id, found, files)
        # Its kubelet looks at a pod's files when the pod changes, else once a minute.
        patch = {"metadata": {"annotations": {names.FILES: digest_files(files)}}}
        try:
            self._view.note_pod(self._api.merge(POD, name, patch))
        except ObjectAbsent:
            return

    def terminate(self, server_id: ServerId) -> None:
        self._records.bury(server_id, _now())
        self._records.sweep(_now())
        found = self._view.find_pod(self._name(server_id))
        if found is None:
            self._records.clear(server_id)
        elif "deletionTimestamp" not in found["metadata"]:
            self._api.delete(POD, found["metadata"]["name"], uid=found["metadata"]["uid"])
        elif ending.has_let_go(found, gone_is_off=self._settings.deleted_nodes_are_off):
            # The pod last: once it is gone nobody asks again, and the record would be left.
            self._records.clear(server_id)
            self._let_go(found)

    def list_servers(self) -> tuple[ServerId, ...]:
        pods = {server for item in self._view.list_pods() if (server := names.server_of(item)) is not None}
        # A record without a pod is a launch that was cut short; ending it removes it.
        return tuple(sorted(pods | self._records.servers()))

    def read_claim(self) -> Claim | None:
        return claim.read(self._api, self._install)

    def write_claim(self, new: Claim, expected: Claim | None) -> None:
        claim.write(self._api, self._install, new, expected)

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
        return self._open()[0]

    @property
    def _view(self) -> View:
        return self._open()[1]

    @property
    def _records(self) -> record.Records:
        return self._open()[2]

    def _open(self) -> tuple[Api, View, record.Records]:
        with self._opening:
            if self._opened is None:
                api = self.connect()
                view = View(api, self._install, count_others=self._settings.count_others)
                self._opened = api, view, record.Records(api, self._install)
            return self._opened

    def _name(self, server_id: ServerId) -> str:
        return names.server_name(self._install, server_id)

    def _offer(self, spec: ServerSpec) -> catalogue.Offer:
        """Return what the planned node offers of the type, or refuse before anything is made."""
        for offer in catalogue.offers(self._settings, self._view.nodes()):
            if (offer.node["metadata"]["name"], offer.name) == (spec.node, spec.gpu_type):
                if spec.gpus > offer.gpus:
                    raise NoCapacity(f"{spec.node} has {offer.gpus} of {spec.gpu_type}, and the box asks for more")
                return offer
        raise NoCapacity(f"there is no node {spec.node[:80]!r} with {spec.gpu_type[:80]!r} in this cluster now")

    def _put_files(self, name: str, server_id: ServerId, owner: Json, files: Mapping[str, bytes]) -> None:
        """Make a Secret hold exactly `files`; it goes with the server's record."""
        metadata = {
            "name": name,
            "labels": names.server_labels(self._install, server_id),
            "ownerReferences": owner["metadata"].get("ownerReferences") or names.owned_by(owner),
        }
        data = {key: base64.b64encode(content).decode() for key, content in files.items()}
        self._api.apply(SECRET, SECRET.body(metadata, type="Opaque", data=data))

    def _let_go(self, found: Json) -> None:
        if ending.is_held(found):
            try:
                ending.let_go(self._api, found)
            except ObjectAbsent:
                return

    def _apply_policies(self) -> None:
        """Fence the boxes in before the first of them starts."""
        if self._settings.network_policies and not self._policies_applied:
            for body in policy.network_policies(self._settings, self._install):
                self._api.apply(policy.NETWORK_POLICY, body)
            self._policies_applied = True


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
