"""From `reserve` to the first command in the box, and from `cancel` to nothing left, beside a bare pod of the same manifest."""

from __future__ import annotations

import json
import random
import statistics
import time

import attrs
from kube_ground import Bare, Follower, Ground, bare, bare_ssh, figure, run, until
from measure import line

from gpudev_sdk.kube import names
from gpudev_sdk.kube.kinds import CLAIM, CONFIG_MAP, NETWORK_POLICY, POD, SECRET, VOLUME

STEPS = ("created", "scheduled", "sandbox", "tools run", "tools there", "box up")
#: What must not be left of a reservation; its tombstone may, and policies are the install's.
LEFT = (POD, SECRET, CONFIG_MAP, CLAIM, NETWORK_POLICY, VOLUME)


@attrs.define
class Times:
    """What was measured, round by round."""

    starts: dict[str, list[float]] = attrs.field(factory=lambda: {"bare": [], "kubectl": [], "ours": []})
    ends: dict[str, list[float]] = attrs.field(factory=lambda: {"bare": [], "ours": []})
    #: Seconds from one step to the next, bare and ours.
    steps: dict[str, list[dict[str, float]]] = attrs.field(factory=lambda: {"bare": [], "ours": []})


def measure(ground: Ground, rounds: int) -> None:
    """Print the figures of starting and ending; bare pods and boxes take turns."""
    times, key = Times(), ground.new_key()
    with Follower(ground.api) as follower:
        for number in range(rounds):
            for start in (
                lambda: _bare(ground, follower, times, bare(ground, key), key),
                lambda: _kubectl(ground, follower, times, bare(ground, key), key),
                lambda number=number: _ours(ground, follower, times, f"start-{number}"),
            ):
                # A kubelet looks at its containers once a second: nobody is to begin always at the same moment of that.
                time.sleep(random.random())
                start()
    _print_starts(times)
    floor = figure("a bare pod deleted → gone", times.ends["bare"])
    figure("cancel → nothing left, no disk", times.ends["ours"], "bar: 5 s beyond the pod's own grace")
    line("  gpudev adds", f"{statistics.median(times.ends['ours']) - floor:.2f} s")


def _bare(ground: Ground, follower: Follower, times: Times, made: Bare, key) -> None:
    """Make the objects by the API, log in when the watch shows that the box is up."""
    api = ground.api
    began = time.time()
    made.create(api)
    up = follower.wait(made.name, "box up")
    address = follower.pods[made.name]["status"]["podIP"]
    run(bare_ssh(key, address, "true"))
    done = time.time()
    times.starts["bare"].append(done - began)
    times.steps["bare"].append(_between(began, follower.steps[made.name]) | {"ssh": done - up})
    began = time.time()
    made.delete(api)
    times.ends["bare"].append(follower.wait(made.name, "gone") - began)


def _kubectl(ground: Ground, follower: Follower, times: Times, made: Bare, key) -> None:
    """As a person without gpudev would do it."""
    file = ground.folder / "bare.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [body for _, body in made.bodies]}))
    place = ground.place
    kubectl = [str(place.machine.kubectl), f"--kubeconfig={place.kubeconfig}", f"--namespace={place.namespace}"]
    began = time.time()
    run([*kubectl, "apply", "-f", str(file)])
    run([*kubectl, "wait", "--for=condition=Ready", "--timeout=60s", f"pod/{made.name}"])
    address = run([*kubectl, "get", "pod", made.name, "-o", "jsonpath={.status.podIP}"]).stdout.decode()
    run(bare_ssh(key, address, "true"))
    times.starts["kubectl"].append(time.time() - began)
    made.delete(ground.api)
    follower.wait(made.name, "gone")


def _ours(ground: Ground, follower: Follower, times: Times, name: str) -> None:
    install = ground.install
    began = time.time()
    install.cli("reserve", "cpu", "1h", "--no-disk", "--name", name)
    told = time.time()
    run(ground.ssh(name, "true"), env=install.environment)
    done = time.time()
    steps = follower.steps[ground.pod_of(name)]
    at = dict(install.sql(
        "SELECT what, extract(epoch FROM min(at))::float8 FROM reservation_event WHERE reservation_id ="
        " (SELECT id FROM reservation WHERE name = %s) GROUP BY what", name))  # fmt: skip
    times.starts["ours"].append(done - began)
    times.steps["ours"].append(_between(at["launch"], steps) | {
        "request": at["submitted"] - began, "launch": at["launch"] - at["submitted"], "active": at["to-active"] - steps["box up"],
        "told": told - at["to-active"], "ssh": done - told})  # fmt: skip
    times.ends["ours"].append(_end(ground, name))


def _end(ground: Ground, name: str) -> float:
    """Cancel a box; return the seconds until nothing of it is left."""
    found = ground.install.sql("SELECT id FROM reservation WHERE name = %s", name)[0][0]
    wanted = f"{names.RESERVATION}={found},{names.PART}!=end"
    api = ground.api
    began = time.time()
    ground.install.cli("cancel", name)
    until(lambda: not any(api.list(kind, wanted).items for kind in LEFT), every=0.05)
    return time.time() - began


def _between(began: float, steps: dict[str, float]) -> dict[str, float]:
    moments = [began, *(steps[step] for step in STEPS)]
    return {step: moments[at + 1] - moments[at] for at, step in enumerate(STEPS)}


def _print_starts(times: Times) -> None:
    floor = figure("bare pod, API create → first ssh command done", times.starts["bare"])
    figure("bare pod, kubectl apply, wait, get → first ssh command", times.starts["kubectl"])
    ours = figure("gpudev reserve → first ssh command done", times.starts["ours"], "bar 2.5 s")
    steps = times.steps["ours"]
    line("  of it: Python and argument parsing, until the request is in", f"{_middle(steps, 'request'):.3f} s")
    line("  in line, plan, until the launch is recorded", f"{_middle(steps, 'launch'):.3f} s")
    for step in STEPS:
        line(f"  → {step}", f"{_middle(steps, step):.3f} s", f"bare {_middle(times.steps['bare'], step):.3f} s")
    line("  watch → look → active", f"{_middle(steps, 'active'):.3f} s")
    line("  active → the client returns", f"{_middle(steps, 'told'):.3f} s")
    line("  ssh, one command", f"{_middle(steps, 'ssh'):.3f} s", f"bare {_middle(times.steps['bare'], 'ssh'):.3f} s")
    added = sum(_middle(steps, part) for part in ("request", "launch", "created", "active", "told", "ssh"))
    added -= sum(_middle(times.steps["bare"], part) for part in ("created", "ssh"))
    line("gpudev adds: parts that are ours, together", f"{added:.3f} s", "bar 0.15 s")
    line("gpudev adds: difference of the medians", f"{ours - floor:.3f} s")


def _middle(steps: list[dict[str, float]], step: str) -> float:
    return statistics.median(each[step] for each in steps)
