"""What a pod's object says of the server in it, in words for people. Pure: a pod, its node and the time in, a sighting out.

Phases and reasons: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from gpudev_sdk.domain.server import Phase, Presence, Sighting
from gpudev_sdk.kube.catalogue import is_ready
from gpudev_sdk.kube.kinds import Json
from gpudev_sdk.kube.names import FILES
from gpudev_sdk.kube.pod import PORT

#: A pod that cannot be placed, or whose image cannot be had, is given up after this long.
PATIENCE = dt.timedelta(minutes=2)
#: The steps of a pod that comes up as it should.
STEPS = _PLACING, _DISK, _IMAGE = "waiting for the scheduler", "bringing disk and tools", "bringing the image"
#: Reasons for which a container waits that do not pass by waiting.
_PULLING = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable")
_BROKEN = (*_PULLING, "CreateContainerConfigError", "CreateContainerError", "RunContainerError")


def see(pod: Json, node: Json | None, now: dt.datetime) -> Sighting:
    """Return what is there. `node` is the one it is bound to, None if there is none of that name."""
    status = pod.get("status") or {}
    phase = status.get("phase") or "Pending"
    if phase in _BY_PHASE:
        return _BY_PHASE[phase](pod, now)
    where = pod["spec"].get("nodeName")
    if where and (node is None or not is_ready(node)):
        return Sighting.unknown(f"{where} does not report" if node else f"the node {where} is gone")
    if "deletionTimestamp" in pod["metadata"]:
        return _starting(pod, "it was ended from outside, and is stopping")
    return _running(pod) if phase == "Running" else _pending(pod, now)


def _over(pod: Json, now: dt.datetime) -> Sighting:
    status = pod["status"]
    told = [status.get("reason"), status.get("message"), _disruption(pod), *map(_end_of, _containers(pod))]
    reason = ": ".join(dict.fromkeys(word for word in told if word)) or "its pod ended"
    return _sighting(pod, Phase.FINISHED, reason[:400])


def _unknown(pod: Json, now: dt.datetime) -> Sighting:
    return Sighting.unknown(f"{pod['spec'].get('nodeName') or 'its node'} does not report")


_BY_PHASE: dict[str, Callable[[Json, dt.datetime], Sighting]] = {
    "Succeeded": _over,
    "Failed": _over,
    "Unknown": _unknown,
}


def _running(pod: Json) -> Sighting:
    box = next((each for each in _containers(pod) if each.get("name") == "box"), {})
    state = box.get("state") or {}
    if "running" in state and box.get("started"):
        return _sighting(pod, Phase.READY, _restarts(box))
    if "running" in state:
        return _starting(pod, "its SSH server starts")
    return _starting(pod, f"it ended ({_end_of(box) or 'no reason given'}), and starts again")


def _pending(pod: Json, now: dt.datetime) -> Sighting:
    unplaced = _condition(pod, "PodScheduled")
    if unplaced.get("status") == "False":
        why = f"no place: {unplaced.get('message') or unplaced.get('reason')}"
        return _lasting(pod, why, _since(unplaced, pod), now)
    for container in [*((pod["status"].get("initContainerStatuses")) or []), *_containers(pod)]:
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason = waiting.get("reason") or ""
        if reason in _BROKEN:
            what = f"the image {container.get('image')} cannot be had" if reason in _PULLING else "the box cannot start"
            return _lasting(pod, f"{what}: {waiting.get('message') or reason}", _started(pod) or now, now)
    return _starting(pod, _step(pod))


def _lasting(pod: Json, why: str, since: dt.datetime, now: dt.datetime) -> Sighting:
    """Report trouble that may pass; after a while it is taken for one that does not."""
    return _sighting(pod, Phase.FINISHED if now - since > PATIENCE else Phase.STARTING, why[:400])


def _step(pod: Json) -> str:
    if not pod["spec"].get("nodeName"):
        return _PLACING
    begun = [
        each for each in pod["status"].get("initContainerStatuses") or [] if (each.get("state") or {}).get("terminated")
    ]
    return _IMAGE if begun else _DISK


def _sighting(pod: Json, phase: Phase, reason: str) -> Sighting:
    address = pod["status"].get("podIP")
    return Sighting(
        presence=Presence.PRESENT,
        phase=phase,
        reason=reason,
        endpoint=f"tcp:{address}:{PORT}" if phase is Phase.READY and address else None,
        files_digest=(pod["metadata"].get("annotations") or {}).get(FILES),
        started_at=_started(pod),
    )


def _starting(pod: Json, reason: str) -> Sighting:
    return _sighting(pod, Phase.STARTING, reason)


def _containers(pod: Json) -> list[Json]:
    return (pod.get("status") or {}).get("containerStatuses") or []


def _end_of(container: Json) -> str:
    """Say how a container ended, the last time that it did."""
    for state in (container.get("state") or {}, container.get("lastState") or {}):
        ended = state.get("terminated")
        if ended:
            return _words(ended)
    return ""


def _words(ended: Json) -> str:
    reason, code = ended.get("reason") or "", ended.get("exitCode")
    if reason == "OOMKilled":
        return "it ran out of memory"
    message = (ended.get("message") or "").strip().splitlines()
    return f"{reason or 'ended'} with status {code}" + (f": {message[-1]}" if message else "")


def _restarts(box: Json) -> str:
    count = box.get("restartCount") or 0
    if not count:
        return ""
    ended = (box.get("lastState") or {}).get("terminated") or {}
    times = "once" if count == 1 else f"{count} times"
    return f"started again {times}, the last time because {_words(ended)} at {ended.get('finishedAt', '?')}"


def _disruption(pod: Json) -> str:
    condition = _condition(pod, "DisruptionTarget")
    return str(condition.get("message") or condition.get("reason") or "") if condition.get("status") == "True" else ""


def _condition(pod: Json, name: str) -> Json:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each.get("type") == name), {})


def _since(condition: Json, pod: Json) -> dt.datetime:
    text = condition.get("lastTransitionTime") or pod["metadata"]["creationTimestamp"]
    return dt.datetime.fromisoformat(text)


def _started(pod: Json) -> dt.datetime | None:
    text = (pod.get("status") or {}).get("startTime")
    return dt.datetime.fromisoformat(text) if text else None
