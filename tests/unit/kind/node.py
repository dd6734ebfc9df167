"""A node on this machine: it runs the short pods' script, for real, in a folder of the tests, and binds claims to volumes."""

from __future__ import annotations

import pathlib
import subprocess

import attrs

from tests.unit.kube.fake_store import Key, Store, now

BUSYBOX = "/opt/gpudev/bin/busybox"
LOG = "/dev/termination-log"
#: What stands for busybox: the programs of this machine. Only root may give files away.
STANDS_FOR = '#!/bin/sh\n[ "$1" != chown ] || exit 0\nexec "$@"\n'


@attrs.define
class Node:
    """A controller of the fake API server."""

    #: What stands for the node's folder of disks.
    disks: pathlib.Path
    #: Pods stay as they are until a test lets them run.
    idle: bool = False
    ran: int = 0

    def __call__(self, store: Store, key: Key) -> None:
        """React to a change."""
        item = store.objects.get(key)
        if item is None:
            return
        if key[0] == "pods" and not self.idle and item["spec"].get("restartPolicy") == "Never":
            self.run(store, key)
        if key[0] == "persistentvolumeclaims" and item["spec"].get("volumeName"):
            self._bind(store, key)

    def run_all(self, store: Store) -> None:
        """Run whatever waits."""
        self.idle = False
        for key in [key for key in store.objects if key[0] == "pods"]:
            self(store, key)

    def run(self, store: Store, key: Key) -> None:
        """Run a pod to its end."""
        pod = store.objects[key]
        if pod["status"]["phase"] != "Pending" or "deletionTimestamp" in pod["metadata"]:
            return
        container = pod["spec"]["containers"][0]
        given = {each["name"]: each.get("value", pod["metadata"]["uid"]) for each in container["env"]}
        self.ran += 1
        code, message = self.script(container["command"][3], given)
        ended = {"exitCode": code, "message": message, "finishedAt": now()}
        status = {"phase": "Failed" if code else "Succeeded", "containerStatuses": [{"state": {"terminated": ended}}]}
        store.change(key, status=status)

    def script(self, text: str, given: dict[str, str]) -> tuple[int, str]:
        """Run a script as it is in a pod, but for where things lie; return its status and what it said."""
        box = self.disks.parent
        stand, log = box / "busybox", box / "log"
        if not stand.exists():
            stand.write_text(STANDS_FOR)
            stand.chmod(0o755)
        log.write_text("")
        self.disks.mkdir(exist_ok=True)
        moved = {name: value.replace("/disks", str(self.disks), 1) if value.startswith("/disks") else value
                 for name, value in given.items()}  # fmt: skip
        for before, after in ((BUSYBOX, stand), (LOG, log), ("ROOT=/disks", f"ROOT={self.disks}")):
            assert before in text
            text = text.replace(before, str(after))
        done = subprocess.run(
            ["sh", "-c", text], env={"PATH": "/usr/bin:/bin", **moved}, capture_output=True, text=True, check=False
        )
        said = log.read_text()
        return done.returncode, said or done.stderr

    def home(self, volume_id) -> pathlib.Path:
        """Return where a volume's content lies."""
        return self.disks / "volumes" / str(volume_id) / "home"

    def _bind(self, store: Store, key: Key) -> None:
        claim = store.objects[key]
        volume = store.objects.get(("persistentvolumes", "", claim["spec"]["volumeName"]))
        wanted = {"namespace": key[1], "name": key[2]}
        reference = (volume or {}).get("spec", {}).get("claimRef") or {}
        if claim["status"]["phase"] == "Pending" and wanted.items() <= reference.items():
            store.change(key, status={"phase": "Bound"})
