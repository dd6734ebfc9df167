"""Turns rows of the database into values of the domain."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import attrs
from psycopg import Connection
from psycopg.types.json import Jsonb

from gpudev_sdk.domain.gpu import GpuType
from gpudev_sdk.domain.request import request_from_json
from gpudev_sdk.domain.reservation import EndReason, Reservation, State
from gpudev_sdk.domain.server import Peer
from gpudev_sdk.domain.user import User

Row = dict[str, Any]
Conn = Connection[Row]

_PLAIN = [
    field.name
    for field in attrs.fields(Reservation)
    if field.name not in {"request", "state", "end_reason", "slots", "peers", "owner", "owner_number"}
]


def reservation_from_row(row: Row) -> Reservation:
    """Read a row of `find_reservation` or `list_reservations`."""
    return Reservation(
        request=request_from_json(row["request"]),
        state=State(row["state"]),
        end_reason=EndReason(row["end_reason"]) if row["end_reason"] else None,
        slots=tuple(row["slots"]),
        peers=_peers(row["node"], row["gang"] or ()),
        owner=row["owner"],
        owner_number=row["owner_number"],
        **{name: row[name] for name in _PLAIN},
    )


def _peers(first: str | None, held: Sequence[tuple[str, int]]) -> tuple[Peer, ...]:
    """Return what a gang holds by rank: its first node, then the others by name."""
    slots: dict[str, list[int]] = defaultdict(list)
    for node, index in held:
        slots[node].append(index)
    return tuple(
        Peer(node, tuple(sorted(slots[node]))) for node in sorted(slots, key=lambda node: (node != first, node))
    )


def as_json(plain: Row) -> Jsonb:
    """Return plain values in the form in which a query takes them for a jsonb column."""
    return Jsonb(plain)


def user_from_row(row: Row) -> User:
    """Read a row of app_user."""
    return User(
        id=row["id"],
        number=row["number"],
        name=row["name"],
        is_admin=row["is_admin"],
        disabled=row["disabled_at"] is not None,
    )


def gpu_type_to_json(kind: GpuType) -> Row:
    """Write a catalogue entry as plain JSON values; what came later stands in columns of its own, as versions before that read
    every field there is."""
    plain = attrs.asdict(kind)
    del plain["gang"], plain["profiles"]
    plain["max_duration"] = None if kind.max_duration is None else kind.max_duration.total_seconds()
    return plain


def gpu_type_from_row(row: Row) -> GpuType:
    """Read a row of `list_types`; fields that a later version added are left out."""
    known = {field.name for field in attrs.fields(GpuType)}
    values = {name: value for name, value in row["spec"].items() if name in known}
    longest = values.get("max_duration")
    values["max_duration"] = None if longest is None else dt.timedelta(seconds=longest)
    return GpuType(**values | {"gang": row["gang"], "profiles": tuple(row["profiles"])})
