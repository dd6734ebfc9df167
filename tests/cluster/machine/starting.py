"""Brings the parts of a cluster up in an order in which none waits for a retry of its own."""

from __future__ import annotations

import contextlib
import pathlib
import subprocess

import attrs

from tests.cluster.machine import authority, cgroups, checks, files, host, network, objects, pause
from tests.cluster.machine.api import Api
from tests.cluster.machine.commands import Commands
from tests.cluster.machine.layout import Layout
from tests.cluster.machine.processes import DidNotStart, Processes
from tests.cluster.machine.programs import CRD_FOLDER

#: Many times what a part takes on two busy cores.
PATIENCE = 60.0


@attrs.frozen
class Starting:
    """The steps from an empty folder to a node that is Ready."""

    layout: Layout
    programs: pathlib.Path
    processes: Processes

    def prepare(self) -> None:
        """Make the folder, which from now on says that the rest is ours, and everything that processes read."""
        self.layout.folder.mkdir()
        host.note(self.layout)
        files.write_all(self.layout, self.programs)
        authority.make_all(self.layout)
        self.layout.images.mkdir(parents=True, exist_ok=True)
        (self.layout.data("disks") / "wishes").mkdir(parents=True)
        cgroups.make(self.layout.cgroup)
        network.add(self.layout)

    def start(self, *names: str) -> None:
        """Start processes by name."""
        commands = Commands(self.layout, self.programs)
        for name in names:
            self.processes.start(name, commands.of(name), commands.environment())

    def start_api(self) -> Api:
        """Start what all others speak to, and return when the API server is ready."""
        self.start("etcd", "api", "containerd", "registry")
        self.processes.wait("containerd", lambda: checks.listens(self.layout.containerd), PATIENCE)
        self._import_pause()
        with contextlib.ExitStack() as undo:
            api = undo.enter_context(contextlib.closing(Api(self.layout)))
            self.processes.wait("api", api.ready, PATIENCE)
            undo.pop_all()
            return api

    def start_node(self, api: Api) -> None:
        """Start the rest, and return when a pod with a disk could run."""
        api.apply_object(objects.RBAC, "clusterrolebindings", objects.rights_of_nodes())
        self.start("kubelet", "controllers", "scheduler", "proxy", "dns", "disks", "provisioner")
        api.apply_object(objects.STORAGE, "csidrivers", objects.driver())
        for one in objects.storage_classes():
            api.apply_object(objects.STORAGE, "storageclasses", one)
        crds = [api.apply_crd(file) for file in sorted((self.programs / CRD_FOLDER).glob("*.yaml"))]
        self.processes.wait("api", lambda: all(checks.is_served(api, crd) for crd in crds), PATIENCE)
        api.apply_object(objects.SNAPSHOTS, "volumesnapshotclasses", objects.snapshot_class())
        self.start("snapshot-controller", "snapshotter")
        self.wait(api)

    def wait(self, api: Api) -> None:
        """Wait until every part is ready."""
        node, wait = self.layout.node, self.processes.wait
        wait("registry", lambda: checks.answers(f"http://{self.layout.registry}/v2/"), PATIENCE)
        wait("kubelet", lambda: checks.node_is_ready(api, node), PATIENCE)
        wait("proxy", lambda: checks.answers("http://127.0.0.1:10256/healthz"), PATIENCE)
        wait("dns", lambda: checks.dns_answers(self.layout), PATIENCE)
        wait("disks", lambda: checks.disks_are_known(api, node), PATIENCE)
        wait("controllers", lambda: checks.pods_are_welcome(api), PATIENCE)

    def _import_pause(self) -> None:
        ctr = [str(self.programs / "ctr"), "--address", str(self.layout.containerd), "--namespace", "k8s.io"]
        image = pause.archive(self.programs / "pause")
        done = subprocess.run([*ctr, "images", "import", "-"], input=image, capture_output=True, check=False)
        if done.returncode:
            raise DidNotStart(f"containerd takes no image: {done.stderr.decode(errors='replace')}")
