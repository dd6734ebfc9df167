"""Where a simulation plays: over the simulated cloud's own providers, or over those of a plugin and the fake of its cloud."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from gpudev_sdk.engine.context import Backend
from gpudev_sdk.providers import Context
from gpudev_sdk.testing.cloud import SimulatedCloud, SimulatedCompute, SimulatedSettings, SimulatedStorage

if TYPE_CHECKING:
    from tests.sim.simulation import Simulation


class Place(Protocol):
    """A cloud that is the truth, and the providers of a process."""

    cloud: SimulatedCloud
    #: What was done there that nobody may do, in words.
    broken: Sequence[str]

    def backend(self, context: Context) -> Backend:
        """Return the backend as a process has it that just started."""

    def left(self) -> list[str]:
        """Return what is there at the end beside disks, and nobody needs."""

    def close(self) -> None:
        """Let go of what is open."""


class Simulated:
    """The simulated cloud. Its processes share what they doubt, which costs nothing to remember."""

    broken = ()

    def __init__(self, sim: Simulation) -> None:
        self.cloud = SimulatedCloud(sim.clock, sim.cloud_rng, sim.knobs.weather, nodes=sim.knobs.nodes)
        self._settings = SimulatedSettings(
            cloud=self.cloud,
            keep_volumes=sim.knobs.keep_volumes,
            snapshots_off=sim.knobs.snapshots_off,
            reach=sim.knobs.reach,
        )
        self._built: Backend | None = None

    def backend(self, context: Context) -> Backend:
        """Return the backend."""
        if self._built is None:
            compute, storage = SimulatedCompute(self._settings, context), SimulatedStorage(self._settings, context)
            self._built = Backend(name="sim", compute=compute, storage=storage)
        return self._built

    def left(self) -> list[str]:
        """Nothing: boxes leave nothing there but themselves."""
        return []

    def close(self) -> None:
        """Nothing is open."""


#: By what `--cloud` says. A plugin is imported with its own place only.
_PLACES = {"aws": ("tests.sim.clouds.aws", "Aws"), "gcp": ("tests.sim.clouds.gcp", "Gcp")}
CLOUDS = ("simulated", *_PLACES)


def open_place(cloud: str, sim: Simulation) -> Place:
    """Open the place of a cloud."""
    if cloud not in _PLACES:
        return Simulated(sim)
    module, name = _PLACES[cloud]
    made: Place = getattr(importlib.import_module(module), name)(sim)
    return made
