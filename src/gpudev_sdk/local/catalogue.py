"""What this machine offers: its GPUs, made-up ones for trials, and always `cpu`."""

from __future__ import annotations

import os
import pathlib
import re
import socket
from collections import defaultdict
from collections.abc import Callable

from gpudev_sdk.domain.gpu import GIB, GpuType, Node, Slot
from gpudev_sdk.local.gpus import Gpu, find_gpus, who
from gpudev_sdk.local.settings import LocalSettings

_MEMORY_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def gpu_types(settings: LocalSettings) -> tuple[GpuType, ...]:
    """List the types of this machine."""
    cpus, memory = float(host_cpus()), host_memory()
    real = _by_type(offered(settings))
    kinds = [
        GpuType(
            name=name,
            gpus_per_node=len(gpus),
            cpus=cpus,
            memory_bytes=memory,
            description=_describe(gpus[0]),
        )
        for name, gpus in real.items()
    ]
    for name, count in _pretended(settings, real):
        kinds.append(
            GpuType(
                name=name,
                gpus_per_node=count,
                cpus=cpus,
                memory_bytes=memory,
                description=f"pretended: boxes of it have no {name}",
                pretended=True,
            )
        )
    kinds.append(
        GpuType(
            name="cpu",
            gpus_per_node=0,
            slots_per_node=cpu_places(settings),
            cpus=cpus,
            memory_bytes=memory,
            description="no GPU",
        )
    )
    return tuple(kinds)


def nodes(settings: LocalSettings, our_pids: Callable[[int], bool]) -> tuple[Node, ...]:
    """Return this machine as the one node, with every slot and who else uses it.

    A slot's index is the GPU's own number and its device the GPU's UUID; `our_pids` says which processes are ours.
    """
    gpus = offered(settings)
    slots = [
        Slot(gpu_type=gpu.type_name, index=gpu.index, device=gpu.uuid, busy_outside=_busy(gpu, our_pids))
        for gpu in gpus
    ]
    for name, count in _pretended(settings, _by_type(gpus)):
        slots += [Slot(gpu_type=name, index=index) for index in range(count)]
    slots += [Slot(gpu_type="cpu", index=index) for index in range(cpu_places(settings))]
    return (Node(name=node_name(), slots=tuple(slots)),)


def offered(settings: LocalSettings) -> tuple[Gpu, ...]:
    """Return the GPUs that this install hands out."""
    return tuple(gpu for gpu in find_gpus() if settings.gpus is None or gpu.index in settings.gpus)


def node_name(host: str | None = None) -> str:
    """Return this host's name in the grammar of labels."""
    label = re.sub(r"[^a-z0-9._-]+", "-", (host or socket.gethostname()).lower())
    return label[:60].strip("-._") or "localhost"


def cpu_places(settings: LocalSettings) -> int:
    """Return how many boxes without a GPU may be here at once."""
    return settings.cpu_slots or max(2, host_cpus())


def host_cpus() -> int:
    """Return how many CPUs this process may use."""
    return len(os.sched_getaffinity(0))


def host_memory() -> int:
    """Return the bytes of memory there are, or fewer where a limit is set on us."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in map(pathlib.Path, _MEMORY_LIMITS):
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            total = min(total, int(text))
    return total


def _by_type(gpus: tuple[Gpu, ...]) -> dict[str, list[Gpu]]:
    found: dict[str, list[Gpu]] = defaultdict(list)
    for gpu in gpus:
        found[gpu.type_name].append(gpu)
    return dict(found)


def _pretended(settings: LocalSettings, real: dict[str, list[Gpu]]) -> list[tuple[str, int]]:
    """Return what is made up; a real GPU of that name takes precedence."""
    return [(name, count) for name, count in settings.pretended if name not in real]


def _describe(gpu: Gpu) -> str:
    return f"{gpu.product}, {gpu.memory_bytes // GIB} GiB" if gpu.memory_bytes else gpu.product


def _busy(gpu: Gpu, our_pids: Callable[[int], bool]) -> str | None:
    if gpu.trouble:
        return gpu.trouble
    others = [pid for pid in gpu.pids if not our_pids(pid)]
    return who(others[0]) if others else None
