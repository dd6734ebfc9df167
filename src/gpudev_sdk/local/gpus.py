"""The NVIDIA GPUs of this machine, by NVML. No driver means no GPUs; a driver that does not answer means unknown."""

from __future__ import annotations

import contextlib
import pathlib
import pwd
from collections.abc import Callable, Iterator

import attrs
import pynvml

from gpudev_sdk.domain.gpu import type_name
from gpudev_sdk.errors import TryLater


@attrs.frozen(kw_only=True)
class Gpu:
    """One GPU as the driver names it."""

    #: The driver's own index, as `nvidia-smi` and `gpus = [0, 1]` count.
    index: int
    uuid: str
    #: N of `/dev/nvidiaN`.
    minor: int
    product: str
    memory_bytes: int
    #: Processes that compute on it now, by pid on this host.
    pids: tuple[int, ...] = ()
    #: Why it cannot be handed out whole, in words; empty if it can.
    trouble: str = ""

    @property
    def type_name(self) -> str:
        """What people ask for: `h100`, `rtx-4090`."""
        return type_name(self.product)


@contextlib.contextmanager
def _driver() -> Iterator[bool]:
    """Open the driver; give False where there is none."""
    try:
        pynvml.nvmlInit()
    except (pynvml.NVMLError_LibraryNotFound, pynvml.NVMLError_DriverNotLoaded):
        yield False
        return
    except pynvml.NVMLError as error:
        raise TryLater(f"the GPU driver does not answer: {error}", hint="See what `nvidia-smi` says.") from error
    try:
        yield True
    except pynvml.NVMLError as error:
        raise TryLater(f"the GPU driver does not answer: {error}", hint="See what `nvidia-smi` says.") from error
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def find_gpus() -> tuple[Gpu, ...]:
    """Return every GPU there is, in the driver's order; one that fell off its bus is left out."""
    with _driver() as there:
        if not there:
            return ()
        found = []
        for index in range(pynvml.nvmlDeviceGetCount()):
            with contextlib.suppress(pynvml.NVMLError_GpuIsLost):
                found.append(_look_at(index))
        return tuple(found)


def _look_at(index: int) -> Gpu:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    return Gpu(
        index=index,
        uuid=_text(pynvml.nvmlDeviceGetUUID(handle)),
        minor=pynvml.nvmlDeviceGetMinorNumber(handle),
        product=_text(pynvml.nvmlDeviceGetName(handle)),
        memory_bytes=_supported(lambda: pynvml.nvmlDeviceGetMemoryInfo(handle).total, 0),
        pids=tuple(sorted({process.pid for process in pynvml.nvmlDeviceGetComputeRunningProcesses(handle)})),
        trouble="split by MIG" if _supported(lambda: pynvml.nvmlDeviceGetMigMode(handle)[0], 0) else "",
    )


def _supported(ask: Callable[[], int], otherwise: int) -> int:
    try:
        return int(ask())
    except pynvml.NVMLError_NotSupported:
        return otherwise


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def who(pid: int) -> str:
    """Say whose a process is, as `user, pid`."""
    try:
        owner = pathlib.Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        return f"unknown user, {pid}"
    try:
        return f"{pwd.getpwuid(owner).pw_name}, {pid}"
    except KeyError:
        return f"uid {owner}, {pid}"
