"""What a person asked for on the command line, while some of it may still be missing."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from typing import Any

import click
import msgspec

from gpudev_sdk.client.requests import HOME_DISK, check_body
from gpudev_sdk.domain.names import check_label, check_name
from gpudev_sdk.wire.bodies import ReserveBody

SHORTEST = dt.timedelta(minutes=5)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The answers so far; None is what nobody said."""

    gpu_type: str | None = None
    gpus: int | None = None
    lasts: dt.timedelta | None = None
    disk: str | None = HOME_DISK
    #: Whether the disk was named, rather than assumed.
    disk_said: bool = False
    others: dict[str, Any] = {}

    @classmethod
    def of(cls, context: click.Context, given: Mapping[str, Any]) -> Asked:
        """Take the command line's values together; a usage error for those that say a thing twice."""
        shape, kind = given["shape"], given["kind"]
        lasts = given["time"]
        if shape is not None and kind is not None:
            raise click.UsageError("the GPU type is given twice", context)
        shape = shape or kind or (None, None)
        if shape[1] is not None and given["count"] is not None:
            raise click.UsageError("the number of GPUs is given twice", context)
        if lasts is not None and given["hours"] is not None:
            raise click.UsageError("the time is given twice", context)
        if given["no_disk"] and given["disk"] is not None:
            raise click.UsageError("--disk and --no-disk exclude each other", context)
        lasts = lasts or given["hours"]
        _check(context, given, lasts)
        return cls(
            gpu_type=shape[0],
            gpus=shape[1] if shape[1] is not None else given["count"],
            lasts=lasts,
            disk=None if given["no_disk"] else given["disk"] or HOME_DISK,
            disk_said=given["no_disk"] or given["disk"] is not None,
            others=_others(context, given),
        )

    def body(self) -> ReserveBody:
        """Return the request; the count is 1 unless said, and none for `cpu`."""
        assert self.gpu_type is not None and self.lasts is not None  # `picks.complete` saw to it
        count = self.gpus if self.gpus is not None else int(self.gpu_type != "cpu")
        seconds = round(self.lasts.total_seconds())
        plain = {"gpu_type": self.gpu_type, "gpus": count, "duration_seconds": seconds, "disk": self.disk}
        return check_body({**plain, **self.others})


def _check(context: click.Context, given: Mapping[str, Any], lasts: dt.timedelta | None) -> None:
    if lasts is not None and lasts < SHORTEST:
        raise click.UsageError("a reservation lasts at least 5 minutes", context)
    for field, kind in (("disk", "disk"), ("name", "reservation")):
        if given[field] is not None:
            check_name(given[field], kind=kind)
    for field in ("backend", "profile"):
        if given[field] is not None:
            check_label(given[field], kind=field)


def _others(context: click.Context, given: Mapping[str, Any]) -> dict[str, Any]:
    wait = given["max_wait"]
    others = {
        "name": given["name"],
        "image": given["image"],
        "profile": given["profile"],
        "backend": given["backend"],
        "nodes": given["nodes"],
        "agent_forwarding": given["agent"],
        "max_wait_seconds": None if wait is None else max(1, round(wait.total_seconds())),
        "env": dict(_variable(context, text) for text in given["env"]),
    }
    return {name: value for name, value in others.items() if value is not None}


def _variable(context: click.Context, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if equals:
        return name, value
    if name not in os.environ:
        raise click.UsageError(f"your environment has no {name[:60]!r} to pass on", context)
    return name, os.environ[name]
