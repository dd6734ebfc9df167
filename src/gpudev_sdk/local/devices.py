"""The device nodes of the GPUs that a box holds; those of others are not in its /dev at all."""

from __future__ import annotations

import pathlib

from gpudev_sdk.errors import NoCapacity
from gpudev_sdk.local.catalogue import offered
from gpudev_sdk.local.settings import LocalSettings

#: What every CUDA program needs beside its GPUs.
_COMMON = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools")


def nodes_of(settings: LocalSettings, gpu_type: str, slots: tuple[int, ...]) -> tuple[pathlib.Path, ...]:
    """Return the device nodes of these GPUs; nothing for types that are made up or have none.

    Raises NoCapacity if one of the GPUs is not there (any more).
    """
    gpus = {gpu.index: gpu for gpu in offered(settings) if gpu.type_name == gpu_type}
    if not gpus:
        return ()
    missing = [index for index in slots if index not in gpus]
    if missing:
        raise NoCapacity(f"this machine has no {gpu_type} number {missing[0]} now")
    nodes = [pathlib.Path("/dev", f"nvidia{gpus[index].minor}") for index in slots]
    common = (pathlib.Path("/dev", name) for name in _COMMON)
    return (*nodes, *(path for path in common if path.exists()))
