"""Profiles: what a box may do beside what every box may. An operator offers them, by GPU type; nobody has one by itself."""

from __future__ import annotations

from collections.abc import Sequence

from gpudev_sdk.domain.gpu import GpuType
from gpudev_sdk.domain.request import Request
from gpudev_sdk.errors import InvalidRequest

#: Root in the box, who is nobody on its node: for installing packages.
ROOT = "root"
#: Root on the node's kernel, with the right to look at counters: for GPU profilers, on a whole node.
PROFILING = "profiling"


def check_profile(request: Request, fitting: Sequence[tuple[str, GpuType]]) -> None:
    """Return if every place where the request may come up offers its profile; raise InvalidRequest with the next step."""
    if request.profile is None:
        return
    offering = [backend for backend, kind in fitting if request.profile in kind.profiles]
    if not offering:
        known = sorted({profile for _, kind in fitting for profile in kind.profiles})
        raise InvalidRequest(
            f"a {request.gpu_type} box has no profile {request.profile!r} here",
            field="profile",
            hint=f"There are: {', '.join(known)}." if known else "Leave --profile out.",
        )
    if len(offering) < len(fitting):
        raise InvalidRequest(
            f"only {', '.join(sorted(offering))} has the profile {request.profile!r}",
            field="profile",
            hint=f"Say where: --backend {sorted(offering)[0]}.",
        )
    if request.nodes > 1:
        raise InvalidRequest("boxes of several nodes have no profile", field="profile", hint="Leave --profile out.")


def check_whole(request: Request, kind: GpuType) -> None:
    """Raise InvalidRequest for a profile that shares a node with nobody, asked for a part of one."""
    if request.profile == PROFILING and (kind.is_cpu or request.gpus != kind.gpus_per_node):
        hint = "Leave --profile out." if kind.is_cpu else f"Ask for {kind.name}:{kind.gpus_per_node}."
        raise InvalidRequest(f"the profile {PROFILING!r} takes a whole node of GPUs", field="profile", hint=hint)
