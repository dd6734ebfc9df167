"""Who may go where, as the gateway asks it: of the rows, and of nothing else."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Protocol

import attrs

from gpudev_sdk.domain.user import User
from gpudev_sdk.store import people
from gpudev_sdk.store.pool import Store
from gpudev_sdk.store.reservations import Q
from gpudev_sdk.store.rows import user_from_row


@attrs.frozen(kw_only=True)
class Box:
    """An active dev server that a person may reach."""

    reservation_id: uuid.UUID
    #: `unix:/path` or `tcp:host:port`.
    endpoint: str


@attrs.frozen
class Hold:
    """What somebody has open: a connection by a key, or a channel of it to a box."""

    user_id: uuid.UUID
    fingerprint: str
    reservation_id: uuid.UUID | None = None


class Access(Protocol):
    """What the gateway asks, in threads. Each method may raise a GpudevError when it cannot tell."""

    def user_of_key(self, fingerprint: str) -> User | None:
        """Return the person whose live key this is, unless they are shut out."""

    def find_box(self, user_id: uuid.UUID, name: str, owner: str | None) -> Box | None:
        """Return the active box that a name means to this person, or None; another's looks like none."""

    def may_reach(self, user_id: uuid.UUID, fingerprint: str, reservation_id: uuid.UUID) -> bool:
        """Say whether the person, by that key, may reach the box now."""

    def still_held(self, holds: Collection[Hold]) -> frozenset[Hold]:
        """Return those of `holds` that are still allowed, at the cost of one question."""


class StoreAccess:
    """Access as the rows of the store say it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def user_of_key(self, fingerprint: str) -> User | None:
        """Return the person whose live key this is, unless they are shut out."""
        with self._store.transaction() as conn:
            key = conn.execute(people.Q["find_key"], {"fingerprint": fingerprint}).fetchone()
            if key is None or key["disabled_at"] is not None:
                return None
            row = conn.execute(people.Q["find_user_by_id"], {"id": key["user_id"]}).fetchone()
        return None if row is None else user_from_row(row)

    def find_box(self, user_id: uuid.UUID, name: str, owner: str | None) -> Box | None:
        """Return the active box that a name means to this person, or None; another's looks like none."""
        with self._store.transaction() as conn:
            row = conn.execute(Q["access_rows"], {"user_id": user_id, "name": name, "owner": owner}).fetchone()
        return None if row is None else Box(reservation_id=row["id"], endpoint=row["endpoint"])

    def may_reach(self, user_id: uuid.UUID, fingerprint: str, reservation_id: uuid.UUID) -> bool:
        """Say whether the person, by that key, may reach the box now."""
        wanted = Hold(user_id, fingerprint, reservation_id)
        return wanted in self.still_held([wanted])

    def still_held(self, holds: Collection[Hold]) -> frozenset[Hold]:
        """Return those of `holds` that are still allowed, at the cost of one question."""
        if not holds:
            return frozenset()
        asked = list(holds)
        fields = {
            "user_ids": [hold.user_id for hold in asked],
            "fingerprints": [hold.fingerprint for hold in asked],
            "reservation_ids": [hold.reservation_id for hold in asked],
        }
        with self._store.transaction() as conn:
            rows = conn.execute(Q["still_held"], fields).fetchall()
        return frozenset(Hold(row["user_id"], row["fingerprint"], row["reservation_id"]) for row in rows)
