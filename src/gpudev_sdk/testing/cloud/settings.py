"""What the three simulated providers are built with."""

from __future__ import annotations

import datetime as dt

import attrs

from gpudev_sdk.domain.disk import Reach
from gpudev_sdk.testing.cloud.cloud import SimulatedCloud


@attrs.frozen(kw_only=True)
class SimulatedSettings:
    """The cloud, and how a provider uses it."""

    cloud: SimulatedCloud
    #: How long a volume stays after its snapshot; None: it is the disk, and stays.
    keep_volumes: dt.timedelta | None = None
    #: Why volumes here cannot have snapshots; empty where they can.
    snapshots_off: str = ""
    #: How far from where it was made a volume is told to be mountable; the cloud itself minds zones.
    reach: Reach = Reach.ZONE
    #: Who presents himself, on a person's own machine.
    person: str = "ada"
