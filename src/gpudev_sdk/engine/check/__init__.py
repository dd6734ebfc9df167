"""The laws that must never break, as one pure function over (tables, world, now)."""

from __future__ import annotations

from gpudev_sdk.engine.check.counts import answered, counted
from gpudev_sdk.engine.check.laws import ELSEWHERE, LAWS, LIVENESS, SAFETY, check
from gpudev_sdk.engine.check.reading import read_tables
from gpudev_sdk.engine.check.tables import Tables
from gpudev_sdk.engine.check.values import Violation
from gpudev_sdk.engine.check.world import (
    Acknowledged,
    Answer,
    Count,
    Loss,
    MountSeen,
    Record,
    SeenBackend,
    SeenServer,
    SeenSnapshot,
    SeenVolume,
    Text,
    World,
)

__all__ = [
    "ELSEWHERE",
    "LAWS",
    "LIVENESS",
    "SAFETY",
    "Acknowledged",
    "Answer",
    "Count",
    "Loss",
    "MountSeen",
    "Record",
    "SeenBackend",
    "SeenServer",
    "SeenSnapshot",
    "SeenVolume",
    "Tables",
    "Text",
    "Violation",
    "World",
    "answered",
    "check",
    "counted",
    "read_tables",
]
