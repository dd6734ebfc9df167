"""One release of the chart, handled by helm and kubectl as its operator does."""

from __future__ import annotations

import base64
import json
import pathlib
import re
import shlex

import attrs
import pytest
import yaml

from tests.chart_cluster.ground import ROOT, Ground
from tests.fix_install import until

CHART = "charts/gpu-dev-server"
INSTANCE, COMPONENT = "app.kubernetes.io/instance", "app.kubernetes.io/component"
#: What the tests' time allows, and nothing that a person would see as another system.
BRISK = {"config": {"limits": {"grace_seconds": 5, "stop_allowance_seconds": 10, "max_reservations_per_user": 200}}}
#: Who a box or a disk belongs to makes no part of the control plane.
STEADY = ("api", "processor", "gateway", "postgres")


def image(reference: str) -> dict[str, str]:
    """Return an image as the chart's values name it."""
    repository, _, tag = reference.rpartition(":")
    return {"repository": repository, "tag": tag}


@attrs.define(kw_only=True)
class Release:
    """A release, and what was last said of it."""

    ground: Ground
    name: str = "gpu-dev"
    control: str = "gpu-controlplane"
    boxes: str = "gpu-dev"
    #: Values that only this cluster needs: where its images are.
    here: dict = attrs.field(factory=dict)
    #: The image of its PostgreSQL, where that is not the newest.
    postgres: str = ""
    notes: str = ""

    @property
    def values(self) -> pathlib.Path:
        """Return the file of what this cluster needs."""
        images = self.ground.images
        named = {
            "services": image(images.services), "devServer": image(images.devserver), "tools": image(images.tools),
            "postgres": image(self.postgres or images.postgres), "registry": image(images.registry), "pause": image(images.pause),
        }  # fmt: skip
        file = self.ground.scratch / f"{self.name}-values.yaml"
        file.write_text(yaml.safe_dump({"images": named} | BRISK | self.here))
        return file

    def helm(self, verb: str, *words: str, ok: bool = True, timeout: int = 300) -> str:
        """Run a command of helm on this release; return what it says, of errors too where it may fail."""
        done = self.ground.run("helm", verb, self.name, *words, ok=ok, timeout=timeout)
        if verb in ("install", "upgrade"):
            self.notes = done.stdout.partition("NOTES:\n")[2] or self.notes
        return done.stdout + done.stderr

    def documented(self, command: str, *more: str) -> str:
        """Run a command of helm as a page has it, with what this cluster needs."""
        program, verb, name, *words = shlex.split(command)
        assert (program, name) == ("helm", self.name), command
        return self.helm(verb, *words, f"--values={self.values}", *more)

    def upgrade(self, *words: str, **more) -> str:
        """Upgrade as the page says, with what is to change."""
        return self.helm("upgrade", CHART, "--reset-then-reuse-values", *words, **more)

    # What it has in the cluster.

    def get(self, kind: str, *words: str) -> list[dict]:
        """Return its objects of a kind in its control plane."""
        return self.ground.get(kind, f"--namespace={self.control}", f"--selector={INSTANCE}={self.name}", *words)

    def kubectl(self, *words: str, **more) -> str:
        """Run kubectl in its control plane."""
        return self.ground.kubectl(words[0], f"--namespace={self.control}", *words[1:], **more)

    def pods(self, component: str) -> list[dict]:
        """Return the pods of a component that are not on their way out."""
        found = [pod for pod in self.get("pods") if pod["metadata"]["labels"][COMPONENT] == component]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def steady(self) -> dict[str, str]:
        """Return the uid of each pod that serves, by its name: another uid is another pod."""
        found = [pod for part in STEADY for pod in self.pods(part)]
        return {pod["metadata"]["labels"][COMPONENT]: pod["metadata"]["uid"] for pod in found}

    def ready(self) -> bool:
        """Tell whether every part has its pods, each is ready, and none of another version is left."""
        sets = [*self.get("deployments"), *self.get("statefulsets")]
        return bool(sets) and all(_settled(each) for each in sets)

    def until_ready(self, within: float = 180) -> None:
        """Wait until all is ready; say what is not when it takes too long."""
        try:
            until(self.ready, within=within, every=0.5)
        except pytest.fail.Exception:
            print(self.trouble())
            raise

    def trouble(self) -> str:
        """Return what a person would look at: pods, what happened to them, and what they say."""
        names = [pod["metadata"]["name"] for pod in self.get("pods")]
        logs = [self.kubectl("logs", name, "--all-containers", "--tail=12", ok=False) for name in names]
        events = self.kubectl("get", "events", "--sort-by=.lastTimestamp", ok=False).splitlines()[-25:]
        return "\n".join([self.kubectl("get", "pods", ok=False), *events, *logs])

    def kill(self, component: str) -> None:
        """Kill the pods of a component, and return when others are ready in their place."""
        for pod in self.pods(component):
            self.kubectl("delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force")
        self.until_ready()

    def secret(self, name: str = "") -> dict[str, bytes]:
        """Return what is in its Secret."""
        (found,) = self.ground.get("secret", name or f"{self.name}-secrets", f"--namespace={self.control}")
        return {key: base64.b64decode(value) for key, value in found["data"].items()}

    def revision(self) -> int:
        """Return how often it was installed, upgraded or rolled back."""
        return int(self._asked("helm", "status", self.name, "--output=json")["version"])

    def manifest(self) -> list[str]:
        """Return the objects that helm has of it, as text; hooks are none of them."""
        text = self.ground.run("helm", "get", "manifest", self.name).stdout
        return [part for part in text.split("\n---\n") if "kind:" in part]

    def whole(self) -> tuple[dict[str, str], dict[str, bytes], list[str]]:
        """Return its pods, its Secret and its objects: all that somebody else's doings may not change."""
        return self.steady(), self.secret(), self.manifest()

    def memory(self) -> dict[str, float]:
        """Return the megabytes that each of its pods has in use, by the kubelet; nothing while one was not looked at."""
        summary = self._asked("kubectl", "get", "--raw", f"/api/v1/nodes/{self.ground.node}/proxy/stats/summary")
        used = {
            pod["podRef"]["uid"]: sum(part["memory"]["workingSetBytes"] for part in pod["containers"]) / 1e6
            for pod in summary["pods"]
            if all("memory" in part for part in pod.get("containers", []))
        }
        steady = {pod["metadata"]["name"]: pod["metadata"]["uid"] for part in STEADY for pod in self.pods(part)}
        return {name: used[uid] for name, uid in steady.items()} if set(steady.values()) <= used.keys() else {}

    def _asked(self, *command: str) -> dict:
        return json.loads(self.ground.run(*command).stdout)

    def remove(self) -> None:
        """Take everything away, what it keeps as well."""
        self.helm("uninstall", ok=False)
        for namespace in (self.boxes, self.control):
            self.ground.kubectl("delete", "namespace", namespace, "--wait=false", "--ignore-not-found")
            for kind in ("persistentvolumeclaim", "pod"):
                for each in self.ground.get(kind, f"--namespace={namespace}"):
                    self._let_go(kind, each["metadata"]["name"], namespace)
        until(lambda: not [n for n in (self.boxes, self.control) if self.ground.get("namespace", n)], within=90)

    def _let_go(self, kind: str, name: str, namespace: str) -> None:
        """Take off the finalizer with which gpudev keeps what others delete: nobody wants it any more."""
        free = '--patch={"metadata":{"finalizers":null}}'
        self.ground.kubectl("patch", kind, name, f"--namespace={namespace}", "--type=merge", free, ok=False)

    def sql(self, statement: str, pod: str = "postgres", ok: bool = True) -> str:
        """Ask the database, in its own pod."""
        password = self.secret()["owner-password"].decode()
        asked = (
            f"PGPASSWORD={shlex.quote(password)} psql -h 127.0.0.1 -U postgres -d gpudev -AtXc {shlex.quote(statement)}"
        )
        done = self.ground.run(
            "kubectl", "exec", f"--namespace={self.control}", f"{self.name}-{pod}-0", "--container=postgres", "--",
            "sh", "-c", asked, ok=ok,
        )  # fmt: skip
        return (done.stdout + ("" if ok else done.stderr)).strip()

    def told(self, beginning: str) -> list[str]:
        """Return the commands of its notes that begin so."""
        lines = [line.strip().removesuffix(" &") for line in self.notes.splitlines() if line.startswith("   ")]
        return [line for line in lines if line.startswith(beginning)]


def _settled(each: dict) -> bool:
    wanted, status = each["spec"].get("replicas", 1), each.get("status", {})
    seen = status.get("observedGeneration", 0) >= each["metadata"]["generation"]
    counts = [status.get(name, 0) for name in ("replicas", "readyReplicas", "updatedReplicas")]
    return seen and counts == [wanted] * 3


def commands(page: str, heading: str) -> list[str]:
    """Return the commands of a page's section: its indented lines, those that go on put together."""
    text = (ROOT / page).read_text(encoding="utf-8")
    section = re.split(rf"^## {re.escape(heading)}$", text, flags=re.MULTILINE)[1]
    section = re.split(r"^## ", section, flags=re.MULTILINE)[0].replace("\\\n", " ")
    return [line.strip() for line in section.splitlines() if line.startswith("    ")]
