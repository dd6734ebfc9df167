"""Ids are ours: version 7 UUIDs, made here and never by a client."""

from __future__ import annotations

import uuid

import uuid_utils.compat


def new() -> uuid.UUID:
    """Return a fresh id; later ones sort after earlier ones."""
    made: uuid.UUID = uuid_utils.compat.uuid7()
    return made
