"""Boxes as pods of a kind cluster: what any cluster does, and a place that can be set up from nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gpudev_kind import installing
from gpudev_kind.settings import KindSettings
from gpudev_sdk.kube.compute import PodCompute
from gpudev_sdk.providers import Context, Installable


class KindCompute(PodCompute, Installable):
    """Pods of one kind cluster."""

    Settings = KindSettings

    def __init__(self, settings: KindSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._cluster = settings.cluster

    def describe(self) -> dict[str, str]:
        return {"cluster": self._cluster, **super().describe()}

    @classmethod
    def set_up(cls, given: Mapping[str, str], say: Callable[[str], None]) -> Mapping[str, Any]:
        """Make the cluster, or adopt the one of that name."""
        return installing.set_up(given, say)

    @classmethod
    def take_down(cls, settings: Any, say: Callable[[str], None]) -> None:
        """Delete the cluster with all disks, if it was made here."""
        installing.take_down(settings, say)
