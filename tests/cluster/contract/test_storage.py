"""The public laws of storage, over claims and snapshots of a real driver; their content is written and read by pods."""

from __future__ import annotations

import contextlib
import time
import uuid

import pytest

from gpudev_sdk.kube.kinds import POD
from gpudev_sdk.kube.storage import ClaimStorage
from gpudev_sdk.testing import SnapshotContract, StorageContract

WRITE = 'printf %s "$CONTENT" >/home/dev/content; sync'
READ = "cat /home/dev/content 2>/dev/null >/dev/termination-log || true"


def pod(place, claim, script, **env):
    """Return a pod that runs a script with the claim at its home, as boxes run."""
    return POD.body(
        {"name": f"hand-{uuid.uuid4().hex[:8]}"},
        spec={
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000, "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{
                "name": "hand",
                "image": place.images["debian"],
                "command": ["sh", "-c", script],
                "env": [{"name": name, "value": value} for name, value in env.items()],
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                "volumeMounts": [{"name": "home", "mountPath": "/home/dev"}],
            }],
            "volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": claim}}],
        },
    )  # fmt: skip


class Hands:
    """Pods that reach into a claim."""

    #: A pod that binds, runs and goes takes some seconds on two cores.
    patience = 90.0

    @pytest.fixture(autouse=True)
    def _place(self, place):
        self.place = place

    @pytest.fixture
    def storage(self, place, context):
        return ClaimStorage(place.settings(), context)

    @pytest.fixture
    def other_storage(self, place, other_context):
        return ClaimStorage(place.settings(), other_context)

    def write(self, mount, content):
        self._run(mount, WRITE, CONTENT=content.decode())

    def read(self, mount):
        return self._run(mount, READ).encode()

    @contextlib.contextmanager
    def attached(self, mount):
        api = self.place.api()
        made = api.create(POD, pod(self.place, mount.source, "sleep 600"))
        try:
            self._wait(api, made, "Running")
            yield
        finally:
            self._remove(api, made)

    def _run(self, mount, script, **env):
        api = self.place.api()
        made = api.create(POD, pod(self.place, mount.source, script, **env))
        try:
            ended = self._wait(api, made, "Succeeded")
            return ended["status"]["containerStatuses"][0]["state"]["terminated"].get("message", "")
        finally:
            self._remove(api, made)

    def _wait(self, api, made, phase):
        deadline = time.monotonic() + self.patience
        while time.monotonic() < deadline:
            found = api.find(POD, made["metadata"]["name"])
            if found["status"].get("phase") == phase:
                return found
            assert found["status"].get("phase") != "Failed", found["status"]
            time.sleep(0.1)
        pytest.fail(f"the pod is not {phase}: {found['status']}")

    def _remove(self, api, made):
        name = made["metadata"]["name"]
        api.delete(POD, name)
        while api.find(POD, name) is not None:
            time.sleep(0.1)


class TestStorage(Hands, StorageContract):
    pass


class TestSnapshots(Hands, SnapshotContract):
    pass
