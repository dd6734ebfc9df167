"""The limits of an install, in one place, and the checks that need the catalogue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import attrs

from gpudev_sdk.domain.gangs import Together, check_gang
from gpudev_sdk.domain.gpu import GpuType
from gpudev_sdk.domain.profiles import check_profile, check_whole
from gpudev_sdk.domain.request import Request
from gpudev_sdk.domain.times import HOUR, MINUTE, format_duration
from gpudev_sdk.errors import InvalidRequest, LimitReached


@attrs.frozen(kw_only=True)
class Limits:
    """What one person and one reservation may have. The defaults are for clusters; `one_machine` is for one."""

    #: The longest reservation, and per GPU type where it differs.
    max_duration: dt.timedelta = 24 * HOUR
    max_duration_by_type: dict[str, dt.timedelta] = attrs.field(factory=lambda: {"cpu": 720 * HOUR})
    #: What one extension may add, and what a reservation may last in all; None is no cap.
    max_extension: dt.timedelta = 24 * HOUR
    max_total: dt.timedelta | None = 48 * HOUR
    max_gpus_per_user: int | None = 32
    max_reservations_per_user: int = 20
    max_disks_per_user: int = 50
    max_disk_bytes: int = 1024**4
    max_wait: dt.timedelta = 48 * HOUR
    #: Warnings before the end, longest first; those at or above the duration are skipped.
    warnings: tuple[dt.timedelta, ...] = (30 * MINUTE, 15 * MINUTE, 5 * MINUTE)
    #: After `expires_at`; the box ends only when a notice stood for this long.
    grace: dt.timedelta = 2 * MINUTE
    #: What stopping may take before slots are counted on again.
    stop_allowance: dt.timedelta = MINUTE
    #: An attempt to bring a box up, and how many attempts there are.
    max_preparing: dt.timedelta = HOUR
    max_attempts: int = 3
    #: Stopping beyond this needs a person's attention; it never gives up.
    stopping_overdue: dt.timedelta = 15 * MINUTE
    #: Deleted disks can be had back for so long.
    undelete: dt.timedelta = dt.timedelta(days=30)
    #: Good snapshots kept per disk; the newest good one is kept whatever this says.
    keep_snapshots: int = 3

    @classmethod
    def one_machine(cls) -> Limits:
        """Return the defaults where one machine is shared: no cap on the total."""
        return cls(max_total=None, max_gpus_per_user=None)

    def longest(self, gpu_type: GpuType) -> dt.timedelta:
        """Return the longest reservation of a type."""
        return gpu_type.max_duration or self.max_duration_by_type.get(gpu_type.name, self.max_duration)

    def longest_total(self, gpu_type: GpuType) -> dt.timedelta | None:
        """Return what a reservation of a type may last with all its extensions, or None."""
        if self.max_total is None:
            return None
        return max(self.max_total, self.longest(gpu_type))


def check_against(
    request: Request, offers: Sequence[tuple[str, GpuType]], limits: Limits, together: Together | None = None
) -> GpuType:
    """Return the type asked for; raise if it does not exist, could never fit, or is over the limits.

    `offers` are (backend, type) of the whole install; `together` says what gangs there is room for.
    """
    fitting = [
        (backend, kind)
        for backend, kind in offers
        if kind.name == request.gpu_type and request.backend in (None, backend)
    ]
    if not fitting:
        known = ", ".join(sorted({kind.name for _, kind in offers})) or "none"
        raise InvalidRequest(
            f"there is no GPU type {request.gpu_type!r} here", field="gpu_type", hint=f"There are: {known}."
        )
    check_profile(request, fitting)
    if request.nodes > 1:
        kind = check_gang(request, fitting, together or {})
    else:
        kind = max((kind for _, kind in fitting), key=lambda kind: kind.gpus_per_node)
        _check_count(request, kind)
    check_whole(request, kind)
    if request.duration > limits.longest(kind):
        longest = format_duration(limits.longest(kind))
        raise LimitReached(f"a {kind.name} box lasts at most {longest}", hint=f"Ask for {longest} or less.")
    return kind


def _check_count(request: Request, kind: GpuType) -> None:
    if kind.is_cpu and request.gpus != 0:
        raise InvalidRequest(f"a {kind.name} box has no GPUs", field="gpus", hint=f"Ask for {kind.name} alone.")
    if not kind.is_cpu and request.gpus < 1:
        raise InvalidRequest(f"a {kind.name} box has at least one GPU", field="gpus", hint=f"Ask for {kind.name}:1.")
    if request.gpus > kind.gpus_per_node:
        raise InvalidRequest(
            f"no node has {request.gpus} × {kind.name}; the largest has {kind.gpus_per_node}",
            field="gpus",
            hint=f"Ask for {kind.name}:{kind.gpus_per_node} or fewer.",
        )
