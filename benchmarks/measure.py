"""What all benchmarks share: repeated runs of a command, and a line that names its floor."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence


def wall_and_cpu(command: Sequence[str], *, runs: int = 15, env: dict[str, str] | None = None) -> tuple[float, float]:
    """Return the median wall and CPU seconds of a command."""
    walls, cpus = [], []
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        subprocess.run(command, env=env or dict(os.environ), stdout=subprocess.DEVNULL, check=True)
        walls.append(time.perf_counter() - began)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(walls), statistics.median(cpus)


def median(call: Callable[[], object], *, runs: int = 10) -> float:
    """Return the median seconds of a call."""
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        call()
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def line(what: str, value: str, floor: str = "") -> None:
    """Print one figure."""
    print(f"{what:<58} {value:>14}   {floor}".rstrip())
