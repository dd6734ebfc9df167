"""What people were told and what their disks must hold: the outside's own memory, against which the install is judged."""

from __future__ import annotations

import uuid

import attrs

from gpudev_sdk.domain.request import Request

Content = tuple[str, ...]


@attrs.frozen
class Restore:
    """A restore that was asked for: what the disk may hold from now on, if nobody writes first."""

    disk_id: uuid.UUID
    content: Content
    #: How often boxes had written to the disk by then.
    writes: int


@attrs.define
class Book:
    """Answers and contents."""

    snapshots: dict[uuid.UUID, Content] = attrs.field(factory=dict)
    acknowledged: dict[tuple[uuid.UUID, str], tuple[uuid.UUID, Request]] = attrs.field(factory=dict)
    cancelled: set[str] = attrs.field(factory=set)
    #: Every content that the disk may lawfully come up with.
    contents: dict[uuid.UUID, set[Content]] = attrs.field(factory=dict)
    writes: dict[uuid.UUID, int] = attrs.field(factory=dict)
    broken: list[str] = attrs.field(factory=list)

    def acknowledge(self, owner: uuid.UUID, key: str, reservation_id: uuid.UUID, request: Request) -> None:
        """Remember an answer; another one to the same key is a broken promise."""
        known = self.acknowledged.setdefault((owner, key), (reservation_id, request))
        if known[0] != reservation_id:
            self.broken.append(f"one request got two reservations: {known[0]} and {reservation_id}")

    def wrote(self, disk_id: uuid.UUID, content: Content) -> None:
        """A box wrote: nothing else is the disk's content from now on."""
        self.contents[disk_id] = {content}
        self.writes[disk_id] = self.writes.get(disk_id, 0) + 1

    def lawful(self, disk_id: uuid.UUID) -> set[Content]:
        """Return what the disk may come up with."""
        return self.contents.setdefault(disk_id, {()})

    def may_be_restored(self, disk_id: uuid.UUID, content: Content) -> Restore:
        """A restore is on its way."""
        self.lawful(disk_id).add(content)
        return Restore(disk_id, content, self.writes.get(disk_id, 0))

    def restored(self, asked: Restore) -> None:
        """It was carried out, and said so."""
        if self.writes.get(asked.disk_id, 0) == asked.writes:
            self.contents[asked.disk_id] = {asked.content}

    def not_restored(self, asked: Restore) -> None:
        """It was refused, and nothing of it may be seen."""
        if self.writes.get(asked.disk_id, 0) == asked.writes and len(self.lawful(asked.disk_id)) > 1:
            self.contents[asked.disk_id].discard(asked.content)
