"""What a reservation of several nodes may ask for: whole nodes of one zone, where a backend can bring them up together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gpudev_sdk.domain.gpu import GpuType
from gpudev_sdk.domain.request import Request
from gpudev_sdk.errors import InvalidRequest

#: The most whole nodes of a type that one zone has, by (backend, GPU type).
Together = Mapping[tuple[str, str], int]


def check_gang(request: Request, fitting: Sequence[tuple[str, GpuType]], together: Together) -> GpuType:
    """Return the type of a backend that could ever bring up such a gang; raise InvalidRequest with the next step."""
    able = [(backend, kind) for backend, kind in fitting if kind.gang]
    if not able:
        raise InvalidRequest(
            f"a {request.gpu_type} reservation has one node here", field="nodes", hint="Leave --nodes out."
        )
    whole = [(backend, kind) for backend, kind in able if kind.gpus_per_node == request.gpus]
    if not whole:
        raise _not_whole(request, [kind for _, kind in able])
    backend, kind = max(whole, key=lambda offer: together.get((offer[0], offer[1].name), 0))
    most = together.get((backend, kind.name), 0)
    if request.nodes > most:
        raise InvalidRequest(
            f"no zone has {request.nodes} whole nodes of {kind.name}; the largest has {most or 'none'}",
            field="nodes",
            hint=f"Ask for --nodes {most}." if most > 1 else "Leave --nodes out.",
        )
    return kind


def _not_whole(request: Request, able: Sequence[GpuType]) -> InvalidRequest:
    name = request.gpu_type
    if all(kind.is_cpu for kind in able):
        return InvalidRequest(f"a {name} box has no GPUs", field="gpus", hint=f"Ask for {name} alone.")
    sizes = sorted({kind.gpus_per_node for kind in able if not kind.is_cpu})
    has = " or ".join(map(str, sizes))
    return InvalidRequest(
        f"a reservation of several nodes takes them whole, and a node has {has} × {name}",
        field="gpus",
        hint=f"Ask for {name}:{sizes[-1]} --nodes {request.nodes}.",
    )
