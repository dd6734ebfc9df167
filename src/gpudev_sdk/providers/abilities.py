"""Abilities: what some providers can do beside what all do. A class that has one says so by its bases."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any


class Installable(ABC):
    """A compute class whose place can be made from nothing, as `gpudev backend add` does before there is a backend.

    ```python
    class MyCompute(Compute, Installable):
        @classmethod
        def set_up(cls, given, say):
            say("Making the place.")
            return {"region": given.get("region", "north")}
    ```

    Asked of the class, in the process of whoever runs the command: it may take minutes, and says how far it is.
    """

    @classmethod
    @abstractmethod
    def set_up(cls, given: Mapping[str, str], say: Callable[[str], None]) -> Mapping[str, Any]:
        """Make the place, or adopt the one that is there; return what the backend's sub-table has to say of it.

        `given` holds the texts of `--set`, fields of `Settings` among them. Run again it finds what it made. Raises a
        GpudevError whose hint is the next step; what was made by then is adopted by the next run.
        """

    @classmethod
    @abstractmethod
    def take_down(cls, settings: Any, say: Callable[[str], None]) -> None:
        """Remove what `set_up` made, disks included; what was there before it stays. What is gone is fine."""


class Gang:
    """A compute class whose server can be on several whole nodes at once: `ServerSpec.peers` names them by rank.

    ```python
    class MyCompute(Compute, Gang): ...
    ```

    It says so of each type that can by `GpuType.gang`, and keeps laws 2.13 to 2.17: one server id, one life. Where it is
    missing, `peers` is always empty.
    """
