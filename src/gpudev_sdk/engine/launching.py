"""Builds what compute needs to launch a server: pure but for asking storage how the disk is mounted."""

from __future__ import annotations

from gpudev_sdk.domain.gpu import GpuType
from gpudev_sdk.domain.server import ServerSpec
from gpudev_sdk.engine.context import Backend
from gpudev_sdk.engine.look import Look, volume_ref


def server_spec(backend: Backend, look: Look, kind: GpuType | None) -> ServerSpec:
    """Return the spec of this attempt's server."""
    row = look.row
    mount = None if look.volume is None else backend.storage.mount(volume_ref(look.volume))
    share = row.slots_needed / kind.slots if kind is not None and kind.slots else None
    return ServerSpec(
        server_id=row.server_id,
        name=row.name,
        owner_number=row.owner_number,
        owner=row.owner,
        node=row.node or "",
        gpu_type=row.request.gpu_type,
        slots=row.slots,
        peers=row.peers,
        gpus=row.request.gpus,
        mount=mount,
        image=row.request.image,
        profile=row.request.profile,
        cpus=None if kind is None or share is None else kind.cpus * share,
        memory_bytes=None if kind is None or share is None else int(kind.memory_bytes * share),
        files=look.files,
        env=look.env,
    )
