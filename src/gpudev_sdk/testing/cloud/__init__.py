"""A cloud and a cluster that misbehave on demand, on a clock of their own; see docs/plugins/simulated-cloud.md."""

from __future__ import annotations

from gpudev_sdk.testing.cloud.clock import VirtualClock
from gpudev_sdk.testing.cloud.cloud import SimulatedCloud
from gpudev_sdk.testing.cloud.compute import SimulatedCompute
from gpudev_sdk.testing.cloud.identity import SimulatedIdentity
from gpudev_sdk.testing.cloud.settings import SimulatedSettings
from gpudev_sdk.testing.cloud.storage import SimulatedStorage
from gpudev_sdk.testing.cloud.truth import (
    CloudNode,
    CloudServer,
    CloudSnapshot,
    CloudVolume,
    Deletion,
    DoubleAttachment,
    MountSeen,
    Overbooking,
    SnapshotDeletion,
)
from gpudev_sdk.testing.cloud.weather import Span, Weather

__all__ = [
    "CloudNode",
    "CloudServer",
    "CloudSnapshot",
    "CloudVolume",
    "Deletion",
    "DoubleAttachment",
    "MountSeen",
    "Overbooking",
    "SimulatedCloud",
    "SimulatedCompute",
    "SimulatedIdentity",
    "SimulatedSettings",
    "SimulatedStorage",
    "SnapshotDeletion",
    "Span",
    "VirtualClock",
    "Weather",
]
