"""What the client returns: the wire's views, with a face for notebooks. Every text in them is escaped."""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Iterable, Sequence
from typing import Any

from gpudev_sdk.wire.views import AvailabilityView, DiskView, ReservationView


def _table(rows: Iterable[Sequence[Any]], head: Sequence[str] = ()) -> str:
    """Write a table; nothing a server or a person wrote becomes markup."""

    def line(cells: Sequence[Any], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(_shown(cell))}</{tag}>" for cell in cells) + "</tr>"

    top = f"<thead>{line(head, 'th')}</thead>" if head else ""
    return f"<table>{top}<tbody>{''.join(line(row, 'td') for row in rows)}</tbody></table>"


def _shown(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, dt.datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M")
    return str(value)


def size(count: int | None) -> str:
    """Write a number of bytes as people read it."""
    if count is None:
        return "—"
    value, units = float(count), ["B", "KB", "MB", "GB", "TB", "PB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{value:.0f} {units[0]}" if value >= 10 or units[0] == "B" else f"{value:.1f} {units[0]}"


def gpus(gpu_type: str, count: int, nodes: int = 1) -> str:
    """Write a number of GPUs of a type; a type without GPUs is written by its name alone, several nodes with their number."""
    of_one = f"{count} × {gpu_type}" if count else gpu_type
    return f"{nodes} nodes with {of_one}" if nodes > 1 else of_one


class Reservation(ReservationView, frozen=True, kw_only=True):
    """A reservation as its owner sees it."""

    @property
    def is_live(self) -> bool:
        """Whether it has not ended."""
        return self.state != "ended"

    def _repr_html_(self) -> str:
        rows = [
            ("name", self.name),
            ("state", f"{self.state} {self.end_reason or self.detail or ''}".strip()),
            ("GPUs", gpus(self.gpu_type, self.gpus, self.nodes)),
            ("disk", self.disk or "none (thrown away at the end)"),
            ("until" if self.started_at else "starts", self.expires_at or self.starts_at),
        ]
        return _table(rows)


class Availability(AvailabilityView, frozen=True, kw_only=True):
    """What is free, and who holds what until when."""

    def _repr_html_(self) -> str:
        rows = [
            (
                row.gpu_type + (" (pretended)" if row.pretended else ""),
                row.backend,
                row.free,
                row.total,
                row.largest_now,
            )
            for row in self.rows
        ]
        return _table(rows, ("type", "backend", "free", "of", "at once now"))


class Disk(DiskView, frozen=True, kw_only=True):
    """A disk as its owner sees it."""

    def _repr_html_(self) -> str:
        rows = [
            ("name", self.name),
            ("size", size(self.size_bytes)),
            ("used", size(self.used_bytes)),
            ("in use by", self.in_use_by),
            ("snapshots", self.snapshots),
            ("last used", self.last_used_at),
        ]
        return _table(rows)


class ReservationList(list[Reservation]):
    """Reservations, newest first."""

    def _repr_html_(self) -> str:
        rows = [
            (row.name, row.state, gpus(row.gpu_type, row.gpus, row.nodes), row.disk, row.expires_at or row.starts_at)
            for row in self
        ]
        return _table(rows, ("name", "state", "GPUs", "disk", "until or starts"))


class DiskList(list[Disk]):
    """Disks by name."""

    def _repr_html_(self) -> str:
        rows = [(row.name, size(row.size_bytes), row.in_use_by, row.snapshots, row.last_used_at) for row in self]
        return _table(rows, ("name", "size", "in use by", "snapshots", "last used"))
