"""What `decide` may answer: the next step of one reservation, as a value the processor acts on."""

from __future__ import annotations

import datetime as dt

import attrs

from gpudev_sdk.domain.reservation import EndReason, State


@attrs.frozen
class Step:
    """One idempotent thing to do next."""


@attrs.frozen
class Rest(Step):
    """Nothing to do; look again after `delay`."""

    delay: dt.timedelta
    #: What to tell the person meanwhile; None leaves what is there.
    detail: str | None = None


@attrs.frozen
class Move(Step):
    """Go to another state."""

    to: State
    end_reason: EndReason | None = None
    detail: str = ""
    #: The attempt did not come up through no choice of the person's: it counts against the attempts.
    failed_attempt: bool = False


@attrs.frozen
class EnsureVolume(Step):
    """Make the disk's volume, or find that it is there."""


@attrs.frozen
class Launch(Step):
    """Ask compute for the server of this attempt."""


@attrs.frozen
class Configure(Step):
    """Put the wanted files into the box."""


@attrs.frozen
class Warn(Step):
    """Record the warning of `threshold` before the end; zero is the ending notice."""

    threshold: dt.timedelta


@attrs.frozen
class Credit(Step):
    """Give back the time during which the machine was down."""

    lost: dt.timedelta


@attrs.frozen
class NoteDown(Step):
    """Remember since when the box has not run, before it is launched again."""


@attrs.frozen
class NoteEndpoint(Step):
    """Store where the gateway now reaches the box."""

    endpoint: str | None


@attrs.frozen
class NoteShown(Step):
    """The ending notice is in the box: its grace begins."""


@attrs.frozen
class Leave(Step):
    """Tell who is in the box that its machine is taken back, if they can be told, and end it without waiting."""

    why: str


@attrs.frozen
class Terminate(Step):
    """Ask compute to stop the server, and leave a tombstone; where there is one, look again after `patience`."""

    patience: dt.timedelta = dt.timedelta()


@attrs.frozen
class MarkGone(Step):
    """The server was seen gone: free its slots."""


@attrs.frozen
class MarkDetached(Step):
    """The volume was seen without a writer."""


@attrs.frozen
class BeginSnapshot(Step):
    """Ask storage for the snapshot of the end."""


@attrs.frozen
class NoteSnapshot(Step):
    """Record what became of the snapshot."""


@attrs.frozen
class SkipSnapshot(Step):
    """Go on without a snapshot; the volume is kept."""

    why: str
    #: Somebody should look at the disk.
    attend: bool = False


@attrs.frozen
class ReleaseDisk(Step):
    """Let others have the disk."""


@attrs.frozen
class Attend(Step):
    """Flag for a person's attention, and go on trying."""

    why: str
