"""What one asks for, made from what people write in Python and checked before it is sent."""

from __future__ import annotations

import math
from typing import TypedDict, Unpack

import msgspec

from gpudev_sdk.errors import InvalidRequest
from gpudev_sdk.wire.bodies import ReserveBody

HOME_DISK = "home"
_LONGEST_HOURS = 366 * 24


class Options(TypedDict, total=False):
    """What a request may say beside the GPU type and the hours."""

    #: 1 unless said otherwise; 0 for `cpu`.
    gpus: int
    #: Whole nodes of one zone, all at once; 1 unless said otherwise.
    nodes: int
    #: The disk `home` unless said otherwise; None is a throw-away home.
    disk: str | None
    name: str | None
    image: str | None
    #: `root` or `profiling`, where it is offered.
    profile: str | None
    backend: str | None
    priority: int
    agent_forwarding: bool
    #: Secret values for the box's environment.
    env: dict[str, str]
    #: Hours in line after which to give up.
    max_wait: float | None


def seconds(hours: object, field: str) -> int:
    """Return a number of hours in whole seconds; raise InvalidRequest for what is no positive number."""
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not math.isfinite(hours) or hours <= 0:
        raise InvalidRequest(f"{field} must be a number above 0", field=field, hint=f"For example {field}=4.")
    if hours > _LONGEST_HOURS:
        raise InvalidRequest(f"{field} is more than a year", field=field, hint="Ask for less.")
    return max(1, round(hours * 3600))


def make_body(gpu_type: str, hours: float, **options: Unpack[Options]) -> ReserveBody:
    """Make a request; raise InvalidRequest that names what is wrong with it."""
    given: dict[str, object] = {"disk": HOME_DISK, "gpus": int(gpu_type != "cpu"), **options}
    wait = given.pop("max_wait", None)
    if wait is not None:
        given["max_wait_seconds"] = seconds(wait, "max_wait")
    return check_body({"gpu_type": gpu_type, "duration_seconds": seconds(hours, "hours"), **given})


def check_body(plain: dict[str, object]) -> ReserveBody:
    """Make a request of plain values: no unknown field, no number in quotes, no boolean for a number."""
    try:
        return msgspec.convert(plain, ReserveBody, strict=True)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `$.")
        field = place.rstrip("`") or None
        raise InvalidRequest(f"{field or 'the request'}: {reason}", field=field, hint=_like(field)) from None


def _like(field: str | None) -> str:
    if field in ("name", "disk"):
        return "Use 1 to 40 of a-z, 0-9 and -, beginning and ending with a letter or digit."
    if field == "duration_seconds":
        return "A reservation lasts from 5 minutes to a year."
    return "`gpudev reserve -h` says what can be asked for."
