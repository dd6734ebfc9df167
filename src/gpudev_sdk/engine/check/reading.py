"""Reads what the laws need of the database: one statement, so that all of it is of one moment."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import attrs
import msgspec

from gpudev_sdk.engine.check.tables import Tables
from gpudev_sdk.engine.check.world import Text, World
from gpudev_sdk.store.rows import Conn
from gpudev_sdk.store.sql import queries

Q = queries("check")
_DECODER = msgspec.json.Decoder(Tables)


def read_tables(conn: Conn, world: World | None = None, *, whole: bool = False) -> Tables:
    """Read what is live, held or kept, and every row that a world which was looked at before names.

    `whole` reads the history of all that ever was, which takes long on a large database.
    """
    world = world or World()
    wanted: dict[str, Sequence[uuid.UUID]] = {"whole": [], "volumes": [], "snapshots": []}
    if whole:
        wanted |= conn.execute(Q["everything"]).fetchone() or {}
    wanted |= _named(world, wanted)
    row = conn.execute(Q["tables"], wanted).fetchone()
    assert row is not None  # a SELECT without FROM
    tables = _DECODER.decode(row["tables"])
    if world.record is None or not world.record.canaries:
        return tables
    texts = conn.execute(Q["texts"]).fetchall()
    return attrs.evolve(tables, texts=tuple(Text(where=text["where"], text=text["text"]) for text in texts))


def _named(world: World, wanted: dict[str, Sequence[uuid.UUID]]) -> dict[str, Sequence[uuid.UUID]]:
    servers = [server.server_id.reservation_id for seen in world.backends for server in seen.servers or ()]
    volumes = [volume.volume_id for seen in world.backends for volume in seen.volumes or ()]
    snapshots = [snapshot.snapshot_id for seen in world.backends for snapshot in seen.snapshots or ()]
    told = world.record.acknowledged if world.record is not None else ()
    return {
        "servers": servers,
        "volumes": [*wanted["volumes"], *volumes],
        "snapshots": [*wanted["snapshots"], *snapshots],
        "accepted": [one.reservation_id for one in told],
    }
