"""What the processor looked at before it asks `decide`."""

from __future__ import annotations

import datetime as dt
import uuid

import attrs

from gpudev_sdk.domain.disk import SnapshotSighting, SnapshotState, VolumeSighting
from gpudev_sdk.domain.server import Sighting
from gpudev_sdk.providers.scaling import Interruption


@attrs.frozen(kw_only=True)
class Served:
    """How long this control plane was awake in all, and how often it was away too long."""

    seconds: float
    gaps: int
    #: When it was last awake.
    updated_at: dt.datetime


@attrs.frozen(kw_only=True)
class EndSnapshot:
    """The snapshot of the end: our row's state, and what was seen."""

    snapshot_id: uuid.UUID
    state: SnapshotState | None
    sighting: SnapshotSighting | None = None
    tries: int = 1
    #: What the cloud called it, by which it is told from one that is just not shown yet.
    handle: str | None = None


@attrs.frozen(kw_only=True)
class World:
    """What is known besides the row. None means it was not looked at."""

    now: dt.datetime
    served: Served
    #: Why this control plane must not act where the reservation is.
    paused: str | None = None
    sighting: Sighting | None = None
    #: The volume of the disk is recorded as ready.
    volume_ready: bool = False
    volume: VolumeSighting | None = None
    snapshot: EndSnapshot | None = None
    #: Thresholds already recorded for the present `expires_at`; zero only for the present count of gaps.
    warned: frozenset[dt.timedelta] = frozenset()
    #: A node of it takes nobody in, as its backend was last seen: one that is taken back is always such (law 9.7).
    closed: bool = False
    #: Its machine, or one of a gang's, is being taken back; None where that was not said, or could not be told.
    taken: Interruption | None = None
    #: Digest of the files that should be in the box.
    wanted_files: str | None = None
