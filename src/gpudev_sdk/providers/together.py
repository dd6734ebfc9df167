"""Whether the compute and the storage of one backend go together, asked of their classes before either is built."""

from __future__ import annotations

from gpudev_sdk.errors import ConfigError
from gpudev_sdk.providers.compute import Compute
from gpudev_sdk.providers.storage import Storage


def check_together(compute: tuple[str, type[Compute]], storage: tuple[str, type[Storage]], where: str) -> None:
    """Raise for a compute whose boxes could never have a disk of the storage, before anything is made of either."""
    (runs, boxes), (keeps, disks) = compute, storage
    if disks.is_here and boxes.is_here is False:
        why = "are folders of this machine, where its boxes are not"
    elif disks.gives is not None and disks.gives not in boxes.takes:
        why = f"are handed over as {disks.gives.value}, which its boxes cannot have"
    else:
        return
    raise ConfigError(
        f'[{where}]: compute = "{runs}" does not go with storage = "{keeps}": the disks {why}',
        hint=f'Say storage = "{runs}", or name a compute that goes with {keeps}.',
    )
