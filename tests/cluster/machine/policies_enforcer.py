"""The process that makes NetworkPolicies true on the test cluster's node: it looks, and keeps rules of iptables.

`Machine.enforce_policies` starts it; it lives as long as the cluster. What it does not know it refuses, and ends; then the
rules stay as they were, and pods that come later are closed (`Machine.check_policies` tells).

When does a new pod's fence stand? It can send nothing before its address is known here: addresses that are nobody's are
closed. The address is known as soon as containerd starts the pod's first process, which holds the place for the others, and
is seen within POLL, a few hundred milliseconds before a program of its image runs. Packets of those moments are dropped and
sent again. A change of labels or policies is seen within LOOK.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import time

import attrs
import httpx2

from tests.cluster.machine import policies, policies_read
from tests.cluster.machine.api import Api, ApiRefused
from tests.cluster.machine.layout import Layout

#: How often addresses are looked at, which is to list a folder, and how often the API server is asked at least.
POLL, LOOK = 0.05, 0.3
LEADING = ("INPUT", "FORWARD")
_BRIDGED = pathlib.Path("/proc/sys/net/bridge")
_UID = "io.kubernetes.cri.sandbox-uid"


class CannotEnforce(Exception):
    """The kernel does not do what is needed; the message says what."""


#: A pod by its uid, and an address that it has: two for a moment when its sandbox is made anew.
Held = tuple[str, str]


@attrs.define
class Enforcer:
    """Keeps the rules of one cluster's node."""

    layout: Layout
    api: Api
    #: Who has a sandbox, by its id; a pod that is deleted while its processes run keeps its fence.
    _uids: dict[str, str] = attrs.field(factory=dict, init=False)
    _pods: dict[Held, policies.Pod] = attrs.field(factory=dict, init=False)
    _addresses: set[Held] | None = attrs.field(default=None, init=False)
    _looked: float = attrs.field(default=0.0, init=False)
    _put: dict[str, list[str]] = attrs.field(factory=dict, init=False)

    def run(self) -> None:
        """Look and enforce until killed."""
        prepare(self.layout)
        while True:
            self.step()
            time.sleep(POLL)

    def step(self) -> None:
        """Look once; while the API server is away the rules stay as they are."""
        addresses = self.addresses()
        unknown = addresses - self._pods.keys()
        if addresses == self._addresses and not unknown and time.monotonic() - self._looked < LOOK:
            return
        try:
            scene = self.look(addresses)
        except (httpx2.TransportError, ApiRefused):
            return
        self._addresses, self._looked = addresses, time.monotonic()
        wanted = policies.chains(scene, self.layout.pods)
        if wanted != self._put:
            _restore("iptables", policies.restoring(wanted, *_there("iptables")))
            self._put = wanted

    def addresses(self) -> set[Held]:
        """Return who has which address, as soon as containerd has begun to run a pod."""
        folder = self.layout.data("cni") / self.layout.cgroup
        found = {(self._uid(file), file.name) for file in folder.glob("*.*.*.*")}
        return {(uid, address) for uid, address in found if uid is not None}

    def _uid(self, file: pathlib.Path) -> str | None:
        """Return whose an address is; None where nothing says so yet, or it was given back."""
        tasks = self.layout.data("containerd-state") / "io.containerd.runtime.v2.task" / "k8s.io"
        try:
            sandbox = file.read_text().split()[0]
            if sandbox not in self._uids:
                self._uids[sandbox] = json.loads((tasks / sandbox / "config.json").read_text())["annotations"][_UID]
        except (FileNotFoundError, IndexError, json.JSONDecodeError):
            # Each is written while we look.
            return None
        return self._uids[sandbox]

    def look(self, addresses: set[Held]) -> policies.Scene:
        """Ask the API server for all that rules are made of; lists of its memory, which cost it little."""
        pods = self._list("/api/v1/pods", fieldSelector=f"spec.nodeName={self.layout.node}")
        fresh = {pod["metadata"]["uid"]: pod for pod in pods}
        self._pods = {
            (uid, address): read_pod(fresh[uid], address) if uid in fresh else self._pods[uid, address]
            for uid, address in addresses
            if uid in fresh or (uid, address) in self._pods
        }
        namespaces = self._list("/api/v1/namespaces")
        written = self._list("/apis/networking.k8s.io/v1/networkpolicies")
        return policies.Scene(
            pods=sorted(self._pods.values(), key=lambda pod: pod.address),
            namespaces={each["metadata"]["name"]: each["metadata"].get("labels", {}) for each in namespaces},
            policies=[policies_read.policy(each) for each in written],
        )

    def _list(self, path: str, **query: str) -> list[dict]:
        found = self.api.find(path, resourceVersion="0", **query)
        return [] if found is None else found["items"]


def read_pod(body: dict, address: str) -> policies.Pod:
    """Return what of a pod matters here."""
    ports = {
        (port.get("protocol", "TCP"), port["name"]): port["containerPort"]
        for container in body["spec"]["containers"]
        for port in container.get("ports") or ()
        if "name" in port
    }
    metadata = body["metadata"]
    return policies.Pod(metadata["namespace"], address, metadata.get("labels", {}), ports)


def prepare(layout: Layout) -> None:
    """Let the rules see what pods of one bridge send each other, and let nothing of IPv6 pass, which no rule judges."""
    for name in ("bridge-nf-call-iptables", "bridge-nf-call-ip6tables"):
        if not (_BRIDGED / name).exists():
            raise CannotEnforce(f"the kernel has no {name}: packets between pods cannot be judged")
        # `host.restore` puts back what it was.
        (_BRIDGED / name).write_text("1")
    if shutil.which("ip6tables-restore"):
        closed = [f"-i {layout.bridge} -j DROP"]
        _restore("ip6tables", policies.restoring({policies.CHAIN: closed}, *_there("ip6tables")))


def _there(family: str) -> tuple[list[str], list[str]]:
    """Return our chains that are there, and which of the kernel's do not lead to them."""
    done = subprocess.run([f"{family}-save", "-t", policies.TABLE], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    ours = [line[1:].split()[0] for line in lines if line.startswith(f":{policies.CHAIN}")]
    return ours, [name for name in LEADING if f"-A {name} -j {policies.CHAIN}" not in lines]


def _restore(family: str, text: str) -> None:
    done = subprocess.run(
        [f"{family}-restore", "--noflush", "--wait", "5"], input=text, text=True, capture_output=True, check=False
    )
    if done.returncode:
        raise CannotEnforce(f"{family}-restore: {done.stderr}\n{text}")


def enforces() -> bool:
    """Tell whether rules are in place."""
    there, lacking = _there("iptables")
    return policies.CHAIN in there and not lacking


if __name__ == "__main__":
    where = Layout()
    Enforcer(where, Api(where)).run()
