"""What a person asks for: immutable, fully validated, stored whole."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import attrs

from gpudev_sdk.domain.names import check_label, check_name
from gpudev_sdk.domain.times import MINUTE, format_duration
from gpudev_sdk.errors import InvalidRequest

MIN_DURATION = 5 * MINUTE
MAX_DURATION = dt.timedelta(days=366)
MAX_GPUS = 4096
_ENV_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,99}\Z")
_ENV_RESERVED = ("GPUDEV_", "LD_", "NVIDIA_", "CUDA_VISIBLE_DEVICES", "KUBERNETES_")
_IMAGE = re.compile(r"[a-z0-9][a-z0-9._/:-]{0,180}[a-zA-Z0-9._-]{0,73}(@sha256:[0-9a-f]{64})?\Z")


@attrs.frozen(kw_only=True)
class Request:
    """What a person asks for. Secret values are not in it, only their names."""

    gpu_type: str
    #: On each node.
    gpus: int
    duration: dt.timedelta
    #: Name of the person's disk; None is a throw-away home.
    disk: str | None = None
    #: Name of the box; None takes the disk's.
    name: str | None = None
    #: More than 1 is a gang: so many whole nodes of one zone, all at once.
    nodes: int = 1
    image: str | None = None
    #: What the box may do beside what every box may: `root`, or `profiling`.
    profile: str | None = None
    backend: str | None = None
    #: Higher starts earlier; above 0 needs the right to it.
    priority: int = 0
    #: How long to stay in line before giving up; None is the install's limit.
    max_wait: dt.timedelta | None = None
    agent_forwarding: bool = False
    env_names: tuple[str, ...] = ()


def _whole(value: object, field: str, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidRequest(f"{field} must be a whole number from {low} to {high}", field=field)


def _lasting(value: dt.timedelta, field: str) -> None:
    if not MIN_DURATION <= value <= MAX_DURATION:
        low, high = format_duration(MIN_DURATION), format_duration(MAX_DURATION)
        raise InvalidRequest(f"{field} must be from {low} to {high}", field=field, hint="Write a time like 90m or 4h.")


def check_request(request: Request) -> Request:
    """Return `request` if every field is well formed; raise InvalidRequest naming the field.

    What depends on the catalogue or on limits (does the type exist, are there so many) is `limits.check_against`.
    """
    check_label(request.gpu_type, kind="GPU type")
    _whole(request.gpus, "gpus", 0, MAX_GPUS)
    _whole(request.nodes, "nodes", 1, 1024)
    _whole(request.priority, "priority", -100, 100)
    _lasting(request.duration, "duration")
    if request.max_wait is not None and not dt.timedelta() < request.max_wait <= MAX_DURATION:
        raise InvalidRequest("max_wait must be longer than nothing", field="max_wait")
    if request.disk is not None:
        check_name(request.disk, kind="disk")
    if request.name is not None:
        check_name(request.name, kind="reservation")
    if request.backend is not None:
        check_label(request.backend, kind="backend")
    if request.profile is not None:
        check_label(request.profile, kind="profile")
    if request.image is not None and not _IMAGE.match(request.image):
        raise InvalidRequest("that is not an image reference", field="image")
    check_env_names(request.env_names)
    return request


def check_env_names(names: tuple[str, ...]) -> None:
    """Raise InvalidRequest for an environment name that is malformed or ours."""
    for name in names:
        if not _ENV_NAME.match(name) or name.startswith(_ENV_RESERVED):
            raise InvalidRequest(f"{name[:40]!r} cannot be an environment variable of a box", field="env")


def request_to_json(request: Request) -> dict[str, Any]:
    """Write a request as plain JSON values, durations in whole seconds."""
    plain = attrs.asdict(request)
    plain["duration"] = int(request.duration.total_seconds())
    plain["max_wait"] = None if request.max_wait is None else int(request.max_wait.total_seconds())
    plain["env_names"] = list(request.env_names)
    return plain


def request_from_json(plain: dict[str, Any]) -> Request:
    """Read back what `request_to_json` wrote; fields that a later version added are left out."""
    known = {field.name for field in attrs.fields(Request)}
    values = {name: value for name, value in plain.items() if name in known}
    values["duration"] = dt.timedelta(seconds=values["duration"])
    if values.get("max_wait") is not None:
        values["max_wait"] = dt.timedelta(seconds=values["max_wait"])
    values["env_names"] = tuple(values.get("env_names", ()))
    return Request(**values)
