"""What makes the test cluster's node one of a cloud: the labels of its machine, and the driver that mounts the cloud's disks."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import time
from collections.abc import Iterator

from tests.cluster.clouds.attaching import Attaching, going_on
from tests.cluster.machine import objects
from tests.cluster.machine.machine import Machine

_PATIENCE = 60.0


@contextlib.contextmanager
def labelled(machine: Machine, labels: dict[str, str]) -> Iterator[None]:
    """Let the node say where it is, and what."""
    path = f"/api/v1/nodes/{machine.layout.node}"
    machine.api.patch(path, {"metadata": {"labels": labels}})
    try:
        yield
    finally:
        machine.api.patch(path, {"metadata": {"labels": dict.fromkeys(labels)}})


@contextlib.contextmanager
def driven(machine: Machine, attaching: Attaching, folder: pathlib.Path) -> Iterator[None]:
    """Have disks of a folder mounted where pods name them by a cloud's driver, once they are attached."""
    name, layout = attaching.driver, machine.layout
    driver = objects.driver()
    driver["metadata"]["name"], driver["spec"]["attachRequired"] = name, True
    machine.api.apply_object(objects.STORAGE, "csidrivers", driver)
    socket = layout.folder / f"{name}.sock"
    registration = layout.data("kubelet") / "plugins_registry" / f"{name}-reg.sock"
    program = pathlib.Path(machine.kubectl).with_name("driver")
    options = [f"--folder={folder}", f"--socket={socket}", f"--registration={registration}"]
    machine.processes.start(name, [str(program), f"--name={name}", *options, f"--node={layout.node}"])
    try:
        machine.processes.wait(name, lambda: _is_known(machine, name), _PATIENCE)
        with going_on(attaching):
            yield
            _wait_until_let_go(attaching)
    finally:
        machine.processes.kill(name)
        registration.unlink(missing_ok=True)
        machine.api.delete(f"/apis/{objects.STORAGE}/csidrivers/{name}")
        shutil.rmtree(folder, ignore_errors=True)


def _is_known(machine: Machine, name: str) -> bool:
    found = machine.api.find(f"/apis/{objects.STORAGE}/csinodes/{machine.layout.node}")
    return found is not None and any(one["name"] == name for one in found["spec"].get("drivers") or ())


def _wait_until_let_go(attaching: Attaching) -> None:
    """Wait until nothing is attached any more: boxes are gone, and leave neither an attachment nor the object of a volume."""
    deadline = time.monotonic() + _PATIENCE
    while left := attaching.left():
        assert time.monotonic() < deadline, f"{left} are left of boxes that are gone"
        time.sleep(0.2)
